"""Nothing leaves this computer: a page asks no host but its own."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Page, expect

from bench.serving import ROOT
from tests.browser.patience import opened

PAGES = ("", *sorted(path.stem for path in (ROOT / "pages").glob("*.py")))


def test_no_page_makes_a_request_beyond_its_own_server(page: Page, server) -> None:
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url))
    page.on("websocket", lambda socket: asked.add(socket.url))
    for name in PAGES:
        opened(page, f"/{name}")
        expect(page.locator("link[rel='shortcut icon'], link[rel='icon']").first).to_be_attached()
    own = urlsplit(server.url).netloc
    beyond = {url for url in asked if urlsplit(url).netloc not in (own, "")}
    assert beyond == set()
    assert any(re.match("wss?://", url) for url in asked)  # sockets were counted too
