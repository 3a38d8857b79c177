"""Accuracy against time: repeats as one point, and the front of what nothing beats."""

from __future__ import annotations

import pytest

from cnnlab import analysis
from tests.analysis.twelve_runs import TWELVE, run


def test_runs_that_differ_in_their_seed_alone_are_one_point_with_mean_and_spread():
    cards = [run(f"seed {n}", 10.0, 0.40 + n / 100, asked={"seed": n}) for n in range(3)]
    [group] = analysis.repeats(cards, ["a", "b", "c"])
    assert group.runs == ("seed-0", "seed-1", "seed-2")
    assert group.accuracy == pytest.approx(0.41)
    assert group.spread == pytest.approx(0.01)
    assert group.time == pytest.approx(50.0)
    assert analysis.said(group) == "41 % ± 1 over 3 runs in 50 s each"
    row = analysis.front_frame([group]).iloc[0]
    assert (row["least"], row["most"], row["runs"]) == pytest.approx((0.40, 0.42, 3))


def test_on_the_front_stands_what_nothing_beats_in_both():
    names = ("base", "half", "large", "slim", "host")
    found = analysis.repeats([TWELVE[name] for name in names], names)
    # slim is slower than large and less accurate; base and half each give time for accuracy.
    assert {group.name for group in found if group.on_front} == {"base", "half", "large", "host"}
    assert {group.name for group in found if not group.on_front} == {"slim"}


def test_other_work_and_runs_without_an_accuracy_are_left_out():
    bare = TWELVE["half"].model_copy(update={"epochs": ()})
    found = analysis.repeats([TWELVE["base"], TWELVE["digits"], bare], ["a", "b", "c"])
    assert [group.name for group in found] == ["a"]
    assert analysis.repeats([], []) == []
