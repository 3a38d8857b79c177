"""Own data through a real browser: an archive, and pictures from the camera."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.serving import ARGUMENTS, CHROMIUM, Server
from tests.browser.patience import WAIT_MS, opened, settled
from tests.datasets.examples import as_zip, picture

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Browser, Page, expect

SEES = "document.querySelector('video')?.currentTime > {seconds}"
"""Whether the camera has shown something for so long. Each picture has a camera of its own, and
Chromium's shows the same film each time: taken at the same moment, two pictures are one. Streamlit
begins a camera anew a second after its width is known, and a press just then takes nothing.
"""


def test_an_archive_is_understood_kept_and_offered_for_training(page: Page, tmp_path: Path) -> None:
    colours = {"cat": (50, 0, 0), "dog": (250, 0, 0)}
    files = {
        f"{name}/{number}.png": picture(colour, size=(32, 32))
        for name, colour in colours.items()
        for number in range(3)
    }
    file = as_zip(tmp_path / "pets.zip", files)
    opened(page, "/data")
    page.get_by_text("Bring your own data").click()
    page.locator('input[type="file"]').set_input_files(file)
    expect(page.get_by_text("pets.zip is not kept yet")).to_be_visible()
    expect(page.get_by_text("Classes: cat 3, dog 3.")).to_be_visible()
    page.get_by_role("button", name="Keep it").click()
    page.wait_for_url(re.compile(r"dataset=pets\.zip"))
    page.get_by_role("link", name="Train on it").click()
    page.wait_for_url(re.compile(r"dataset=pets\.zip"))
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    page.goto("/data?dataset=pets.zip")
    expect(page.get_by_text("Classes: cat 3, dog 3.")).to_be_visible()


@pytest.fixture
def with_camera(browser: Browser, server: Server) -> Iterator[Page]:
    """A visitor whose camera shows a made-up picture."""
    arguments = [*ARGUMENTS, "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    chromium = browser.browser_type.launch(
        executable_path=CHROMIUM, args=arguments, timeout=WAIT_MS
    )
    context = chromium.new_context(base_url=server.url, permissions=["camera"])
    context.set_default_timeout(WAIT_MS)
    yield context.new_page()
    chromium.close()


def test_the_camera_makes_a_set_by_class(with_camera: Page) -> None:
    page = with_camera
    opened(page, "/data")
    page.get_by_text("Bring your own data").click()
    page.get_by_text("With the camera", exact=True).click()
    for name in ("mug", "hand"):
        page.get_by_role("textbox", name="Class").fill(name)
        page.get_by_role("button", name="Add a class").click()
        expect(page.get_by_text(re.compile(rf"^{name} · 0$"))).to_be_visible()
        settled(page)
        for number in (1, 2):
            page.wait_for_function(SEES.format(seconds=2 * number))
            page.get_by_role("button", name="Take Photo").click()
            expect(page.get_by_text(re.compile(rf"^{name} · {number}$"))).to_be_visible()
    page.get_by_role("button", name="Use it").click()
    page.wait_for_url(re.compile("dataset=my.pictures"))
    expect(page.get_by_text("Classes: hand 2, mug 2.")).to_be_visible()
