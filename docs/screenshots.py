"""The picture of the real app for the README: `python docs/screenshots.py` (needs Chromium)."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "browser"))
from conftest import ARGUMENTS, CHROMIUM, serving  # noqa: E402

SIZE = {"width": 1280, "height": 860}


def main() -> None:
    """Start the lab with a state of its own, and photograph it."""
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
        browser.close()


if __name__ == "__main__":
    main()
