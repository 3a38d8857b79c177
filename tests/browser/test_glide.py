"""The curves of a run that trains glide on: what is new is uncovered from left to right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, expect

from cnnlab.history import History
from cnnlab.spec import Status
from tests.browser.patience import settled
from tests.example_runs import CARD, TINY, ended, epoch, started

# How often the page moves the edge of what is uncovered, for each time that something new comes.
COUNTS = """() => {
    window.glides = 0;
    window.moves = 0;
    document.addEventListener("animationstart", event => {
        if (event.animationName === "glide") window.glides += 1;
    }, true);
    document.querySelector("#glide").addEventListener("glide", () => { window.moves += 1; });
}"""
# Whether the chart is drawn anew where the page uncovers less of it.
READS_THE_EDGE = """async () => {
    const chart = document.querySelector(".st-key-lead-chart canvas");
    const told = document.querySelector("#glide");
    const drawn = async x => {
        told.value = x;
        told.dispatchEvent(new Event("glide"));
        await new Promise(done => setTimeout(done, 50));
        return chart.toDataURL();
    };
    return (await drawn(1e12)) !== (await drawn(0));
}"""


@pytest.fixture
def history(home_of_server: Path, server, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    """The server's history, to which this process tells a run."""
    monkeypatch.setenv("CNNLAB_HOME", str(home_of_server))
    found = History()
    yield found
    found.close()


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_what_is_new_glides_in_unless_less_motion_was_asked_for(
    visitor: Callable[..., Page], history: History, motion: Literal["no-preference", "reduce"]
) -> None:
    run_id = history.create(TINY, name="Told", session="today")
    for event in (started(TINY, CARD), *epoch(1, 12.0)):
        history.record(run_id, event)
    page = visitor(reduced_motion=motion)
    page.goto(f"/?run={run_id}")
    expect(page.locator(".st-key-lead-chart canvas")).to_be_visible()
    settled(page)
    page.evaluate(COUNTS)
    for number in (2, 3):
        for event in epoch(number, 12.0):
            history.record(run_id, event)
        page.wait_for_function(f"() => window.glides > {number - 2}")
    if motion == "no-preference":
        page.wait_for_function("() => window.moves > 3 * window.glides")
    else:
        page.wait_for_timeout(1000)  # in which it would have moved
        assert page.evaluate("() => window.moves <= 2 * window.glides")
    page.wait_for_function(READS_THE_EDGE)
    history.record(run_id, ended(3, 12.0, Status.STOPPED))
