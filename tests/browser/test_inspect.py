"""What only a browser can tell of the Inspect page: its slider, clicks on charts, the pad."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, expect

from cnnlab.history import History
from tests.browser.patience import opened, painted, settled
from tests.kept_runs import add_kept_run, marks

A_MISTAKE = """canvas => {
    const {data, width, height} = canvas.getContext("2d")
        .getImageData(0, 0, canvas.width, canvas.height);
    const mistaken = (x, y) => {
        const at = 4 * (y * width + x);
        return data[at + 3] && data[at] > data[at + 2] + 30;
    };
    for (let y = 9; y < height - 9; y++) for (let x = 9; x < width - 9; x++)
        if ([-8, 0, 8].every(dx => [-8, 0, 8].every(dy => mistaken(x + dx, y + dy))))
            return {x: x * canvas.clientWidth / width, y: y * canvas.clientHeight / height};
}"""
"""A place on a matrix that has the colour of mistakes all around."""


@pytest.fixture(scope="module")
def runs(home_of_server: Path) -> Iterator[list[str]]:
    """Two runs on small grey pictures, in the server's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNLAB_HOME", str(home_of_server))
        file = marks(home_of_server / "datasets")
        history = History()
        named = enumerate("AB")
        yield [add_kept_run(history, file, name=name, seed=n, tested=True) for n, name in named]
        history.close()


def test_the_slider_rewinds_the_training(page: Page, runs: list[str]):
    opened(page, f"/inspect?runs={runs[0]}")
    figure = page.locator("[class*=st-key-inspect-lead] [data-testid=stMetricValue]")
    expect(figure).to_be_visible()
    last = figure.inner_text()
    slider = page.get_by_role("slider")
    slider.focus()
    slider.press("ArrowLeft")
    expect(page).to_have_url(re.compile(r"epoch=2\b"))
    settled(page)
    slider.press("ArrowLeft")
    expect(page).to_have_url(re.compile(r"epoch=1\b"))
    expect(figure).not_to_have_text(last)
    page.get_by_role("radio", name="Through the network").click()
    expect(page.get_by_text("What the first layer looks for")).to_be_visible()
    maps = page.get_by_text(re.compile("feature maps")).first
    expect(maps).to_be_visible()


def test_a_click_on_a_mistake_opens_its_way(page: Page, runs: list[str]):
    opened(page, f"/inspect?runs={runs[0]}")
    wall = painted(page.locator(".st-key-inspect-worst-" + runs[0] + " canvas").first)
    wall.click(position={"x": 30, "y": 30})
    expect(page.get_by_text("Grad-CAM", exact=True)).to_be_visible()


def test_a_mistake_on_the_test_set_opens_as_a_picture_of_it(page: Page, runs: list[str]):
    opened(page, f"/inspect?runs={runs[0]}")
    page.get_by_role("radio", name="Test set").click()
    expect(page.get_by_text("12 pictures of the test set")).to_be_visible()
    expect(page).to_have_url(re.compile("part=test"))
    wall = painted(page.locator(f".st-key-inspect-worst-{runs[0]} canvas").first)
    wall.click(position={"x": 30, "y": 30})
    chosen = page.get_by_role("combobox", name="Picture number")
    expect(chosen).to_have_value(re.compile("of the test set"))


def test_a_click_on_a_cell_shows_its_pictures(page: Page, runs: list[str]):
    opened(page, f"/inspect?runs={runs[0]}")
    matrix = painted(page.locator(f".st-key-inspect-confusion-{runs[0]} canvas").first)
    matrix.click(position=matrix.evaluate(A_MISTAKE))
    expect(page.get_by_text(re.compile(r"^\d+ × \d taken for \d$"))).to_be_visible()


def test_a_drawing_is_answered(page: Page, runs: list[str]):
    opened(page, f"/inspect?runs={','.join(runs)}")
    page.get_by_role("radio", name="Your own").click()
    pad = page.locator("canvas[aria-label^='Pad']")
    expect(pad).to_be_visible()
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box
    page.mouse.move(box["x"] + 140, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 220, steps=8)
    page.mouse.up()
    expect(page.get_by_text(re.compile("What it sees: 12 × 12"))).to_be_visible()
    expect(page.get_by_text("Grad-CAM", exact=True)).to_have_count(2)
