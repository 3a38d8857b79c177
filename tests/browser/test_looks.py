"""What only a browser can tell: the order on a phone, and that the style sheet takes effect."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, expect

ABOVE = """start_first => {
    const top = text => [...document.querySelectorAll("p")]
        .find(found => found.textContent.trim() === text)?.getBoundingClientRect().top;
    return start_first === (top("Start training") < top("Start from"));
}"""


@pytest.mark.parametrize(("width", "start_first"), [(390, True), (1440, False)])
def test_on_a_phone_start_comes_before_the_recipe(page: Page, width: int, start_first: bool):
    page.set_viewport_size({"width": width, "height": 844})
    page.goto("/")
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    expect(page.get_by_text("Start from", exact=True)).to_be_visible()
    page.wait_for_function(ABOVE, arg=start_first)


def test_a_tab_names_its_page_and_the_first_one_the_lab(page: Page):
    page.goto("/history")
    expect(page).to_have_title("History · CNN Lab")
    page.goto("/")
    expect(page).to_have_title("CNN Lab")


@pytest.mark.parametrize(("width", "height"), [(390, 844), (768, 1024), (1366, 768), (1920, 1080)])
def test_start_stays_in_sight_beside_a_long_form(page: Page, width: int, height: int):
    page.set_viewport_size({"width": width, "height": height})
    page.goto("/?preset=deeper")
    start = page.get_by_role("button", name="Start training")
    expect(start).to_be_visible()
    page.get_by_role("heading", name="Device").scroll_into_view_if_needed()
    expect(start).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize(
    ("scheme", "words", "drawn"),
    [
        ("light", "rgb(255, 255, 255)", "rgb(79, 90, 101)"),
        ("dark", "rgb(18, 23, 29)", "rgb(195, 204, 213)"),
    ],
)
def test_both_themes_have_words_of_their_own_on_the_accent_and_in_the_drawing(
    visitor: Callable[..., Page], scheme: str, words: str, drawn: str
):
    page = visitor(color_scheme=scheme)
    page.goto("/")
    button = page.get_by_role("button", name="Start training")
    expect(button).to_be_enabled()
    expect(button).to_have_css("color", words)
    expect(page.locator(".st-key-drawing svg text").first).to_have_css("fill", drawn)
