"""What the tests of history share. Whatever is asked of a history holds on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from cnnlab.history import History, database
from tests.history.examples import SPEC

BOTH = ("sqlite", "postgresql")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that looks into the `file` is one of SQLite; others run on both, or on `KINDS`."""
    if "on" in metafunc.fixturenames:
        kinds = getattr(metafunc.module, "KINDS", BOTH)
        of_file = "file" in metafunc.fixturenames
        metafunc.parametrize("on", BOTH[:1] if of_file else kinds, indirect=True)


@pytest.fixture
def on(request: pytest.FixtureRequest) -> Any:
    """The kind of database of a test."""
    return request.param


@contextmanager
def new_history(on: str, file: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a new history on a kind of database; it goes with the test."""
    if on == "sqlite":
        yield database.sqlite_url(file)
        return
    server = request.getfixturevalue("postgres")
    address = server.new()
    yield address
    server.drop(address)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "lab" / "history.db"


@pytest.fixture
def url(on, tmp_path, request):
    with new_history(on, tmp_path / "lab" / "history.db", request) as address:
        yield address


@pytest.fixture
def history(url):
    with closing(History(url)) as opened:
        yield opened


@pytest.fixture
def run_id(history):
    return history.create(SPEC, name="a run", session="one")
