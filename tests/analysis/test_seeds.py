"""What repeats over seeds came to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

from cnnlab.analysis.seeds import Spread, over_seeds
from cnnlab.spec import PRESETS, Status, Timing, repeats_of


@dataclass
class Run:
    last_val_accuracy: float | None
    status: Status = Status.FINISHED
    timing: Timing = field(default_factory=lambda: Timing(fit_seconds=2.0))


def test_mean_and_spread_are_told_of_the_finished_runs() -> None:
    stopped = Run(0.9, Status.STOPPED)
    found = over_seeds([Run(0.40), Run(0.42), Run(0.44), stopped])
    assert found.val_accuracy.mean == pytest.approx(0.42)
    assert found.val_accuracy.deviation == pytest.approx(0.02)
    assert (found.val_accuracy.low, found.val_accuracy.high) == (0.40, 0.44)
    assert found.val_accuracy.runs == 3
    assert found.fit_seconds.deviation == 0
    assert found.sentence == (
        "Over 3 seeds: validation accuracy 42 %, give or take 2 points from seed to seed "
        "(40 % to 44 %)."
    )


def test_one_run_has_no_spread_and_none_has_nothing() -> None:
    found = over_seeds([Run(0.4)])
    assert found.val_accuracy.deviation is None
    assert found.sentence == ("Over one seed: validation accuracy 40 %; one run has no spread.")
    assert over_seeds([]).val_accuracy is None
    assert over_seeds([Run(None)]).sentence == ""


def test_a_run_that_diverged_is_no_figure() -> None:
    assert Spread.of([0.4, math.nan, 0.5]).runs == 2


def test_repeats_are_one_spec_with_other_seeds_and_belong_together() -> None:
    spec = PRESETS["tiny"].spec.model_copy(update={"seed": 2**32 - 1})
    found = list(repeats_of(spec, 3, "g", "name"))
    assert [each.seed for each, _ in found] == [2**32 - 1, 0, 1]
    assert len({each.model_copy(update={"seed": 0}).model_dump_json() for each, _ in found}) == 1
    assert [part.turn for _, part in found] == [0, 1, 2]
    assert {(part.kind, part.group_id, part.group) for _, part in found} == {
        ("repeats", "g", "name")
    }
