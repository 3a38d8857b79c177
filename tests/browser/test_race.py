"""A race as a new user comes to one, on a machine that may have no accelerator."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, expect

VERDICT = re.compile(r"times as fast as|^Nobody is ahead")
RACE_MS = 240_000


def test_from_the_first_page_to_a_decided_race_in_two_clicks(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Race").first.click()
    page.get_by_role("button", name="Start the race").click(timeout=60_000)
    page.wait_for_url(re.compile("race="))
    expect(page.get_by_text(re.compile("^Round 1"))).to_be_visible(timeout=60_000)
    verdict = page.get_by_role("heading", name=VERDICT)
    expect(verdict).to_be_visible(timeout=RACE_MS)
    expect(verdict).to_contain_text("pairs)")
    expect(page.locator('[data-testid="stVegaLiteChart"] canvas').first).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name=VERDICT)).to_be_visible(timeout=60_000)
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)
