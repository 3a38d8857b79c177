"""Runs beside each other in a browser: eye, name and baseline, the board, a click on a point."""

from __future__ import annotations

import re
from functools import partial

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Locator, Page, expect

from cnnlab.history import History
from cnnlab.spec import change
from cnnlab.sweep.variants import parts, variants
from tests.browser.patience import opened, painted, settled
from tests.example_runs import CARD, CPU, TINY, add_run

TITLES_PX, ROW_PX = 35, 35
"""How high a table's titles and each of its rows are drawn."""
FIRST_ROW = 2
"""What a table calls the first row beneath its titles."""
CHART = '[data-testid="stVegaLiteChart"] canvas'


@pytest.fixture(scope="module")
def runs(history_of_server: History) -> tuple[str, ...]:
    add = partial(add_run, history_of_server)
    made = (
        add(name="Tiny · slow", device=CPU, epochs=5, step_ms=12.0),
        add(name="Tiny · quick", device=CARD, epochs=5, step_ms=3.0),
        add(name="Tiny · long", spec=change(TINY, batch_size=64), epochs=9),
    )
    found = variants(change(TINY, epochs=3), ["batch_size=32,64", "seed=0,1"])
    for variant, part in zip(found, parts(found, "g1", "Sweep: Tiny"), strict=True):
        ms = 10.0 if variant.spec.batch_size == 32 else 4.0
        add(name=variant.said, spec=variant.spec, part=part, epochs=3, step_ms=ms)
    return made


def row(page: Page, run_id: str) -> Locator:
    return page.locator(f".st-key-compare-run-{run_id}")


def test_an_eye_a_name_and_a_baseline_are_changed_where_the_run_stands(
    page: Page, runs: tuple[str, ...]
) -> None:
    slow, quick, long = runs
    opened(page, f"/compare?runs={slow},{quick},{long}")
    expect(page.locator(CHART)).not_to_have_count(0)
    row(page, slow).get_by_role("button", name="Hide slow").click()
    page.wait_for_url(re.compile(f"hide={slow}"))
    expect(row(page, slow).get_by_role("button", name="Show slow")).to_be_visible()
    expect(row(page, slow).get_by_text("Baseline ·")).to_be_visible()
    row(page, quick).get_by_role("button", name="Hold the others against quick").click()
    page.wait_for_url(re.compile(f"base={quick}"))
    expect(row(page, quick).get_by_text("Baseline ·")).to_be_visible()
    expect(page.get_by_text("The baseline itself.")).to_be_visible()
    name = row(page, long).get_by_role("textbox", name="Name of the run")
    name.fill("Tiny · patient")
    name.press("Enter")
    expect(row(page, long).get_by_role("button", name="Hide patient")).to_be_visible()
    page.reload()
    expect(row(page, slow).get_by_role("button", name="Show slow")).to_be_visible()
    expect(name).to_have_value("Tiny · patient")


def test_the_board_names_the_best_and_leads_to_them(page: Page, runs: tuple[str, ...]) -> None:
    opened(page, "/history")
    page.get_by_text("High scores").click()
    expect(page.get_by_text("Best accuracy")).to_be_visible()
    expect(page.get_by_text("1 · 36 %")).to_be_visible()
    page.get_by_role("button", name="Tiny · quick").last.click()
    page.wait_for_url(re.compile(f"run={runs[1]}"))
    expect(page.get_by_role("heading", name="Tiny · quick")).to_be_visible()


def test_a_click_on_a_point_opens_the_runs_of_its_variant(page: Page) -> None:
    opened(page, "/explore?sweep=g1")
    expect(page.get_by_text("Most accurate: batch size")).to_be_visible()
    chart = painted(page.locator(CHART).last)
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box
    chart.click(position={"x": box["width"] * 0.75, "y": box["height"] * 0.3})
    links = page.get_by_role("link", name=re.compile("Run .*: batch size 64"))
    expect(links).to_have_count(2)
    train = page.get_by_role("link", name="Train this recipe")
    expect(train).to_have_attribute("href", re.compile("batch_size=64"))


def test_a_click_on_a_row_of_the_history_opens_that_run(page: Page, runs: tuple[str, ...]) -> None:
    opened(page, "/history")
    table = page.locator('[data-testid="stDataFrame"]').first
    slow, quick, _ = runs
    for run_id, name in ((quick, "Tiny · quick"), (slow, "Tiny · slow")):
        row = table.locator("tr", has_text=name)  # what a screen reader hears of the drawing
        place = int(row.get_attribute("aria-rowindex") or 0) - FIRST_ROW
        table.click(position={"x": 400, "y": TITLES_PX + (place + 0.5) * ROW_PX})
        page.wait_for_url(re.compile(f"run={run_id}$"))
        expect(page.get_by_role("heading", name=name)).to_be_visible()
        settled(page)


def test_rows_of_the_history_are_ticked_by_the_keyboard(page: Page) -> None:
    opened(page, "/history")
    table = page.locator('[data-testid="stDataFrame"]')
    expect(table).to_be_visible()
    painted(table.locator("canvas").first).focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_url(re.compile("run="))
    for key in ("Shift+Space", "ArrowDown", "Shift+Space"):
        page.keyboard.press(key)
        page.wait_for_timeout(1500)  # a page that is drawn anew between two keys
        settled(page)
    page.wait_for_url(re.compile("run=.*run="))
