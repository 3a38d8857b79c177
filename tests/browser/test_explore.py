"""The Explore page in a browser: the heat maps are drawn, and a click on a cell opens its runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, expect

from bench.serving import serving
from cnnlab.history import History
from tests.browser.patience import comes_true, opened, painted, settled
from tests.example_sweeps import add_sweep

MAP = '[data-testid="stVegaLiteChart"] canvas'
BLUE_AND_ORANGE = """canvas => {
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let blue = 0, orange = 0;
    for (let i = 0; i < data.length; i += 4) {
        if (data[i + 2] > data[i] + 40) blue++;
        if (data[i] > data[i + 2] + 100) orange++;
    }
    return Math.min(blue, orange) > 1000;
}"""
"""Blue where the CPU wins and orange where the accelerator does: whether both are on the canvas."""


@pytest.fixture
def swept(
    visitor: Callable[..., Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Page]:
    """A visitor of a lab with one finished sweep on two devices."""
    monkeypatch.setenv("CNNLAB_HOME", str(tmp_path))
    history = History()
    add_sweep(history)
    history.close()
    with serving(tmp_path) as lab:
        size = {"width": 1440, "height": 1200}
        yield visitor(viewport=size, base_url=lab.url, color_scheme="dark")


def test_a_cell_that_was_never_trained_leads_to_its_recipe(swept: Page) -> None:
    opened(swept, "/explore")
    expect(swept.locator(MAP)).to_have_count(3)
    swept.get_by_text("Accuracy", exact=True).click()
    expect(swept.get_by_text("After the last epoch")).to_be_visible()
    expect(swept.locator(MAP)).to_have_count(1)
    settled(swept)
    box = painted(swept.locator(MAP)).bounding_box()
    assert box
    swept.locator(MAP).click(position={"x": box["width"] / 2, "y": box["height"] / 3})
    recipe = swept.get_by_role("link", name=re.compile("^Train this recipe"))
    expect(recipe).to_be_visible()


def test_the_maps_are_drawn_and_a_cell_leads_to_its_runs(swept: Page) -> None:
    opened(swept, "/explore")
    expect(swept.get_by_text(re.compile("^Example GPU wins above about"))).to_be_visible()
    expect(swept.locator(MAP)).to_have_count(3)
    ratio = swept.locator(MAP).first
    comes_true(ratio, BLUE_AND_ORANGE)
    box = ratio.bounding_box()
    assert box
    ratio.click(position={"x": box["width"] / 2, "y": box["height"] / 3})
    links = swept.get_by_role("link", name=re.compile("batch size 128, units .* on Example"))
    expect(links).to_have_count(2)
    links.first.click()
    swept.wait_for_url(re.compile("/train|/\\?run="))
    expect(swept.locator('[data-testid="stException"]')).to_have_count(0)
