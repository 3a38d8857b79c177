"""Two runs that answered the same pictures are held against each other picture by picture."""

from __future__ import annotations

import pytest

from cnnlab import analysis
from cnnlab.spec import Exam, Paired, RunCard
from tests.analysis.twelve_runs import run

BETTER = Paired(both=3_000, only_first=130, only_second=280, neither=4_090)
ALIKE = Paired(both=3_000, only_first=200, only_second=210, neither=4_090)


def two(first: float, second: float, **tests: Exam) -> tuple[RunCard, RunCard]:
    """Of 7,500 validation pictures each."""
    one, other = run("base", 21.0, first), run("again", 21.0, second, asked={"seed": 1})
    return (
        one.model_copy(update={"test": tests.get("one")}),
        other.model_copy(update={"test": tests.get("other")}),
    )


def cards_of(paired: Paired) -> tuple[RunCard, RunCard]:
    count = sum(paired)
    return two(
        (paired.both + paired.only_first) / count, (paired.both + paired.only_second) / count
    )


def test_the_same_pictures_tell_what_two_counts_cannot():
    cards = cards_of(BETTER)
    apart = analysis.between(*cards).accuracy
    paired = analysis.between(*cards, {"validation": BETTER}).accuracy
    assert paired.difference == apart.difference == pytest.approx(0.02)
    assert paired.high - paired.low < apart.high - apart.low
    assert paired.chance < 1e-9
    assert paired.told
    assert analysis.verdict(*cards, {"validation": BETTER}).count("McNemar p < 0.0001") == 1
    assert "right alone about 130 and 280 of the same" in analysis.verdict(
        *cards, {"validation": BETTER}
    )


def test_a_difference_by_chance_is_called_so():
    found = analysis.between(*cards_of(ALIKE), {"validation": ALIKE}).accuracy
    assert found.chance > 0.5
    assert not found.told
    said = analysis.verdict(*cards_of(ALIKE), {"validation": ALIKE})
    assert "within what 7,500 pictures can tell (right alone about 200 and 210" in said


def test_pairs_of_other_pictures_than_those_behind_the_difference_are_left_aside():
    found = analysis.between(*cards_of(BETTER), {"validation": Paired(1, 2, 3, 4)}).accuracy
    assert found.paired is None
    assert found.chance is None
    assert found.low is not None


def test_the_test_set_is_told_beside_the_validation():
    tests = {
        "one": Exam(loss=1.0, accuracy=0.40, images=10_000),
        "other": Exam(loss=0.9, accuracy=0.43, images=10_000),
    }
    cards = two(0.41, 0.41, **tests)
    found = analysis.between(*cards).test
    assert found.difference == tests["other"].accuracy - tests["one"].accuracy
    assert found.told
    said = analysis.verdict(*cards)
    assert "On the test set" in said
    assert "40 %" in said
    assert "43 %" in said
    paired = analysis.between(*cards, {"test": Paired(3_900, 100, 400, 5_600)}).test
    assert paired.paired.only_second == 400
    assert paired.low > found.low


def test_one_test_figure_alone_is_no_verdict():
    cards = two(0.41, 0.41, one=Exam(loss=1.0, accuracy=0.4, images=10_000))
    assert analysis.between(*cards).test is None
    assert "test set" not in analysis.verdict(*cards)
