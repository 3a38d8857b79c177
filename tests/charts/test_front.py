"""Names that lie upon nothing: of the points on a front, and of classes along the bottom."""

from __future__ import annotations

import re
from itertools import pairwise

import pandas as pd
import pytest
import vl_convert

from cnnlab import charts
from cnnlab.charts.dress import LETTERS

LETTER, WIDTH = 14, 460  # pixels
TEXT = r'<text[^>]*?translate\([^,]+,([^)]+)\)([^"]*)"[^>]*>([^<]*)</text>'


def words(spec: charts.Spec, frame: pd.DataFrame, width: int) -> list[tuple[float, str, str]]:
    """Of each word of a drawing: how far down it stands, its angle, and the word."""
    params = [part for part in spec["params"] if part["name"] != LETTERS]
    spec = spec | {"params": [*params, {"name": LETTERS, "value": LETTER}], "width": width}
    rows = frame.astype(object).to_dict("records")
    svg = vl_convert.vegalite_to_svg(spec | {"datasets": {"source": rows}})
    return [(float(y), angle, word) for y, angle, word in re.findall(TEXT, svg)]


@pytest.mark.parametrize("rise", [0.0, 0.02, 0.1, 0.4])
def test_names_of_two_neighbours_on_a_front_stand_apart(rise: float) -> None:
    ids = ("first", "second")
    frame = pd.DataFrame(
        {
            "first": ids,
            "name": [f"Tiny, the {name} of them" for name in ids],
            "seconds": [1.0, 1.6],
            "accuracy": [0.5, 0.5 + rise],
            "least": [0.5, 0.5 + rise],
            "most": [0.5, 0.5 + rise],
            "parameters": [1000, 2000],
            "front": "on the front",
            "said": "",
            "size": "",
        }
    )
    spec = charts.front_spec(tuple((name, charts.CPU) for name in ids))
    heights = sorted(y for y, _, word in words(spec, frame, WIDTH) if word.startswith("Tiny"))
    assert len(heights) == 2
    assert all(below - above >= 1.1 * LETTER for above, below in pairwise(heights))


@pytest.mark.parametrize(("width", "slanted"), [(330, True), (1000, False)])
def test_long_names_of_few_classes_slant_where_they_would_meet(width: int, slanted: bool) -> None:
    names = tuple(f"{one} then {two}" for one in "123" for two in "123" if one != two)
    names = tuple(f"{name} then {name[0]}" for name in names)
    rows = [(true, said) for true in names for said in names]
    frame = pd.DataFrame(rows, columns=["true_name", "said_name"])
    frame = frame.assign(count=1, share=0.2, right=frame["true_name"] == frame["said_name"])
    frame = frame.assign(truth=0, said=0)
    found = words(charts.confusion_spec(names), frame, width)
    assert any("rotate(-45)" in angle for _, angle, _ in found) == slanted


@pytest.mark.parametrize("lanes", [1, 3])
def test_beside_the_rows_of_a_race_there_is_room_for_its_axis_and_its_legend(lanes: int) -> None:
    lines, largest = 3, 20  # legend, labels and title, in a projector's letters
    assert charts.pairs_spec("first", lanes, 0.02)["height"] >= 50 * lanes + lines * 1.5 * largest
