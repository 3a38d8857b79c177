"""A real lab and a real browser; skipped where no Chromium is installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.serving import ARGUMENTS, CHROMIUM, Server, serving

playwright = pytest.importorskip("playwright.sync_api")

WAIT_MS = 60_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def home_of_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server keeps its state, for what else is to write there."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server(home_of_server: Path) -> Iterator[Server]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with serving(home_of_server) as running:
        yield running


@pytest.fixture
def fresh_server(server: Server, tmp_path: Path) -> Iterator[Server]:
    """One that nobody has visited yet."""
    with serving(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def browser(server: Server) -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: playwright.Browser, server: Server) -> Iterator[playwright.Page]:
    """A new visitor at the lab's door; whatever the page raises fails the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=server.url)
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []
