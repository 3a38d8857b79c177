"""Charts whose words and lines are seen from the back row."""

from __future__ import annotations

from typing import Any

from cnnlab.charts import Spec

LETTERS = 28
"""Pixels of the smallest word on a projector 1920 wide."""
SIZES = frozenset({"fontSize", "labelFontSize", "titleFontSize"})
DISTANCES = frozenset({"dx", "dy", "labelLimit", "padding", "strokeWidth", "thickness"})
POINTS = frozenset({"point", "circle", "square"})
EDGE = {"left": 5, "right": 5, "top": LETTERS // 2 + 4}
"""Pixels around a chart, so that the uppermost word of an axis is not cut off."""


def enlarged(spec: Spec) -> Spec:
    """A chart with every word at `LETTERS` or larger; distances, lines and points twice as large.

    Drawn as SVG, whose words are text to the browser.
    """
    grown: Spec = _grown(spec)
    text = {"labelFontSize": LETTERS, "titleFontSize": LETTERS}
    config = grown.get("config", {})
    axis, legend = config.get("axis", {}), config.get("legend", {})
    legend = legend | text | {"labelLimit": 640, "symbolSize": 400, "symbolOpacity": 1}
    dress = {"axis": axis | text | {"titlePadding": 12}, "legend": legend}
    return grown | {
        "config": config | dress | {"text": {"fontSize": LETTERS}},
        "padding": EDGE,
        "usermeta": {"embedOptions": {"renderer": "svg"}},
    }


def _grown(part: Any) -> Any:
    if isinstance(part, dict):
        grown = {name: _sized(name, value) for name, value in part.items()}
        if grown.get("type") in POINTS and "size" in grown:
            grown["size"] *= 4  # an area
        return grown
    return [_grown(one) for one in part] if isinstance(part, list) else part


def _sized(name: str, value: Any) -> Any:
    if name in SIZES:  # a size that goes by the window is smaller than this in any
        return max(value, LETTERS) if isinstance(value, int | float) else LETTERS
    if name in DISTANCES and isinstance(value, int | float):
        return 2 * value
    if name in DISTANCES and isinstance(value, dict) and "expr" in value:
        return {"expr": f"2 * ({value['expr']})"}
    if name == "strokeWidth" and "range" in value.get("scale", {}):
        widths = [2 * width for width in value["scale"]["range"]]
        return value | {"scale": value["scale"] | {"range": widths}}
    return _grown(value)
