"""Figures beside the baseline's: points or times, and whether that is good."""

from __future__ import annotations

from typing import Any

from cnnlab import analysis
from cnnlab.analysis import Beside
from cnnlab.spec import RunCard
from tests.analysis.twelve_runs import TWELVE, run


def beside(*cards: RunCard) -> dict[str, list[Beside | None]]:
    return analysis.against_baseline(cards, analysis.results(cards, 0.1))


def timed(name: str, **timing: Any) -> RunCard:
    card = run(name, 10.0, 0.4)
    return card.model_copy(update={"timing": card.timing.model_copy(update=timing)})


def test_a_share_lies_points_apart_and_another_figure_so_many_times():
    base, other = run("a", 10.0, 0.30), run("b", 5.0, 0.45)
    found = beside(base, other)
    assert found["last_val_accuracy"] == [None, Beside("+15.0", 1.0)]
    steps = beside(timed("a", step_ms_median=20.0), timed("b", step_ms_median=10.0))
    assert steps["step_ms_median"] == [None, Beside("0.5×", 0.5)]
    rates = beside(timed("a", images_per_second=100.0), timed("b", images_per_second=25.0))
    assert rates["images_per_second"] == [None, Beside("0.25×", -1.0)]


def test_what_the_pictures_cannot_tell_is_written_and_not_tinted():
    found = beside(run("a", 10.0, 0.400), run("b", 10.0, 0.405))
    assert found["last_val_accuracy"][1] == Beside("+0.5", 0.0)
    steps = beside(timed("a", step_ms_median=20.0), timed("b", step_ms_median=20.4))
    assert steps["step_ms_median"][1] == Beside("1.02×", -0.0)


def test_what_cannot_be_held_against_each_other_has_no_difference():
    short = run("b", 10.0, 0.4)
    short = short.model_copy(update={"epochs": short.epochs[:2]})
    whole = timed("a", fit_seconds=40.0)
    found = beside(whole, short.model_copy(update={"timing": whole.timing}))
    assert found["fit_seconds"] == [None, None]
    other = beside(TWELVE["base"], TWELVE["digits"])
    assert {each for column in other.values() for each in column} == {None}


def test_a_figure_that_is_not_known_has_no_difference():
    found = beside(timed("a", step_ms_median=20.0), timed("b", step_ms_median=None))
    assert found["step_ms_median"] == [None, None]
