"""A race as a new user comes to one, on a machine that may have no accelerator.

Its lanes are the usual two there, the article's way and the lab's, on an LSTM: the one takes its
128 steps one by one, the other all in one call, so that on a busy machine, too, there is a winner.
"""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, expect

from tests.browser.patience import WAIT_MS, opened, settled

WON = re.compile(
    r"^Fast engine ran (about )?[\d.,]+ times as fast as stock engine "
    r"\([\d.,]+ to [\d.,]+, \d+ pairs\): [\d.,]+ [µm]?s a step against [\d.,]+ [µm]?s\.$"
)
RACE_MS = 3 * WAIT_MS
"""Its budget is a minute, before which there are processes to start."""
MOVED = """() => [...document.querySelectorAll(".lane")]
    .some(lane => parseFloat(lane.style.getPropertyValue("--now")) > 0)"""


def test_from_the_first_page_to_a_won_race_in_three_clicks(page: Page) -> None:
    opened(page, "/")
    page.get_by_role("link", name="Race").first.click()
    page.get_by_text("LSTM", exact=True).click()
    expect(page.locator(".lane").first).to_contain_text("stock engine")
    page.get_by_role("button", name="Start the race").click()
    page.wait_for_url(re.compile("race="))
    expect(page.get_by_text(re.compile(r"^Round \d"))).to_be_visible()
    expect(page.locator(".lane")).to_have_count(2)
    page.wait_for_function(MOVED)
    expect(page.get_by_text("sequences ahead:")).to_be_visible()
    expect(page.get_by_role("heading", name=WON)).to_be_visible(timeout=RACE_MS)
    settled(page)
    ratio = page.locator(".lead-now").first
    expect(ratio).to_have_text(re.compile(r"^~?[\d.,]+×$"))
    assert float(ratio.inner_text().strip("~×")) > 1
    for lane in page.locator(".lane").all():
        expect(lane).to_contain_text(re.compile(r"[\d.,]+ m?s a step"))
        expect(lane).to_contain_text(re.compile(r"\d+ runs"))
    page.get_by_role("button", name=re.compile("^Fair$|caveat")).click()
    expect(page.get_by_text("began from the same weights")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator('[data-testid="stVegaLiteChart"] canvas').first).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name=WON)).to_be_visible()
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)
