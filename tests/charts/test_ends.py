"""The names at the ends of a run's lines: each by its own line, none upon another."""

from __future__ import annotations

import re
from itertools import combinations, product

import pandas as pd
import pytest
import vl_convert

from cnnlab import charts
from cnnlab.charts.dress import LETTERS, SPLITS
from cnnlab.charts.one_run import ROOM

WIDTH, HEIGHT, LETTER, PROJECTOR = 700, 420, 14, 20  # pixels
NAMES = (*SPLITS, charts.BEFORE)
ROW = 1.1 * LETTER
ENDS = (0.02, 0.06, 0.5, 0.53, 1.0)


def placed(
    ends: dict[str, float],
    last: float = 4.0,
    until: float | None = None,
    letter: int = LETTER,
) -> dict[str, tuple[float, float]]:
    """Where each name stands in the drawing, whose lines end at these shares; pixels.

    Args:
        until: where the axis of a run on its way ends.
    """
    rows = [(last, end, name) for name, end in ends.items()]
    begun = [(0.0, 0.0, name) for name in ends]
    frame = pd.DataFrame(begun + rows, columns=["x", "value", "split"])
    spec = charts.curve_spec("accuracy", "epoch", "#2121FF", HEIGHT, until)
    no_page = {LETTERS, "uncovered"}
    sized = [part for part in spec["params"] if part["name"] not in no_page]
    if until:
        sized.append({"name": "uncovered", "value": charts.FAR})
    spec = spec | {"params": [*sized, {"name": LETTERS, "value": letter}], "width": WIDTH}
    svg = vl_convert.vegalite_to_svg(spec | {"datasets": {"source": frame.to_dict("records")}})
    found = re.findall(r'<text[^>]*translate\(([^,]+),([^)]+)\)"[^>]*>([^<]*)</text>', svg)
    return {name: (float(x), float(y)) for x, y, name in found if name in NAMES}


@pytest.mark.parametrize("until", [None, 4.0, 10.0])
@pytest.mark.parametrize("training", ENDS)
def test_no_name_lies_upon_another_wherever_the_lines_end(
    training: float, until: float | None
) -> None:
    """Finished, in its last epoch, and with room for names beyond the ends."""
    for validation, before in product(ENDS, ENDS):
        ends = dict(zip(NAMES, (training, validation, before), strict=True))
        found = placed(ends, until=until)
        assert set(found) == set(NAMES)
        heights = sorted(y for _, y in found.values())
        assert min(b - a for a, b in combinations(heights, 2)) >= ROW, ends
        assert heights[0] > 0, ends
        assert heights[-1] < HEIGHT, ends


@pytest.mark.parametrize("pixels", range(8, 40, 4))
def test_of_a_run_on_its_way_two_names_stand_apart_whichever_line_leads(pixels: int) -> None:
    lower = 0.6 - pixels / (HEIGHT - 2 * ROOM)
    for ends in ({"training": 0.6, "validation": lower}, {"training": lower, "validation": 0.6}):
        (_, one), (_, other) = placed(ends, until=10.0).values()
        assert abs(one - other) >= ROW + pixels / 2, ends


@pytest.mark.parametrize("until", [None, 10.0])
def test_on_a_projector_the_uppermost_and_the_lowest_name_stay_within_the_chart(
    until: float | None,
) -> None:
    for ends in ({"training": 1.0, "validation": 0.98}, dict.fromkeys(NAMES, 0.0)):
        for _, baseline in placed(ends, until=until, letter=PROJECTOR).values():
            middle = baseline - 0.3 * PROJECTOR
            assert 0.4 * PROJECTOR <= middle <= HEIGHT - 0.4 * PROJECTOR, ends


def test_names_stand_in_the_order_in_which_their_lines_end() -> None:
    found = placed({"training": 0.9, "validation": 0.52, charts.BEFORE: 0.5})
    assert sorted(found, key=lambda name: found[name][1]) == list(NAMES)
    turned = placed({"training": 0.5, "validation": 0.52, charts.BEFORE: 0.9})
    assert sorted(turned, key=lambda name: turned[name][1]) == list(reversed(NAMES))


def test_the_validation_leads_and_an_earlier_run_lies_between_it_and_the_training() -> None:
    ends = dict(zip(NAMES, (0.9, 0.6, 0.3), strict=True))
    rows = [(x, end, name) for name, end in ends.items() for x in (0.0, 1.0)]
    frame = pd.DataFrame(rows, columns=["x", "value", "split"])
    spec = charts.curve_spec("accuracy", "epoch", "#2121FF") | {"width": WIDTH}
    svg = vl_convert.vegalite_to_svg(spec | {"datasets": {"source": frame.to_dict("records")}})
    drawn = r'split: ([^"]+)"[^>]*line mark[^>]*stroke-width="([^"]+)" opacity="([^"]+)"'
    found = {name: (float(wide), float(strong)) for name, wide, strong in re.findall(drawn, svg)}
    assert found["training"] < found[charts.BEFORE] < found["validation"] == (3, 1)


def test_a_name_of_two_or_one_is_there_too() -> None:
    assert set(placed({"training": 0.5, "validation": 0.5})) == set(SPLITS)
    assert set(placed({"validation": 0.5})) == {"validation"}


def test_a_line_that_ends_in_no_number_bears_its_name_at_the_last_that_is_one() -> None:
    found = placed({"training": 0.5, "validation": float("nan")})
    assert found["validation"][0] < found["training"][0]


def test_a_name_between_two_leaves_its_line_where_the_next_is_farther() -> None:
    below = placed({"training": 0.5, "validation": 0.505, charts.BEFORE: 0.1})["training"]
    above = placed({"training": 0.505, "validation": 0.5, charts.BEFORE: 1.01})["training"]
    for (_, found), end, side in ((below, 0.5 / 0.505, 1), (above, 0.505 / 1.01, -1)):
        line = HEIGHT - ROOM - end * (HEIGHT - 2 * ROOM)
        middle = found - 0.3 * LETTER  # of a word, over its baseline
        assert side * (middle - line) >= 0.7 * LETTER


@pytest.mark.parametrize("until", [None, 10.0])
def test_the_room_for_names_is_known_before_the_axis_is_laid_out(until: float | None) -> None:
    """A browser lays the axis out before what follows the window: its labels would be cut."""
    spec = charts.curve_spec("accuracy", "epoch", "#2121FF", until=until)
    assert spec["layer"][0]["encoding"]["y"]["scale"]["padding"] == ROOM


@pytest.mark.parametrize("validation", [0.4, 0.53, 0.55, 0.7])
def test_the_names_beside_a_gap_stand_on_the_sides_on_which_their_lines_end(
    validation: float,
) -> None:
    columns = {"epoch": [1, 2], "accuracy": [0.2, 0.54], "val_accuracy": [0.3, validation]}
    frame = pd.DataFrame(columns)
    spec = charts.gap_spec("#2121FF") | {"width": WIDTH}
    svg = vl_convert.vegalite_to_svg(spec | {"datasets": {"source": frame.to_dict("records")}})
    found = re.findall(r'<text[^>]*translate\([^,]+,([^)]+)\)"[^>]*>([^<]*)</text>', svg)
    heights = {name: float(y) for y, name in found if name in SPLITS}
    assert set(heights) == set(SPLITS)
    assert abs(heights["training"] - heights["validation"]) >= ROW
    assert (heights["training"] < heights["validation"]) == (validation < 0.54)


@pytest.mark.parametrize(
    "spec", [charts.gap_spec("#2121FF"), charts.curve_spec("loss", "epoch", "#2121FF")]
)
def test_a_label_that_would_be_cut_at_the_end_of_the_axis_is_left_out(spec: charts.Spec) -> None:
    layer = spec["layer"][0]
    while "layer" in layer:
        layer = layer["layer"][0]
    assert layer["encoding"]["y"]["axis"]["labelBound"]
