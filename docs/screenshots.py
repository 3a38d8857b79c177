"""Pictures of the real app for the README: `python docs/screenshots.py` (needs Chromium).

Starts the lab with a state of its own, trains, and photographs what it shows.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "browser"))
from conftest import ARGUMENTS, CHROMIUM, serving  # noqa: E402

SIZE = {"width": 1280, "height": 860}
CURVES = '[data-testid="stVegaLiteChart"] canvas'


def start(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="Start training").click()
    page.locator(CURVES).nth(1).wait_for()


def main() -> None:
    """Take them all."""
    with (
        tempfile.TemporaryDirectory() as home,
        serving(Path(home)) as server,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(viewport=SIZE, base_url=server.url)
        page.set_default_timeout(120_000)
        page.goto("/?preset=article")
        page.get_by_text("975,692").wait_for()
        page.wait_for_timeout(2000)
        page.screenshot(path=HERE / "train.png")
        start(page, "/?epochs=12")
        page.get_by_text(re.compile("Epoch ([4-9]|1[01]) of 12")).first.wait_for()
        page.wait_for_timeout(1500)
        page.screenshot(path=HERE / "train-running.png")
        page.get_by_text(re.compile("^Finished in")).first.wait_for()
        page.goto("/history")
        page.locator('[data-testid="stDataFrame"]').first.wait_for()
        page.wait_for_timeout(2000)
        page.screenshot(path=HERE / "history.png")
        browser.close()


if __name__ == "__main__":
    main()
