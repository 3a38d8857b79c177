"""A page draws less while the CPU of this machine is timed, and says so; its figures add up."""

from __future__ import annotations

import pytest

from cnnlab.spec import PRESETS, DeviceFacts, change
from cnnlab.ui import live
from cnnlab.ui.achieved import adds_up
from tests.example_runs import add_run, epoch, started
from tests.quiet_lab import own_history, page, said

TINY = change(PRESETS["tiny"].spec, epochs=3)


@pytest.mark.parametrize(
    ("device", "seconds"), [("cpu", live.TIMED_SECONDS), ("cuda:0", live.REFRESH_SECONDS)]
)
def test_a_timed_cpu_is_drawn_less_often_and_the_page_says_why(
    quiet_lab, monkeypatch, device, seconds
):
    paces = []
    every = live.every
    monkeypatch.setattr(live, "every", lambda pace, *rest: (paces.append(pace), every(pace, *rest)))
    history = own_history()
    run_id = history.create(TINY, name="Timed", session="today")
    run = quiet_lab.add(run_id, TINY)
    facts = DeviceFacts(requested=device, used=device, name="Example")
    for event in (started(TINY, facts), *epoch(1, 12.0)):
        run.apply(event)
        history.record(run_id, event)
    text = said(page("train", run=run_id), "caption")
    assert seconds in paces
    assert ("while the CPU is timed" in text) == (device == "cpu")
    history.close()


def test_epochs_are_said_to_make_up_the_whole():
    """One of 0.879 s, eight of them and 21.8 s in all: the first was compiled."""
    history = own_history()
    card = history.card(add_run(history, epochs=3))
    seconds = (15.5, 0.9, 0.85)
    rows = [
        row.model_copy(update={"seconds": each})
        for row, each in zip(card.epochs, seconds, strict=True)
    ]
    timing = card.timing.model_copy(update={"fit_seconds": 21.8})
    told = adds_up(card.model_copy(update={"epochs": tuple(rows), "timing": timing}))
    assert told == (
        "The first epoch took 15.5 s, with the warm-up; the other 2 1.75 s; "
        "4.55 s lay between or after them: 21.8 s in all."
    )
    history.close()
