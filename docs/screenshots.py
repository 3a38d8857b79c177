"""The pictures of the real app for the README: `python docs/screenshots.py` (needs Chromium).

The runs in them are trained for them, on the machine at hand: take them on a quiet one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from bench.serving import ARGUMENTS, CHROMIUM, serving  # noqa: E402

SIZE = {"width": 1280, "height": 860}
LARGEST_BYTES = 250_000
RECIPE = ("--preset", "tiny", "--limit", "4000", "--epochs", "8", "--device", "cpu")
RUNS: tuple[tuple[str, ...], ...] = (
    ("--engine", "stock"),
    ("--engine", "fast"),
    ("--engine", "fast", "--batch-size", "128"),
)


def main() -> None:
    """Start the lab with a state of its own, and photograph it."""
    with (
        tempfile.TemporaryDirectory() as home,
        serving(Path(home)) as server,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        # A figure that rolls to its next value would be caught half way.
        page = browser.new_page(viewport=SIZE, base_url=server.url, reduced_motion="reduce")
        page.set_default_timeout(300_000)
        train(page)
        running(page)
        race(page)
        for options in RUNS:
            by_command(Path(home), options)
        history_and_compare(page)
        browser.close()


def train(page: Page) -> None:
    """The form, with the article's network."""
    page.goto("/?preset=article")
    page.get_by_text("975,692").wait_for()
    page.get_by_text("Looking for devices").wait_for(state="detached")
    take(page, "train")


def running(page: Page) -> None:
    """A run on its way."""
    page.goto("/?preset=tiny&train_limit=4000&epochs=20&device=cpu")
    page.get_by_role("button", name="Start training").click()
    page.get_by_text(re.compile("Epoch ([5-9]|1[0-9]) of 20")).first.wait_for()
    take(page, "running")
    page.get_by_text(re.compile("^Finished in")).wait_for()


def race(page: Page) -> None:
    """A race that is decided."""
    page.goto("/race?preset=tiny&train_limit=4000")
    page.get_by_role("button", name="Start the race").click()
    page.get_by_role("heading", name="Where the time went").wait_for()
    take(page, "race")


def by_command(home: Path, options: tuple[str, ...]) -> None:
    """Train a run on the command line, into the session that the page shows."""
    command = [sys.executable, "-m", "cnnlab", "train", *RECIPE, *options]
    environment = os.environ | {"CNNLAB_HOME": str(home)}
    subprocess.run(command, check=True, cwd=HERE.parent, env=environment, capture_output=True)


def history_and_compare(page: Page) -> None:
    """All runs in a table, and those of the command line over each other."""
    page.goto("/history")
    page.get_by_text("All sessions").click()
    page.locator('[data-testid="stDataFrame"] canvas').first.wait_for()
    take(page, "history")
    page.goto("/compare")
    page.get_by_role("button", name="Add by search").click()
    page.get_by_placeholder("Name, network").fill("command line")
    page.keyboard.press("Enter")
    page.get_by_role("button", name=re.compile("^Add [0-9]+ runs")).click()
    page.locator('[data-testid="stVegaLiteChart"] canvas').nth(1).wait_for()
    page.keyboard.press("Escape")
    take(page, "compare")


def take(page: Page, name: str) -> None:
    """A picture, once what is drawn has come to rest."""
    page.mouse.move(0, 0)  # a chart under the pointer shows its toolbar
    page.evaluate("document.activeElement.blur()")  # nor the ring of what has the focus
    page.wait_for_timeout(2000)
    file = HERE / f"{name}.png"
    page.screenshot(path=file)
    size = file.stat().st_size
    print(f"{name}.png: {size:,} bytes")
    if size > LARGEST_BYTES:
        raise SystemExit(f"{name}.png is larger than {LARGEST_BYTES:,} bytes; show less in it.")


if __name__ == "__main__":
    main()
