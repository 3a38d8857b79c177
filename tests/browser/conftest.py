"""A real lab and a real browser; skipped where no Chromium is installed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from bench.serving import ARGUMENTS, CHROMIUM, Server, plainly, serving
from cnnlab.commands.share import command
from cnnlab.history import History
from cnnlab.sharing import PASSPHRASE

pytest.importorskip("playwright.sync_api")

from playwright import sync_api as playwright

from tests.browser.patience import WAIT_MS

playwright.expect.set_options(timeout=WAIT_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Tell with a failure what stood on the page by then."""
    report = yield
    page = getattr(item, "funcargs", {}).get("page")
    if report.when == "call" and report.failed and page is not None and not page.is_closed():
        with suppress(playwright.Error):
            stood = page.evaluate("document.body.innerText")
            report.sections.append((f"the page {page.url}", stood))
    return report


@pytest.fixture(scope="module")
def home_of_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server keeps its state, for what else is to write there."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def history_of_server(home_of_server: Path) -> Iterator[History]:
    """What another process wrote before the server starts, as after a restart."""
    history = History(f"sqlite:///{home_of_server / 'history.db'}")
    yield history
    history.close()


@pytest.fixture(scope="module")
def runs() -> tuple[str, ...]:
    """The ids of the runs that the server finds; a module that wants any writes them."""
    return ()


@pytest.fixture(scope="module")
def passphrase() -> str:
    """Of a lab that is shared; a module that shares its own names it."""
    return ""


@pytest.fixture(scope="module")
def server(home_of_server: Path, runs: tuple[str, ...], passphrase: str) -> Iterator[Server]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    start = (lambda port: command(port, [])) if passphrase else plainly
    with serving(home_of_server, start, {PASSPHRASE: passphrase} if passphrase else {}) as running:
        yield running


@pytest.fixture
def fresh_server(server: Server, tmp_path: Path) -> Iterator[Server]:
    """One that nobody has visited yet."""
    with serving(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def browser(server: Server) -> Iterator[playwright.Browser]:
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, timeout=WAIT_MS)
        yield chromium
        chromium.close()


@pytest.fixture
def visitor(
    browser: playwright.Browser, server: Server
) -> Iterator[Callable[..., playwright.Page]]:
    """Lets another visitor come to the lab; called with what its browser is to be like."""
    with ExitStack() as leaving:

        def come(**options: Any) -> playwright.Page:
            context = browser.new_context(**{"base_url": server.url} | options)
            leaving.callback(context.close)
            context.set_default_timeout(WAIT_MS)
            return context.new_page()

        yield come


@pytest.fixture
def page(visitor: Callable[..., playwright.Page]) -> Iterator[playwright.Page]:
    """A new visitor at the lab's door; whatever the page raises fails the test."""
    page = visitor(viewport={"width": 1440, "height": 900})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []
