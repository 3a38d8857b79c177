"""Without a pointer: Start is near, keys start and stop, and the focus is never lost."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, expect

from tests.browser import patience

LONG = "/?train_limit=400&epochs=4000"
TABS = 10
HELD = "() => document.activeElement !== document.body"
KIND_OF_FOCUS = "() => document.activeElement.dataset.testid"
NAME_OF_FOCUS = "() => document.activeElement.innerText"


def opened(page: Page, address: str, start: str) -> None:
    patience.opened(page, address)
    expect(page.get_by_role("button", name=start)).to_be_enabled()


def tabs_to(page: Page, name: str) -> int:
    """How often Tab was pressed until what has this name had the focus."""
    for count in range(1, 151):
        page.keyboard.press("Tab")
        if name in page.evaluate(NAME_OF_FOCUS):
            return count
    raise AssertionError(f"no Tab leads to {name}")


@pytest.mark.parametrize(("address", "start"), [("/", "Start training"), ("/race", "Start the")])
def test_start_is_within_ten_tabs_of_the_top(page: Page, address: str, start: str) -> None:
    opened(page, address, start)
    assert tabs_to(page, start) <= TABS
    back = [page.keyboard.press("Shift+Tab") or page.evaluate(KIND_OF_FOCUS) for _ in range(3)]
    assert "stMainMenuButton" in back  # which was passed over on the way here


def test_the_focus_is_not_lost_when_a_button_goes_away(page: Page) -> None:
    opened(page, LONG, "Start training")
    tabs_to(page, "Start training")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("run="))
    expect(page.get_by_text(re.compile("of 4,000: about")).first).to_be_visible()
    patience.settled(page)  # the button that was pressed is gone by now
    page.wait_for_function(HELD)
    assert tabs_to(page, "Stop") <= TABS
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile("^Stopped")).first).to_be_visible()
    page.wait_for_function(HELD)


def test_keys_start_a_run_and_stop_it(page: Page) -> None:
    opened(page, LONG, "Start training")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile("run="))
    expect(page.get_by_role("button", name=re.compile("^Stop")).last).to_be_visible()
    page.keyboard.press("Alt+s")
    expect(page.get_by_text(re.compile("^Stopped")).first).to_be_visible()
