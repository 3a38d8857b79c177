"""The curves of a run that grows: axes that stand still, and names that are never cut."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest
import vl_convert

from cnnlab import analysis, charts
from cnnlab.ui.room.letters import enlarged
from tests.analysis.pretend import Pretend

UNTIL, STEPS = 10.0, 60
RUN = Pretend(3, STEPS)


def curves() -> pd.DataFrame:
    both = analysis.curves(RUN.series(), RUN.rows(), STEPS, "epoch")
    return analysis.only(both, "accuracy")


def drawn(frame: pd.DataFrame) -> str:
    """The chart of accuracy as a browser draws it."""
    rows = frame.astype(object).to_dict("records")
    spec = charts.curve_spec("accuracy", "epoch", charts.CPU, until=UNTIL)
    return vl_convert.vegalite_to_svg(spec | {"datasets": {"source": rows}, "width": 600})


def test_the_horizontal_axis_ends_where_the_run_will() -> None:
    labels = re.findall(r">(\d+)<", drawn(curves()))
    assert {"0", "10"} <= set(labels)


def test_no_share_above_all_is_named_however_large_the_room_for_names_is() -> None:
    rows = curves().astype(object).to_dict("records")
    spec = enlarged(charts.curve_spec("accuracy", "epoch", charts.CPU, until=UNTIL))
    size = {"width": 900, "height": 480, "datasets": {"source": rows}}
    svg = vl_convert.vegalite_to_svg(spec | size)
    assert max(int(share) for share in re.findall(r">(\d+)%<", svg)) == 100


@pytest.mark.parametrize("until", [None, UNTIL])
def test_each_line_of_the_grid_has_its_label(until: float | None) -> None:
    """In the room for names, below nothing and beyond all, no line stands without one."""
    rows = curves().astype(object).to_dict("records")
    spec = enlarged(charts.curve_spec("accuracy", "epoch", charts.CPU, until=until))
    size = {"width": 900, "height": 480, "datasets": {"source": rows}}
    svg = vl_convert.vegalite_to_svg(spec | size)
    (grid,) = re.findall(r'<g class="mark-rule role-axis-grid"[^>]*>(.*?)</g>', svg)
    seen = [line for line in re.findall(r"<line[^>]*>", grid) if 'opacity="0"' not in line]
    assert len(seen) == len(re.findall(r">[\d.]+%<", svg))


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


@pytest.mark.parametrize(("metric", "most"), [("loss", 3450), ("accuracy", 4350)])
def test_what_is_sent_again_and_again_stays_small(metric: analysis.Metric, most: int) -> None:
    spec = charts.curve_spec(metric, "epoch", charts.CPU, charts.TALLEST, UNTIL)
    assert len(json.dumps(spec)) < most
