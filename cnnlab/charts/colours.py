"""What each colour means, and which run has which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal

from cnnlab.analysis import DeviceKind

Family = DeviceKind | Literal["reference"]

CPU, ACCELERATOR, REFERENCE = "#0072B2", "#E69F00", "#7A7A7A"
COLOURS: dict[Family, str] = {"cpu": CPU, "accelerator": ACCELERATOR, "reference": REFERENCE}
# Shades that stay apart on white and on dark ground, for several runs of one family. They were
# chosen for the largest least distance (CIELAB) between any two, seen with full colour vision and
# without red, green or blue cones.
SHADES: dict[Family, tuple[str, ...]] = {
    "cpu": (CPU, "#56B4E9", "#8C7FFF", "#4430F2", "#2A9DB0"),
    "accelerator": (ACCELERATOR, "#D55E00", "#7D5540", "#CCB770", "#C08A6A"),
    "reference": (REFERENCE, "#A8A8A8", "#5E6B75", "#8F8377", "#949CA3"),
}

# Nothing is told by colour alone: each shade of a family has its own shape of point.
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down")


def shape_of(colour: str) -> str:
    """The shape of the points of a run that has this colour."""
    for shades in SHADES.values():
        if colour in shades:
            return SHAPES[shades.index(colour)]
    return SHAPES[0]


def run_colours(
    families: Mapping[str, Family], before: Mapping[str, str] | None = None
) -> dict[str, str]:
    """A colour for each run id, of its family's hue.

    The first run of a family has the family's own colour, each further one the shade that is used
    least. A run that had a colour `before` keeps it, so choosing others recolours nobody, unless
    that would draw it like another although a shade is free.
    """
    sizes, used = Counter(families.values()), Counter[str]()
    kept: dict[str, str] = {}
    for run_id, family in families.items():
        colour, shades = (before or {}).get(run_id), SHADES[family]
        if colour in shades and used[colour] < -(-sizes[family] // len(shades)):
            kept[run_id] = colour
            used[colour] += 1
    colours: dict[str, str] = {}
    for run_id, family in families.items():
        colours[run_id] = kept.get(run_id) or min(SHADES[family], key=used.__getitem__)
        used[colours[run_id]] += run_id not in kept
    return colours
