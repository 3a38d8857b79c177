"""A run that takes turns learns what it would alone, and counts no time that it held."""

from __future__ import annotations

import time

import pytest

from cnnlab.spec import PRESETS, EpochEnded, Event, PhaseChanged, RunEnded, Status, Window, change
from cnnlab.training import Turns, train

SPEC = change(PRESETS["tiny"].spec, train_limit=400, epochs=2, device="cpu", threads=1)
PAUSE_SECONDS = 0.2


class Others:
    """They have the machine for a while at every turn."""

    def __init__(self) -> None:
        self.turns = 0

    def wait(self) -> None:
        self.turns += 1
        time.sleep(PAUSE_SECONDS)


def fit(engine: str, turns: Turns | None, events: list[Event], stop=lambda: False) -> float:
    """Seconds that the call took."""
    began = time.monotonic()
    spec = change(SPEC, engine=engine)
    train(spec, events.append, stop, launched_at=began, turns=turns)
    return time.monotonic() - began


def of(kind: type, events: list[Event]) -> list:
    return [event for event in events if isinstance(event, kind)]


@pytest.mark.parametrize("engine", ["stock", "fast"])
def test_what_it_learns_and_what_it_counts(engine: str) -> None:
    alone: list[Event] = []
    fit(engine, None, alone)
    others, events = Others(), list[Event]()
    turns = Turns(1e-9, events.append, others.wait)  # every step is a turn
    took = fit(engine, turns, events)
    assert others.turns == 22 == sum(len(window.step_ms) for window in of(Window, events))
    assert turns.held_seconds >= others.turns * PAUSE_SECONDS
    losses = [[event.row.loss for event in of(EpochEnded, told)] for told in (alone, events)]
    assert losses[0] == losses[1]
    (ended,) = of(RunEnded, events)
    rest = took - turns.held_seconds  # so much at most was the run's own
    assert ended.timing.fit_seconds <= rest
    assert sum(event.row.seconds for event in of(EpochEnded, events)) <= rest
    assert of(Window, events)[-1].seconds <= rest
    assert sum(sum(window.step_ms) for window in of(Window, events)) <= 1e3 * rest
    assert ended.disturbances.seconds <= rest
    timing = ended.timing
    assert timing.held_seconds == turns.held_seconds  # said as what it is, and as nothing else
    own = ("startup", "data", "build", "warmup", "train", "validation", "other")
    seconds = [getattr(timing, f"{part}_seconds") for part in own]
    assert all(0 <= value <= rest for value in seconds)
    assert sum(seconds) + timing.held_seconds == pytest.approx(timing.total_seconds)
    assert turns.held_seconds < timing.total_seconds <= took  # the wall clock stays true
    assert of(RunEnded, alone)[0].timing.held_seconds is None
    phases = [event.phase for event in of(PhaseChanged, events)]
    assert phases.count("holding") == others.turns


def test_who_is_stopped_while_it_holds_takes_no_step_more() -> None:
    events: list[Event] = []
    turns = Turns(1e-9, events.append, lambda: None)

    def stop() -> bool:
        return sum(isinstance(e, PhaseChanged) and e.phase == "holding" for e in events) == 3

    fit("fast", turns, events, stop)
    (ended,) = of(RunEnded, events)
    assert ended.status is Status.STOPPED
    assert sum(len(window.step_ms) for window in of(Window, events)) == 2
