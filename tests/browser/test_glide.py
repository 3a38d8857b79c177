"""The curves of a run that trains glide on: what is new is uncovered from left to right."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Browser, expect

expect.set_options(timeout=60_000)

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


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_what_is_new_glides_in_unless_less_motion_was_asked_for(
    browser: Browser, server, motion: str
) -> None:
    context = browser.new_context(base_url=server.url, reduced_motion=motion)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto("/?train_limit=400&epochs=4000")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile("run="))
    expect(page.locator(".st-key-lead-chart canvas")).to_be_visible()
    page.evaluate(COUNTS)
    page.wait_for_function("() => window.glides > 2")
    moves, glides = page.evaluate("() => [window.moves, window.glides]")
    assert moves > 3 * glides if motion == "no-preference" else moves <= 2 * glides
    page.wait_for_function(READS_THE_EDGE)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text(re.compile("^Stopped")).first).to_be_visible()
    context.close()
    assert errors == []
