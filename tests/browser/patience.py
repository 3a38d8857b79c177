"""What the browser tests wait for, and how long: as a slow machine with other work takes."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

WAIT_MS = 120_000
"""For one thing to appear; who waits goes on as soon as it has."""
REST_MS, LOOK_MS = 20_000, 100
STANDS = """() => document.querySelector('[data-testid=stApp][data-test-script-state=notRunning]')
    && !document.querySelector('[data-stale=true], [data-testid=stSkeleton]')"""
PAINTED = """canvas => canvas.width > 0 && canvas.height > 0 && canvas.getContext("2d")
    .getImageData(0, 0, canvas.width, canvas.height).data.some((part, at) => at % 4 == 3 && part)"""


def settled(page: Page) -> None:
    """Wait until a page is drawn to its end, with all that a browser loads for it."""
    page.wait_for_load_state("networkidle")
    page.wait_for_function(STANDS)


def opened(page: Page, address: str) -> None:
    """Open a page and wait until all of it is there."""
    page.goto(address)
    expect(page.locator(".st-key-top")).to_be_attached()  # Present hides it
    settled(page)


def painted(chart: Locator) -> Locator:
    """A chart, once something is drawn on it: before, there is nothing for a click to meet."""
    expect(chart).to_be_visible()
    comes_true(chart, PAINTED)
    return chart


def comes_true(place: Page | Locator, script: str) -> None:
    """Wait until a script finds what it looks for; a test that waits in vain fails."""
    page = place if isinstance(place, Page) else place.page
    for _ in range(WAIT_MS // LOOK_MS):
        if place.evaluate(script):
            return
        page.wait_for_timeout(LOOK_MS)
    raise AssertionError(f"It never came true: {script}")


def left_over(page: Page, script: str) -> Any:
    """What a script still finds wrong with a page that has had the time to come to rest."""
    for _ in range(REST_MS // LOOK_MS):
        if not page.evaluate(script):
            return []
        page.wait_for_timeout(LOOK_MS)
    return page.evaluate(script)
