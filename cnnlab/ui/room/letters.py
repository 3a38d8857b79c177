"""Charts whose words and lines are seen from the back row."""

from __future__ import annotations

from typing import Any

from cnnlab import charts
from cnnlab.charts import Spec

SMALLEST, SHARE = 16, 0.015
"""Pixels of a word on a phone, and of the window's width on what is wider: 28.8 on a projector of
1920. As in `stage.css`."""
LETTERS = f"max({SMALLEST},{SHARE}*{charts.WINDOW})"
SIZES = frozenset({"fontSize", "labelFontSize", "titleFontSize"})
DISTANCES = frozenset({"dx", "dy", "padding", "strokeWidth", "thickness"})
WIDEST = 0.35
"""Of the window: the longest name beside an axis or in a legend."""
POINTS = frozenset({"point", "circle", "square"})
EDGE = {"left": 5, "right": 5, "top": 18}
"""Pixels around a chart, so that the uppermost word of an axis is not cut off."""


def enlarged(spec: Spec) -> Spec:
    """A chart with every word at `LETTERS`; distances, lines and points twice as large.

    Drawn as SVG, whose words are text to the browser.
    """
    grown: Spec = _grown(spec)
    sizes = [part for part in grown["params"] if part["name"] != charts.LETTERS]
    text = {name: {"expr": charts.LETTERS} for name in ("labelFontSize", "titleFontSize")}
    config = grown.get("config", {})
    axis, legend = config.get("axis", {}), config.get("legend", {})
    legend = legend | text | _limit(320) | {"symbolSize": 400, "symbolOpacity": 1}
    dress = {"axis": axis | text | {"titlePadding": 12}, "legend": legend}
    return grown | {
        "params": [*sizes, {"name": charts.LETTERS, "expr": LETTERS}],
        "config": config | dress | {"text": {"fontSize": {"expr": charts.LETTERS}}},
        "padding": EDGE,
        "usermeta": {"embedOptions": {"renderer": "svg"}},
    }


def _grown(part: Any) -> Any:
    if isinstance(part, dict):
        grown: dict[str, Any] = {}
        for name, value in part.items():
            grown |= _limit(value) if name == "labelLimit" else {name: _sized(name, value)}
        if grown.get("type") in POINTS and "size" in grown:
            grown["size"] *= 4  # an area
        return grown
    return [_grown(one) for one in part] if isinstance(part, list) else part


def _limit(pixels: Any) -> dict[str, Any]:
    """How wide a name may be, on a phone no more than leaves room for what it names."""
    most = f"({pixels['expr']})" if isinstance(pixels, dict) else pixels
    return {"labelLimit": {"expr": f"min(2*{most},{WIDEST}*{charts.WINDOW})"}}


def _sized(name: str, value: Any) -> Any:
    if name in SIZES:
        return {"expr": charts.LETTERS}
    if name in DISTANCES and isinstance(value, int | float):
        return 2 * value
    if name in DISTANCES and isinstance(value, dict) and "expr" in value:
        by_letters = charts.LETTERS in value["expr"]  # and so it grows with them
        return value if by_letters else {"expr": f"2 * ({value['expr']})"}
    if name == "strokeWidth" and "range" in value.get("scale", {}):
        widths = [2 * width for width in value["scale"]["range"]]
        return value | {"scale": value["scale"] | {"range": widths}}
    return _grown(value)
