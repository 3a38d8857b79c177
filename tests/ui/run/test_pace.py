"""A page draws less while the CPU of this machine is timed, and says so."""

from __future__ import annotations

import pytest

from cnnlab.spec import PRESETS, DeviceFacts, change
from cnnlab.ui import live
from tests.example_runs import epoch, started
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
