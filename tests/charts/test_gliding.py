"""What is new in the curves of a run that grows lies under a veil, which the page draws away."""

from __future__ import annotations

import copy
import re

import pytest
import vl_convert

from cnnlab import charts
from tests.charts.test_growing import UNTIL, curves

WIDTH, EDGES, POINT = 600, 16, 6  # pixels


def veil_width(uncovered: float) -> float:
    """Pixels that are hidden where a page has uncovered a run of three epochs so far."""
    spec = copy.deepcopy(charts.curve_spec("accuracy", "epoch", charts.CPU, until=UNTIL))
    for param in spec["params"]:
        if param["name"] == "uncovered":
            del param["bind"]  # there is no page
            param["value"] = uncovered
    rows = curves().sort_values("x").astype(object).to_dict("records")
    svg = vl_convert.vegalite_to_svg(spec | {"datasets": {"source": rows}, "width": WIDTH})
    (path,) = re.findall(r'aria-roledescription="rect mark"[^>]*? d="([^"]+)"', svg)
    found = re.search(r"h(-?[\d.]+)", path)
    return abs(float(found.group(1))) if found else 0.0


def test_all_is_shown_where_no_page_hides_what_is_new() -> None:
    assert veil_width(charts.FAR) == 0
    assert veil_width(3.0) == 0


def test_the_veil_reaches_from_what_is_uncovered_to_beyond_the_newest_point() -> None:
    epoch = (WIDTH - EDGES) / UNTIL
    assert veil_width(2.0) == pytest.approx(epoch + POINT, rel=0.02)


def test_a_run_that_is_over_has_no_veil() -> None:
    spec = charts.curve_spec("accuracy", "epoch", charts.CPU)
    assert "uncovered" not in [param["name"] for param in spec["params"]]


def test_the_ghost_is_never_hidden() -> None:
    """It reaches to the end of the axis, far beyond what is new."""
    spec = charts.curve_spec("accuracy", "epoch", charts.CPU, until=UNTIL)
    (veil,) = [layer for layer in spec["layer"] if layer["mark"]["type"] == "rect"]
    assert charts.BEFORE in veil["transform"][0]["filter"]
