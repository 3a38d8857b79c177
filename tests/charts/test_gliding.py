"""The curves of a run that grows: what is new lies under a veil, and the axes stand still."""

from __future__ import annotations

import copy
import json
import re

import pandas as pd
import pytest
import vl_convert

from cnnlab import analysis, charts
from cnnlab.charts.gliding import FAR
from tests.analysis.pretend import Pretend

UNTIL, STEPS = 10.0, 60
RUN = Pretend(3, STEPS)


def curves(metric: analysis.Metric = "accuracy") -> pd.DataFrame:
    both = analysis.curves(RUN.series(), RUN.rows(), STEPS, "epoch")
    return analysis.only(both, metric).sort_values("x")


def drawn(frame: pd.DataFrame, metric: analysis.Metric = "accuracy", reached: float = FAR) -> str:
    """The chart as a browser draws it that has uncovered it so far."""
    spec = copy.deepcopy(charts.curve_spec(metric, "epoch", charts.CPU, until=UNTIL))
    rows = frame.astype(object).to_dict("records")
    vega = vl_convert.vegalite_to_vega(spec | {"datasets": {"source": rows}, "width": 600})
    for change in spec["usermeta"]["embedOptions"]["patch"]:
        assert (change["op"], change["path"]) == ("add", "/signals/-")
        vega["signals"].append(change["value"])
        if change["value"]["name"] == "reached":
            change["value"]["value"] = reached
    return vl_convert.vega_to_svg(vega)


def veil_width(svg: str) -> float:
    (path,) = re.findall(r'aria-roledescription="rect mark"[^>]*? d="([^"]+)"', svg)
    found = re.search(r"h(-?[\d.]+)", path)
    return abs(float(found.group(1))) if found else 0.0


def test_all_is_shown_until_something_new_comes_and_what_is_new_is_hidden_at_first() -> None:
    assert veil_width(drawn(curves())) == 0
    hidden = veil_width(drawn(curves(), reached=2.0))
    epoch, point = (600 - 16) / UNTIL, 6
    assert hidden == pytest.approx(epoch + point, rel=0.02)


def test_the_horizontal_axis_ends_where_the_run_will() -> None:
    labels = re.findall(r">(\d+)<", drawn(curves()))
    assert {"0", "10"} <= set(labels)


def test_a_chart_without_data_yet_is_drawn_too() -> None:
    assert "<svg" in drawn(curves().iloc[:0])


@pytest.mark.parametrize(("most", "top"), [(0.7, "100%"), (0.3, "50%"), (0.04, "20%")])
def test_the_axis_of_accuracy_ends_at_a_round_share(most: float, top: str) -> None:
    frame = curves()
    frame["value"] *= most / frame["value"].max()
    labels = re.findall(r">([\d.]+%)<", drawn(frame))
    assert max(labels, key=lambda label: float(label[:-1])) == top


def test_the_names_of_a_short_line_stand_behind_its_end_where_there_is_room() -> None:
    early = drawn(curves().query("x < 1.1"))
    late = drawn(curves().assign(x=lambda frame: 3 * frame["x"]))
    assert 'text-anchor="end"' not in re.findall(r"<text[^>]*>training<", early)[0]
    assert 'text-anchor="end"' in re.findall(r"<text[^>]*>training<", late)[0]


def test_a_run_that_is_over_has_no_veil() -> None:
    spec = charts.curve_spec("accuracy", "epoch", charts.CPU)
    assert "patch" not in spec["usermeta"]["embedOptions"]
    assert charts.GLIDE not in json.dumps(spec)
