"""A verdict for any two runs: its number, its grade and its sentence, for all pairs of twelve."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path

import pytest

from cnnlab import analysis
from cnnlab.analysis import Grade
from cnnlab.spec import RunCard
from tests.analysis.twelve_runs import CIFAR, MNIST, TWELVE, run

SAID = Path(__file__).with_name("twelve_verdicts.txt")
PAIRS = list(combinations(TWELVE.values(), 2))
EPOCH_SECONDS = {name: card.epochs[2].seconds for name, card in TWELVE.items()}


def expected() -> dict[tuple[str, str], tuple[str, str, str]]:
    """Of each pair the grade of its speed, that of its accuracy, and the sentence."""
    rows = [line.split(" | ") for line in SAID.read_text(encoding="utf-8").splitlines()]
    return {(one, other): (speed, accuracy, said) for one, other, speed, accuracy, said in rows}


def test_the_pairs_cover_every_grade():
    assert {analysis.between(a, b).speed.grade for a, b in PAIRS} == set(Grade)
    assert len(PAIRS) == len(expected()) == 66


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=lambda card: card.name)
def test_each_pair_has_its_sentence_and_its_grades(a: RunCard, b: RunCard):
    found = analysis.between(a, b)
    said = analysis.sentence(a, b, found)
    assert (found.speed.grade, found.accuracy.grade, said) == expected()[a.name, b.name]


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=lambda card: card.name)
def test_each_pair_has_its_numbers_unless_it_did_other_work(a: RunCard, b: RunCard):
    speed, accuracy = analysis.between(a, b).speed, analysis.between(a, b).accuracy
    if "digits" in (a.name, b.name):
        assert (speed.ratio, speed.low, speed.high, accuracy.difference) == (None,) * 4
        assert "other work" in speed.why
        return
    ratio = EPOCH_SECONDS[a.name] / EPOCH_SECONDS[b.name]
    assert speed.ratio == pytest.approx(ratio)
    # Epochs took 0.99 to 1.01 times as long; 90 % of them lie between the ends.
    assert (speed.low, speed.high) == pytest.approx((ratio * 0.991 / 1.009, ratio * 1.009 / 0.991))
    assert accuracy.difference == pytest.approx(
        b.epochs[-1].val_accuracy - a.epochs[-1].val_accuracy
    )
    assert accuracy.low < accuracy.difference < accuracy.high


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=lambda card: card.name)
def test_the_other_way_round_the_numbers_turn_and_the_grades_stay(a: RunCard, b: RunCard):
    one, other = analysis.between(a, b), analysis.between(b, a)
    assert (one.speed.grade, one.accuracy.grade) == (other.speed.grade, other.accuracy.grade)
    if one.speed.ratio:
        assert one.speed.ratio * other.speed.ratio == pytest.approx(1)
        assert one.speed.low * other.speed.high == pytest.approx(1)
        assert one.accuracy.low == pytest.approx(-other.accuracy.high)


def test_without_a_speed_the_one_thing_that_differs_is_still_named():
    one, other = (
        run(name, math.nan, 0.41, asked={"learning_rate": rate})
        for name, rate in (("slow", 0.001), ("quick", 0.1))
    )
    said = analysis.verdict(one, other)
    assert said.startswith("No speed to compare: an epoch took no time that could be measured;")
    assert "learning rate is 0.001 against 0.1" in said


@pytest.mark.parametrize(
    ("one", "other", "named"),
    [
        (
            "/home/ann/a.csv?window=8",
            "/srv/b.csv?window=8",
            "a.csv?window=8 against b.csv?window=8",
        ),
        ("/srv/birds/", r"C:\pictures\fish", "birds against fish"),
        (
            "a.csv?format=%d/%m/%Y",
            "b.csv?format=%d/%m/%Y",
            "a.csv?format=%d/%m/%Y against b.csv?format=%d/%m/%Y",
        ),
    ],
)
def test_other_data_are_named_by_their_files(one: str, other: str, named: str):
    cards = [run(f"On {name}", 1.0, 0.4, asked={"dataset": name}) for name in (one, other)]
    assert analysis.between(*cards).speed.grade is Grade.OTHER_WORK
    assert analysis.verdict(*cards).endswith(f": data set is {named}.")


def test_files_of_one_name_that_hold_other_data_are_named_whole():
    first, second = (
        run(name, 1.0, 0.4, asked={"dataset": f"/{name}/x.csv"}, dataset=facts)
        for name, facts in (("old", CIFAR), ("new", MNIST))
    )
    assert "data set is /old/x.csv against /new/x.csv" in analysis.verdict(first, second)
