"""Charts whose words are read from the back row."""

from __future__ import annotations

from typing import Any

from cnnlab.charts import Spec

LETTERS = 28
"""Pixels of the smallest word on a projector 1920 wide."""
SIZES = frozenset({"fontSize", "labelFontSize", "titleFontSize"})
DISTANCES = frozenset({"dx", "dy", "labelLimit", "padding"})


def enlarged(spec: Spec) -> Spec:
    """A chart with every word at `LETTERS` or larger, and the distances that go with them doubled.

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
        "usermeta": {"embedOptions": {"renderer": "svg"}},
    }


def _grown(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _sized(name, value) for name, value in part.items()}
    return [_grown(one) for one in part] if isinstance(part, list) else part


def _sized(name: str, value: Any) -> Any:
    if name in SIZES:  # a size that goes by the window is smaller than this in any
        return max(value, LETTERS) if isinstance(value, int | float) else LETTERS
    if name in DISTANCES and isinstance(value, int | float):
        return 2 * value
    if name in DISTANCES and isinstance(value, dict) and "expr" in value:
        return {"expr": f"2 * ({value['expr']})"}
    return _grown(value)
