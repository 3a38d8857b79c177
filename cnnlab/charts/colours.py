"""What each colour means, and which run has which.

Colour tells runs apart (`IDENTITIES`). A device is told by a word or a dash; only where a chart
holds nothing but devices against each other do they have a hue (`CPU`, `ACCELERATOR`).
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal

Theme = Literal["light", "dark"]

CPU, ACCELERATOR = "#0072B2", "#E69F00"
"""The two ends of a map on which one device is held against the other."""
REFERENCE = "#7A7A7A"
"""What was published and not measured here; to be told from both grounds."""
REFERENCES = (REFERENCE, "#8F8377", "#5E7B75", "#8E7C93", "#949CA3")

# Found by search, for the largest least distance (CIELAB) between any two and to the grey of what
# was published, as full colour vision sees them and as eyes without red, green or blue cones do
# (Machado et al. 2009), with 3:1 at least against the ground. A place has about the same hue in
# both themes, as far as that leaves them apart.
IDENTITIES: dict[Theme, tuple[str, ...]] = {
    "light": (
        *("#2121FF", "#B58463", "#006300", "#DE4AEF", "#639419"),
        *("#7B08BD", "#299CB5", "#943A4A", "#5A4294", "#7B3A6B"),
    ),
    "dark": (
        *("#42CEFF", "#EFA5AD", "#199452", "#CE52AD", "#29FF00"),
        *("#AD42FF", "#A5EF94", "#948400", "#9C84F7", "#CECE5A"),
    ),
}
PLACES = len(IDENTITIES["light"])

# Nothing is told by colour alone: each place has its own shape of point as well.
SHAPES = (
    *("circle", "square", "triangle-up", "diamond", "cross"),
    *("triangle-down", "triangle-right", "triangle-left"),
    "M-1,-1L1,1M1,-1L-1,1M-0.3,-1L0.3,-1L0.3,1L-0.3,1Z",
    "M0,-1.2L0.4,-0.4L1.2,0L0.4,0.4L0,1.2L-0.4,0.4L-1.2,0L-0.4,-0.4Z",
)

OUTLINES = {
    "circle": "M-1,0A1,1 0 1 1 1,0A1,1 0 1 1 -1,0Z",
    "square": "M-0.9,-0.9H0.9V0.9H-0.9Z",
    "triangle-up": "M0,-1L1,0.9H-1Z",
    "diamond": "M0,-1.1L0.8,0L0,1.1L-0.8,0Z",
    "cross": "M-0.35,-1H0.35V-0.35H1V0.35H0.35V1H-0.35V0.35H-1V-0.35H-0.35Z",
    "triangle-down": "M0,1L1,-0.9H-1Z",
    "triangle-right": "M1,0L-0.9,1V-1Z",
    "triangle-left": "M-1,0L0.9,1V-1Z",
}
"""Vega's shapes as paths of SVG; those of `SHAPES` that are none of Vega's are paths already."""


def swatch(colour: str) -> str:
    """A run's colour and shape as a small picture, by an address that holds it all."""
    shape = shape_of(colour)
    drawn = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-1.3 -1.3 2.6 2.6" width="16">'
        f'<path fill="{colour}" d="{OUTLINES.get(shape, shape)}"/></svg>'
    )
    return f"data:image/svg+xml;base64,{base64.b64encode(drawn.encode()).decode()}"


def shape_of(colour: str) -> str:
    """The shape of the points of a run that has this colour."""
    for colours in IDENTITIES.values():
        if colour in colours:
            return SHAPES[colours.index(colour)]
    return SHAPES[0]


def run_places(runs: Iterable[str], before: Mapping[str, int] | None = None) -> dict[str, int]:
    """A place in the palette for each run id, the ones that are used least first.

    A run that had a place `before` keeps it, so choosing others recolours nobody, unless that
    would draw it like another although a place is free.
    """
    wanted = list(dict.fromkeys(runs))
    most, used = -(-len(wanted) // PLACES), Counter[int]()
    kept: dict[str, int] = {}
    for run_id in wanted:
        place = (before or {}).get(run_id)
        if place is not None and used[place] < most:
            kept[run_id] = place
            used[place] += 1
    places: dict[str, int] = {}
    for run_id in wanted:
        places[run_id] = kept.get(run_id, min(range(PLACES), key=used.__getitem__))
        used[places[run_id]] += run_id not in kept
    return places


def run_colours(runs: Iterable[str], theme: Theme = "light") -> dict[str, str]:
    """A colour for each of some runs that were given none before, in their order."""
    return {run_id: IDENTITIES[theme][place] for run_id, place in run_places(runs).items()}
