"""A laptop shows what counts without scrolling; nothing is cut off at any width or zoom."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, expect

from tests.browser.patience import comes_true, left_over, opened, settled

# Present fills the window with letters of its own, see test_present.py.
PAGES = sorted(
    {path.stem for path in (Path(__file__).parents[2] / "pages").glob("*.py")} - {"present"}
)
# A phone's window has its width from the start, others are resized; 683: a laptop's 1366 at 200 %.
WIDTHS = {390: (390,), 1366: (683, 768, 1366, 1920)}
OUTSIDE = """() => [...document.querySelectorAll('[data-testid="stMain"] *')]
    .filter(one => one.children.length === 0 && one.checkVisibility() && one.textContent.trim())
    .filter(one => !one.closest('.unseen, [data-testid="stDataFrame"], pre, [role="tablist"]'))
    .filter(one => {
        const {left, right, width} = one.getBoundingClientRect();
        return width && (right > innerWidth + 1 || left < -1);
    })
    .map(one => one.textContent.trim().slice(0, 40))"""


BESIDE = """() => {
    const middle = selector => {
        const box = document.querySelector(selector)?.getBoundingClientRect();
        return box ? (box.top + box.bottom) / 2 : NaN;  // not there yet
    };
    return Math.abs(middle(".st-key-run-head h3") - middle("[class*=st-key-stop-] button")) < 8;
}"""
"""Whether the name of the run and Stop stand on one line."""


def test_at_no_width_a_page_has_words_outside_the_window(page: Page) -> None:
    outside = {}
    for name, first in product(PAGES, WIDTHS):
        page.set_viewport_size({"width": first, "height": 800})
        page.goto("/" if name == "train" else f"/{name}")
        expect(page.get_by_text("Nothing is training")).to_be_visible()
        settled(page)
        for width in WIDTHS[first]:
            page.set_viewport_size({"width": width, "height": 800})
            page.wait_for_timeout(300)
            if found := left_over(page, OUTSIDE):
                outside[name, width] = found
    assert outside == {}


def test_on_a_laptop_a_run_is_begun_watched_and_followed_up_without_scrolling(page: Page) -> None:
    page.set_viewport_size({"width": 1366, "height": 768})
    page.goto("/?train_limit=400&epochs=20")
    start = page.get_by_role("button", name="Start training")
    expect(start).to_be_enabled()
    expect(start).to_be_in_viewport(ratio=1)
    expect(page.locator(".st-key-between img")).to_be_in_viewport(ratio=0.9)
    expect(page.locator(".classes li").last).to_be_in_viewport()
    expect(page.locator(".st-key-figures")).to_be_in_viewport(ratio=1)
    start.click()
    page.wait_for_url(re.compile("run="))
    chart = page.locator(".st-key-lead-chart canvas")
    expect(chart).to_be_in_viewport(ratio=0.95)
    expect(page.get_by_text(re.compile("^Finished"))).to_be_visible()
    expect(page.locator(".st-key-next-runs button").first).to_be_in_viewport(ratio=1)
    expect(page.locator(".st-key-run-metrics")).to_be_in_viewport(ratio=1)
    expect(chart).to_be_in_viewport(ratio=0.95)
    assert page.evaluate("scrollY") == 0


def test_while_a_run_trains_stop_stands_beside_its_name_and_the_answers_are_in_sight(
    page: Page,
) -> None:
    page.set_viewport_size({"width": 1366, "height": 768})
    opened(page, "/?train_limit=400&epochs=4000")
    page.get_by_placeholder("Name: Tiny").fill("A long name " * 9)
    page.get_by_role("button", name="Start training").click()
    stop = page.locator("[class*=st-key-stop-]").get_by_role("button", name="Stop")
    expect(stop).to_be_in_viewport(ratio=1)
    comes_true(page, BESIDE)
    expect(page.locator(".st-key-lead-chart canvas")).to_be_in_viewport(ratio=1)
    expect(page.locator(".answers li").first).to_be_in_viewport()
    stop.click()
    expect(page.get_by_text(re.compile("^Stopped")).first).to_be_visible()


def test_on_a_phone_no_label_of_a_button_ends_in_dots(visitor: Callable[..., Page]) -> None:
    page = visitor(viewport={"width": 390, "height": 800})
    page.goto("/")
    expect(page.get_by_text("Nothing is training")).to_be_visible()  # the devices are known
    opened(page, "/compare")
    labels = page.locator(".stButton .stMarkdownEllipsis", has_text="Climb from the article")
    label = labels.filter(visible=True)
    expect(label).to_be_visible()
    comes_true(label, "one => one.scrollWidth <= one.clientWidth")


def test_the_letters_of_a_drawing_follow_the_window(page: Page) -> None:
    page.set_viewport_size({"width": 1366, "height": 768})
    page.goto("/")
    word = page.locator(".st-key-drawing svg text", has_text="Softmax").first
    expect(word).to_have_attribute("font-size", "12px")
    page.set_viewport_size({"width": 1920, "height": 1080})
    expect(word).to_have_attribute("font-size", "16px")


def size_of(page: Page, selector: str) -> float:
    settled(page)
    found = page.locator(selector).first
    expect(found).to_be_visible()
    return float(found.evaluate("one => parseFloat(getComputedStyle(one).fontSize)"))


def test_on_a_projector_letters_and_figures_grow(visitor: Callable[..., Page]) -> None:
    sizes = {}
    for width, height in ((1366, 768), (1920, 1080)):
        page = visitor(viewport={"width": width, "height": height})
        page.goto("/race")
        sizes[width] = size_of(page, ".lane-who b"), size_of(page, ".lead-figure")
    assert all(large > 1.2 * small for small, large in zip(sizes[1366], sizes[1920], strict=True))


def test_who_asked_for_less_motion_gets_none(visitor: Callable[..., Page]) -> None:
    page = visitor(reduced_motion="reduce")
    page.goto("/race")
    runner = page.locator(".lane-track i").first
    expect(runner).to_be_attached()
    comes_true(runner, "one => parseFloat(getComputedStyle(one).animationDuration) < 0.001")
