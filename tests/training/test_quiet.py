"""An epoch is told without what others took of its cores, and only where that is known."""

from __future__ import annotations

import time

import pytest

from cnnlab.analysis.runs import epoch_seconds
from cnnlab.spec import PRESETS, Epoch, EpochEnded, change
from cnnlab.training import quiet, train
from cnnlab.training.quiet import Slice, Slices, quiet_seconds

STEP = 0.05


def slices(count, waited=0.0, slower=1.0):
    return [Slice(1, STEP * slower, waited) for _ in range(count)]


def test_an_epoch_that_waited_for_nothing_is_what_it_took():
    assert quiet_seconds(6.0, slices(100), slices(20)) == 6.0


def test_steps_beside_a_refresh_count_as_the_others():
    """Every third step took half as long again, for one of its threads waited."""
    training = (slices(2) + slices(1, waited=0.02, slower=1.5)) * 40
    seconds = sum(part.seconds for part in training) + 0.3
    assert quiet_seconds(seconds, training, []) == pytest.approx(120 * STEP + 0.3)


def test_waiting_that_cost_nothing_takes_nothing_away():
    training = slices(50) + slices(50, waited=0.02)
    assert quiet_seconds(5.0, training, []) == pytest.approx(5.0)


def test_beside_a_core_that_never_rests_there_is_no_quiet_step():
    assert quiet_seconds(9.0, slices(100, waited=0.02, slower=1.5), []) is None


def test_too_few_quiet_steps_say_nothing():
    training = slices(9) + slices(91, waited=0.02, slower=1.5)
    assert quiet_seconds(9.0, training, []) is None


def test_what_a_runs_own_threads_wait_for_each_other_is_no_disturbance():
    training = slices(100, waited=0.01 * STEP) + slices(20, waited=0.5 * STEP, slower=2.0)
    seconds = sum(part.seconds for part in training)
    assert quiet_seconds(seconds, training, []) == pytest.approx(120 * STEP)


def test_validation_has_slices_of_its_own():
    validation = slices(10) + slices(10, waited=0.02, slower=2.0)
    seconds = sum(part.seconds for part in slices(100) + validation)
    assert quiet_seconds(seconds, slices(100), validation) == pytest.approx(120 * STEP)


def test_a_short_validation_was_held_up_as_training_was():
    training = slices(50) + slices(50, waited=0.02, slower=2.0)
    validation = [Slice(4, 2 * STEP, 0.03)]
    seconds = sum(part.seconds for part in training) + 2 * STEP
    assert quiet_seconds(seconds, training, validation) == pytest.approx(101 * STEP)


def test_without_schedulers_counts_nothing_is_known():
    unknown = Slices()
    for _ in range(3):
        unknown.mark()
    unknown.close()
    assert unknown.done == []
    assert quiet_seconds(1.0, [], []) is None


def test_slices_are_cut_at_steps_and_hold_all_of_them(monkeypatch):
    clock = iter([10.0, 10.015, 10.03, 10.05, 10.055, 10.055])
    monkeypatch.setattr(quiet, "time", type("", (), {"perf_counter": lambda: next(clock)}))
    stretch = Slices()
    stretch.waited = iter([9.9, 0.001, 0.002, 0.003]).__next__
    for _ in range(4):
        stretch.mark()
    stretch.close()
    assert [part.steps for part in stretch.done] == [2, 1, 1]
    assert [part.waited for part in stretch.done] == [0.001, 0.002, 0.003]
    assert sum(part.seconds for part in stretch.done) == pytest.approx(0.055)


def test_a_real_run_tells_it_and_verdicts_rest_on_it():
    spec = change(PRESETS["tiny"].spec, train_limit=600, epochs=2, device="cpu")
    events = []
    ended = train(spec, events.append, lambda: False, launched_at=time.monotonic())
    rows = [event.row for event in events if isinstance(event, EpochEnded)]
    known = [row.quiet_seconds for row in rows]
    assert all(
        value is None or 0 < value <= row.seconds for value, row in zip(known, rows, strict=True)
    )
    if all(known) and ended.disturbances.other_load_share:
        assert not any("took its cores" in mark for mark in ended.disturbances.marks)


def test_the_figure_that_is_compared_is_the_quiet_one_where_there_is_one():
    figures = dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy", "step_ms_mean"), 1.0)
    rows = [Epoch(epoch=n, seconds=3.0, quiet_seconds=2.0, **figures) for n in (1, 2)]
    assert epoch_seconds(rows, warm=True) == 2.0
    rows = [row.model_copy(update={"quiet_seconds": None}) for row in rows]
    assert epoch_seconds(rows, warm=True) == 3.0
