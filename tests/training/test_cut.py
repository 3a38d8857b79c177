"""A run that is ended after so many seconds, as it was meant to."""

from __future__ import annotations

import pytest

from cnnlab.spec import Event, RunEnded, Status, Window
from cnnlab.training import Cut, Turns
from cnnlab.training.cut import LEAST_STEPS


class Run:
    """A run that somebody may stop, on a made-up clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float | None) -> None:
        self.now, self.wished = 0.0, False
        self.said: list[Event] = []
        monkeypatch.setattr("cnnlab.training.cut.time.monotonic", lambda: self.now + 1000)
        self.cut = Cut(seconds, self.said.append, lambda: self.wished)

    def steps(self, count: int, seconds: float) -> None:
        self.now += seconds
        ms = (1e3 * seconds / count,) * count
        window = Window(epoch=1, first_step=1, step_ms=ms, seconds=1, loss=1, accuracy=0)
        self.cut.emit(window)

    def end(self) -> Status:
        self.cut.emit(RunEnded(status=Status.STOPPED))
        return self.said[-1].status  # type: ignore[union-attr]


def test_a_run_is_cut_when_its_seconds_of_training_are_over(monkeypatch) -> None:
    run = Run(monkeypatch, 3.0)
    run.now = 60.0  # loading, building and the first step do not count
    run.steps(1, 20.0)
    run.steps(LEAST_STEPS, 2.0)
    assert not run.cut.stop()
    run.now += 1.0
    assert run.cut.stop()
    assert run.end() is Status.FINISHED


def test_the_turns_of_others_do_not_count(monkeypatch) -> None:
    run = Run(monkeypatch, 3.0)
    turns = Turns(1.0, run.said.append, lambda: None)
    run.cut = Cut(3.0, run.said.append, lambda: False, turns)
    run.steps(LEAST_STEPS, 1.0)
    run.now, turns.held_seconds = run.now + 5.0, 4.0
    assert not run.cut.stop()
    run.now += 2.0
    assert run.cut.stop()


def test_a_run_of_few_slow_steps_is_given_time_for_more(monkeypatch) -> None:
    run = Run(monkeypatch, 3.0)
    run.steps(1, 10.0)
    run.steps(1, 10.0)
    assert not run.cut.stop()
    run.steps(LEAST_STEPS - 2, 10.0)
    assert run.cut.stop()


def test_a_run_that_somebody_stops_was_stopped(monkeypatch) -> None:
    run = Run(monkeypatch, 3.0)
    run.steps(LEAST_STEPS, 1.0)
    run.wished = True
    assert run.cut.stop()
    assert run.end() is Status.STOPPED


def test_without_a_cut_a_run_is_left_alone(monkeypatch) -> None:
    run = Run(monkeypatch, None)
    run.steps(LEAST_STEPS, 1e6)
    assert not run.cut.stop()
    assert len(run.said) == 1
