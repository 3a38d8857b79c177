"""A page of the lab over many runs, opened in a new session as a browser does it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from unittest.mock import patch

from streamlit.navigation.page import StreamlitPage
from streamlit.testing.v1 import AppTest

from bench.measure import ROOT
from cnnlab.history import History
from cnnlab.runner.station import Station
from cnnlab.spec import RunCard
from cnnlab.ui import held

Around = Callable[[Callable[[], object]], None]
"""Runs the page's script that it is given, and times it."""


def no_worker() -> AbstractContextManager[object]:
    """Meanwhile no lab starts a training process before there is a run for it."""
    return patch.object(Station, "_warm", lambda self: None)


@contextmanager
def lab_with(cards: list[RunCard]) -> Iterator[list[str]]:
    """A lab for pages, with a home of its own and no worker process: the ids of its runs."""
    with (
        tempfile.TemporaryDirectory() as home,
        patch.dict(os.environ, {"CNNLAB_HOME": home}),
        no_worker(),
    ):
        history = History()
        run_ids = history.add_cards(cards, origin="example")
        history.close()
        held.let_go()  # of one that was opened before, in another home
        try:
            yield run_ids
        finally:
            held.let_go()


def opened(page: str, around: Around, rows: int | None = None, **query: str) -> AppTest:
    """Open a page of the app; its script alone is timed, from its first line to its last.

    Args:
        page: its file's name, without the ending.
        rows: how many its table is to have; null: it may have any.

    Raises:
        RuntimeError: the page failed, or its table has another number of rows.
    """
    app = AppTest.from_file(ROOT / "app.py", default_timeout=60).run()
    app.switch_page(f"pages/{page}.py")
    for name, value in query.items():
        app.query_params[name] = value
    run = StreamlitPage.run
    with patch.object(StreamlitPage, "run", lambda self: around(partial(run, self))):
        app.run()
    if app.exception:
        raise RuntimeError(app.exception[0].message)
    if rows is not None and len(app.dataframe[0].value) != rows:
        raise RuntimeError(f"The table of {page} does not hold every run.")
    return app
