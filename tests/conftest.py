"""Shared by all tests: the backend, a home of one's own, and where real data lies."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit
from hypothesis import settings

from cnnlab.ui import lab as lab_of_pages
from tests import postgres_server
from tests.processes import Started
from tests.quiet_lab import QuietLab

os.environ["KERAS_BACKEND"] = "torch"
# Threads of a step that wait by spinning are quickest on a quiet machine, and many times slower on
# one that does other things as well: tests time nothing, so they wait asleep.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# For the same reason no generated example has a deadline.
settings.register_profile("lab", deadline=None)
settings.load_profile("lab")

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a CUDA device where there is none; torch is loaded only to ask."""
    needy = [item for item in items if item.get_closest_marker("gpu")]
    if needy and not importlib.import_module("torch").cuda.is_available():
        for item in needy:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lab's state of this test alone."""
    folder = tmp_path / "home"
    monkeypatch.setenv("CNNLAB_HOME", str(folder))
    monkeypatch.delenv("CNNLAB_DATABASE_URL", raising=False)
    return folder


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """A run sets the threads of its process, which is not to reach the next test."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    yield
    if torch:
        torch.set_num_threads(before)


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_server.Server]:
    """A PostgreSQL server for all tests that need one."""
    if postgres_server.programs() is None:
        pytest.skip("no PostgreSQL is installed here (Debian: apt install postgresql)")
    with postgres_server.server() as server:
        yield server


@pytest.fixture
def started() -> Started:
    """The processes that are started from here on."""
    return Started()


@pytest.fixture
def cifar10() -> Path:
    """The CIFAR-10 pictures as JPEG files by class, 50,000 to train on."""
    return _real("cifar10-images.tar.xz")


@pytest.fixture
def mnist() -> Path:
    """MNIST in Keras's layout."""
    return _real("mnist.npz")


def _real(name: str) -> Path:
    path = REAL_DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


@pytest.fixture
def quiet_lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[QuietLab]:
    """The lab that pages find: one that starts no worker process and does as the test says."""
    lab = QuietLab()
    monkeypatch.setattr("cnnlab.ui.lab.Lab", lambda *_: lab)
    streamlit.cache_resource.clear()
    lab_of_pages.let_go()
    yield lab
    lab_of_pages.let_go()
    streamlit.cache_resource.clear()
