"""Names that lie upon nothing: of the points on a front, and of classes along the bottom."""

from __future__ import annotations

import re
from itertools import pairwise

import pandas as pd
import pytest
import vl_convert

from cnnlab import charts
from cnnlab.charts.dress import LETTERS

LETTER, PROJECTOR, WIDTH = 14, 20, 460  # pixels
TEXT = r'<text[^>]*?translate\([^,]+,([^)]+)\)([^"]*)"[^>]*>([^<]*)</text>'


def drawn(spec: charts.Spec, frame: pd.DataFrame, width: int, letter: int = LETTER) -> str:
    params = [part for part in spec["params"] if part["name"] != LETTERS]
    spec = spec | {"params": [*params, {"name": LETTERS, "value": letter}], "width": width}
    rows = frame.astype(object).to_dict("records")
    return vl_convert.vegalite_to_svg(spec | {"datasets": {"source": rows}})


def words(
    spec: charts.Spec, frame: pd.DataFrame, width: int, letter: int = LETTER
) -> list[tuple[float, str, str]]:
    """Of each word of a drawing: how far down it stands, its angle, and the word."""
    svg = drawn(spec, frame, width, letter)
    return [(float(y), angle, word) for y, angle, word in re.findall(TEXT, svg)]


IDS = ("first", "second")
FRONT = charts.front_spec(tuple((name, charts.CPU) for name in IDS))


def two(rise: float, later: float = 1.6) -> pd.DataFrame:
    """Two runs on a front."""
    accuracy = [0.5, 0.5 + rise]
    return pd.DataFrame(
        {
            "first": IDS,
            "name": [f"Tiny, the {name} of them" for name in IDS],
            "seconds": [1.0, later],
            "accuracy": accuracy,
            "least": accuracy,
            "most": accuracy,
            "parameters": [1000, 2000],
            "front": "on the front",
            "said": "",
            "size": "",
        }
    )


@pytest.mark.parametrize("later", [1.2 + 0.01 * step for step in range(20)])
def test_no_label_stands_out_beyond_the_end_of_its_axis(later: float) -> None:
    """A browser that has laid a chart out would cut it there."""
    svg = drawn(FRONT, two(0.1, later), WIDTH)
    (labels, *_) = re.findall(r'role-axis-label".*?</g>', svg)
    ends = [
        float(x) + side * 0.2 * LETTER * len(label)
        for x, label in re.findall(
            r'<text text-anchor="middle"[^>]*?translate\(([^,]+),[^>]*opacity="1"[^>]*>([^<]+)<',
            labels,
        )
        for side in (-1, 1)
    ]
    assert ends
    assert min(ends) >= -1
    assert max(ends) <= WIDTH + 1


@pytest.mark.parametrize("rise", [0.0, 0.02, 0.1, 0.4])
def test_names_of_two_neighbours_on_a_front_stand_apart(rise: float) -> None:
    heights = sorted(y for y, _, word in words(FRONT, two(rise), WIDTH) if word.startswith("Tiny"))
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
    lines, largest = 3, 20  # legend, labels and title, in a projector's letters, well apart
    assert charts.pairs_spec("first", lanes, 0.02)["height"] >= 50 * lanes + lines * 2.2 * largest


@pytest.mark.parametrize("letter", [LETTER, PROJECTOR])
def test_names_of_classes_are_whole_on_a_projector_too(letter: int) -> None:
    names = tuple(f"striped yellow {shape}" for shape in ("disc", "triangle", "square"))
    rows = [(true, said) for true in names for said in names]
    frame = pd.DataFrame(rows, columns=["true_name", "said_name"])
    frame = frame.assign(count=1, share=0.2, right=False, truth=0, said=0)
    found = [word for *_, word in words(charts.confusion_spec(names), frame, 900, letter)]
    assert set(names) <= set(found)
    frame = pd.DataFrame({"name": names, "place": range(3)})
    frame = frame.assign(run="one", share=0.2, low=0.1, high=0.3, pictures=9)
    spec = charts.by_class_spec((("one", charts.CPU),), 3)
    assert set(names) <= {word for *_, word in words(spec, frame, 900, letter)}
