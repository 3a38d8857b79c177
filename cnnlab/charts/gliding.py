"""Charts that uncover what is new in them from left to right."""

from __future__ import annotations

from typing import Any

import altair as alt

UNCOVERED = "uncovered"
"""Up to where on the x axis a chart that glides shows its curves."""
GLIDE = "glide"
"""The animation of the style sheet whose repeats a chart that glides counts."""
FAR = 1e12  # beyond any axis


def gliding(chart: alt.LayerChart) -> alt.LayerChart:
    """The chart with a signal `UNCOVERED` that follows the last row's x, for a veil to end at.

    Vega-Lite has no such signals, so they are added to what it becomes. They count the repeats of
    an animation that the page begins with each new point: where less motion was asked for it has
    none, only its end, and everything is shown at once.
    """
    signals: tuple[dict[str, Any], ...] = (
        {"name": "front", "update": "length(data('source')) ? peek(data('source')).x : 0"},
        {
            "name": "reached",
            "value": FAR,
            "on": [
                _when("animationiteration", f"{UNCOVERED} + (front - {UNCOVERED}) / 3"),
                _when("animationend", "front"),
            ],
        },
        {"name": UNCOVERED, "update": "min(reached, front)"},
    )
    patch = [{"op": "add", "path": "/signals/-", "value": signal} for signal in signals]
    chart.usermeta = {"embedOptions": {"patch": patch}}
    return chart


def _when(happens: str, update: str) -> dict[str, Any]:
    """What a signal becomes when the animation does something, anywhere on the page."""
    glides = f"event.animationName === '{GLIDE}'"
    return {"events": {"source": "window", "type": happens, "filter": glides}, "update": update}
