"""What the tests of history share."""

from contextlib import closing

import pytest

from cnnlab.history import History, database
from tests.history.examples import SPEC


@pytest.fixture
def file(tmp_path):
    return tmp_path / "lab" / "history.db"


@pytest.fixture
def url(file):
    return database.sqlite_url(file)


@pytest.fixture
def history(url):
    with closing(History(url)) as opened:
        yield opened


@pytest.fixture
def run_id(history):
    return history.create(SPEC, name="a run", session="one")
