"""The curves of a run that trains glide on: what is new is uncovered from left to right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Browser, Page, expect

expect.set_options(timeout=60_000)

# The chart before and after its animation has ended.
ENDS = """async () => {
    const drawn = () => document.querySelector(".st-key-lead-chart canvas").toDataURL();
    const before = drawn();
    window.dispatchEvent(new AnimationEvent("animationend", {animationName: "glide"}));
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    return [before, drawn()];
}"""
COUNTS = """() => {
    window.counted = {};
    for (const what of ["animationiteration", "animationend"])
        window.addEventListener(what, event => {
            if (event.animationName === "glide")
                window.counted[what] = (window.counted[what] ?? 0) + 1;
        });
}"""


@contextmanager
def training(
    browser: Browser, url: str, motion: Literal["reduce", "no-preference"]
) -> Iterator[Page]:
    """A page that shows a run, from its first point until it is stopped."""
    context = browser.new_context(base_url=url, reduced_motion=motion)
    page = context.new_page()
    page.goto("/?train_limit=400&epochs=600")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile("run="))
    expect(page.locator(".st-key-lead-chart canvas")).to_be_visible()
    yield page
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text(re.compile("^Stopped")).first).to_be_visible()
    context.close()


def test_new_points_are_uncovered_by_the_animation_of_the_page(browser: Browser, server) -> None:
    with training(browser, server.url, "no-preference") as page:
        page.evaluate(COUNTS)
        page.wait_for_function("() => window.counted.animationiteration > 5")
        page.add_style_tag(content=".glide { animation: none !important; }")
        page.evaluate(ENDS)  # all of what is there by now
        shown = page.locator(".glide").get_attribute("data-newest")
        expect(page.locator(".glide")).not_to_have_attribute("data-newest", shown or "")
        page.wait_for_timeout(500)  # until what is new is drawn, under its veil
        before, after = page.evaluate(ENDS)
    assert before != after


def test_who_asked_for_less_motion_sees_new_points_at_once(browser: Browser, server) -> None:
    with training(browser, server.url, "reduce") as page:
        page.evaluate(COUNTS)
        page.wait_for_function("() => window.counted.animationend > 1")
        assert page.evaluate("() => window.counted.animationiteration") is None
