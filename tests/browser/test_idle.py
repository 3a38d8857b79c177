"""A page on which nothing happens notices what others begin, and brings its visitor there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, expect

from bench.serving import ROOT
from tests.browser.patience import settled

PAGES = ("learn", "race", "explore", "history", "compare", "data", "hardware")


@pytest.fixture
def idle(visitor: Callable[..., Page]) -> dict[str, Page]:
    """A tab on each page, all at rest."""
    first = visitor()
    pages = {name: first.context.new_page() for name in PAGES} | {"": first}
    for name, page in pages.items():
        page.goto(f"/{name}")
        expect(page.get_by_text("Nothing is training")).to_be_visible()
        settled(page)
    return pages


def test_every_idle_page_notices_a_run_of_another_browser(page: Page, idle) -> None:
    page.goto("/?train_limit=400&epochs=2000")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile("run="))
    for name in PAGES:
        chip = idle[name].locator(".st-key-top").get_by_text(re.compile("^Training "))
        expect(chip).to_be_visible()
    expect(idle[""]).to_have_url(re.compile("run="))  # brought there
    page.get_by_role("button", name=re.compile("^Stop")).last.click()
    expect(page.get_by_text(re.compile("^Stopped"))).to_be_visible()
    expect(idle["data"].get_by_text("Nothing is training")).to_be_visible()


def test_an_idle_page_notices_a_run_of_the_command_line(server, idle, home_of_server) -> None:
    command = [sys.executable, "-m", "cnnlab", "train", "--preset", "tiny", "--limit", "400"]
    command += ["--epochs", "2000", "--device", "cpu"]
    environment = os.environ | {"CNNLAB_HOME": str(home_of_server)}
    run = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        expect(idle[""]).to_have_url(re.compile("run="))
        chip = idle["history"].locator(".st-key-top").get_by_text(re.compile("^Training "))
        expect(chip).to_be_visible()
    finally:
        run.kill()
        run.wait()
