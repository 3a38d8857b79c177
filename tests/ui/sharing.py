"""A lab that is shared: browsers of a presenter and of visitors, for tests of pages."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from cnnlab.sharing import PASSPHRASE
from cnnlab.ui import rights, top
from tests.quiet_lab import TRAIN, arriving

WORD = "open sesame"


def share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share the lab for as long as a test lasts."""
    monkeypatch.setenv(PASSPHRASE, WORD)


def visitor(page: str = TRAIN, **query: str) -> AppTest:
    """A visitor's browser that comes in by a link."""
    return _drawn(arriving(page), query)


def presenter(page: str = TRAIN, **query: str) -> AppTest:
    """A presenter's browser."""
    app = arriving(page)
    app.session_state[rights.KEY] = rights.door().key
    return _drawn(app, query)


def go(app: AppTest, page: str, **query: str) -> AppTest:
    """Let a browser open another page."""
    app.switch_page(f"pages/{page or 'train'}.py")
    return _drawn(app, query)


def _drawn(app: AppTest, query: dict[str, str]) -> AppTest:
    app.query_params.clear()
    app.query_params.update(query)
    return again(app)


def again(app: AppTest) -> AppTest:
    """Let a browser ask for its page anew, with what was pressed on it."""
    # Each run of AppTest is one of a fresh server, where a page runs without the app around it
    # until it finds that out (`top.require_app`).
    if top.THROUGH_APP in app.session_state:
        del app.session_state[top.THROUGH_APP]
    app.run()
    assert not app.exception, app.exception[0].stack_trace
    app._page_hash = ""  # a browser asks next for the page that it was brought to
    return app


def press(app: AppTest, key: str) -> AppTest:
    """Let a browser press a button."""
    app.button(key=key).click()
    return again(app)


def keys(app: AppTest) -> set[str]:
    """What can be pressed."""
    return {button.key for button in app.button if button.key}
