"""A race as a new user comes to one, on a machine that may have no accelerator."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, expect

from tests.browser.patience import WAIT_MS, opened, settled

VERDICT = re.compile(r"times as fast as|^Nobody is ahead")
RACE_MS = 3 * WAIT_MS
"""Its budget is a minute, before which there are processes to start."""
MOVED = """() => [...document.querySelectorAll(".lane")]
    .some(lane => parseFloat(lane.style.getPropertyValue("--now")) > 0)"""


def test_from_the_first_page_to_a_decided_race_in_two_clicks(page: Page) -> None:
    opened(page, "/")
    page.get_by_role("link", name="Race").first.click()
    page.get_by_role("button", name="Start the race").click()
    page.wait_for_url(re.compile("race="))
    expect(page.get_by_text(re.compile(r"^Round \d"))).to_be_visible()
    expect(page.locator(".lane")).to_have_count(2)
    page.wait_for_function(MOVED)
    expect(page.get_by_text("pictures ahead:")).to_be_visible()
    verdict = page.get_by_role("heading", name=VERDICT)
    expect(verdict).to_be_visible(timeout=RACE_MS)
    expect(verdict).to_contain_text("pairs)")
    expect(page.locator(".lead-now").first).to_have_text(re.compile(r"^~?[\d.]+x$"))
    settled(page)
    page.get_by_role("button", name=re.compile("^Fair$|caveat")).click()
    expect(page.get_by_text("began from the same weights")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator('[data-testid="stVegaLiteChart"] canvas').first).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name=VERDICT)).to_be_visible()
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)
