"""The lab as a new user walks through it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, expect

from tests.browser.patience import opened, settled

QUICK = "/?train_limit=400&epochs=3"
LONG = "/?train_limit=400&epochs=4000"


def start(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"run="))


def stop(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Stop")).last.click()
    expect(page.get_by_text(re.compile("^Stopped after"))).to_be_visible()


def charts(page: Page) -> None:
    """Wait until both curves are drawn."""
    expect(page.locator('[data-testid="stVegaLiteChart"] canvas').nth(1)).to_be_visible()


def test_a_first_visit_shows_a_network_and_an_empty_history(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    expect(page.locator('[data-testid="stVegaLiteChart"]').first).to_be_visible()
    page.goto("/history")
    expect(page.get_by_role("main")).to_contain_text("run")
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)


def test_the_first_visitor_of_a_fresh_server_may_come_by_any_link(page: Page, fresh_server) -> None:
    page.goto(f"{fresh_server.url}/hardware")
    expect(page.get_by_role("heading", name="Hardware")).to_be_visible()
    expect(page.get_by_text("Session: today")).to_be_visible()


def test_a_preset_is_in_the_address_and_the_address_is_the_preset(
    page: Page, visitor: Callable[..., Page]
) -> None:
    opened(page, "/")
    page.get_by_text("Article", exact=True).click()
    expect(page.get_by_text("975,692")).to_be_visible()
    page.wait_for_url(re.compile("preset=article"))
    other = visitor()
    other.goto(page.url)
    expect(other.get_by_text("975,692")).to_be_visible()


def test_a_kernel_that_does_not_fit_is_refused_before_start(page: Page) -> None:
    page.goto("/?blocks=16x31-p2_32x9-p2")
    expect(page.get_by_text("cannot be trained yet")).to_be_visible()
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()


def test_a_run_draws_its_curves_finishes_and_is_in_the_history(page: Page) -> None:
    start(page, QUICK)
    charts(page)
    expect(page.get_by_text(re.compile("^Finished in"))).to_be_visible()
    expect(page.get_by_role("button", name="Run again")).to_be_visible()
    page.get_by_role("link", name="History").click()
    expect(page.locator('[data-testid="stDataFrame"]').first).to_be_visible()


def test_start_that_is_pressed_twice_begins_one_run(page: Page) -> None:
    opened(page, LONG)
    page.get_by_role("button", name="Start training").dblclick()
    page.wait_for_url(re.compile(r"run="))
    charts(page)
    settled(page)
    expect(page.get_by_role("heading", name="Waiting")).to_have_count(0)
    stop(page)


def test_a_stopped_run_that_is_resumed_is_seen_to_go_on(page: Page) -> None:
    start(page, LONG)
    expect(page.get_by_text(re.compile("^Epoch ([2-9]|[0-9,]{2,}) of 4,000")).first).to_be_visible()
    stop(page)
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text(re.compile("^Stopped after"))).to_have_count(0)
    # Stopped before its first epoch it would be as it was.
    expect(page.get_by_text(re.compile("^Epoch [0-9,]+ of 4,000")).first).to_be_visible()
    page.get_by_role("button", name=re.compile("^Stop")).last.click()
    expect(page.get_by_text(re.compile("^Stopped .* after [0-9]+ epochs"))).to_be_visible()


def test_a_reload_and_a_second_tab_show_the_same_run(
    page: Page, visitor: Callable[..., Page]
) -> None:
    start(page, LONG)
    charts(page)
    page.reload()
    charts(page)
    other = visitor()
    other.goto(page.url)
    charts(other)
    other.goto("/hardware")
    expect(other.get_by_text("Usable cores")).to_be_visible()
    stop(page)


def test_a_waiting_run_shows_its_place_and_can_be_withdrawn(
    page: Page, visitor: Callable[..., Page]
) -> None:
    start(page, LONG)
    charts(page)
    other = visitor()
    start(other, QUICK)
    expect(other.get_by_text(re.compile("Waiting in the queue")).first).to_be_visible()
    other.get_by_role("button", name="Withdraw").first.click()
    expect(other.get_by_text("Withdrawn before it began").first).to_be_visible()
    stop(page)


def test_the_server_never_loaded_torch(page: Page, server) -> None:
    maps = Path(f"/proc/{server.pid}/maps")
    if not maps.exists():
        pytest.skip("needs /proc")
    page.goto("/")
    expect(page.get_by_role("button", name="Start training")).to_be_visible()
    assert "libtorch" not in maps.read_text()


DRAWN = """() => {
    const found = [...document.querySelectorAll('[data-testid="stVegaLiteChart"] canvas')];
    window.drawn = found.slice(0, 2).map(canvas => [canvas, canvas.getBoundingClientRect().top]);
    window.progress = document.querySelector(".st-key-run-progress").textContent;
}"""
EPOCHS_WENT_BY = """() =>
    document.querySelector(".st-key-run-progress").textContent !== window.progress"""
HELD = """() => window.drawn.map(([canvas, top]) =>
    canvas.isConnected && Math.abs(canvas.getBoundingClientRect().top - top) < 1)"""


def test_while_a_run_trains_its_charts_are_not_drawn_anew_and_do_not_jump(page: Page) -> None:
    start(page, LONG)
    charts(page)
    expect(page.get_by_text(re.compile("^Epoch ([2-9]|[0-9,]{2,}) of 4,000")).first).to_be_visible()
    expect(page.locator(".answers li").first).to_be_visible()  # all of the page is there by now
    settled(page)
    page.evaluate(DRAWN)
    page.wait_for_timeout(4000)
    page.wait_for_function(EPOCHS_WENT_BY)
    assert page.evaluate(HELD) == [True, True]
    stop(page)
