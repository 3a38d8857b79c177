"""Shared by all tests: the backend, a home of one's own, and where real data lies."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import streamlit
from hypothesis import HealthCheck, settings
from streamlit.components.v2 import manifest_scanner

from cnnlab.ui import held
from tests import postgres_server
from tests.parallel import Rooms
from tests.processes import Started
from tests.quiet_lab import QuietLab

os.environ["KERAS_BACKEND"] = "torch"
# Threads of a step that wait by spinning are quickest on a quiet machine, and many times slower on
# one that does other things as well: tests time nothing, so they wait asleep.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# For the same reason no generated example has a deadline, nor its making.
settings.register_profile("lab", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lab")
# Before its first page AppTest asks each installed package whether it brings parts of Streamlit's:
# a quarter of a second in every test of a page, and the answer stays the same.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)

REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a CUDA device where there is none; torch is loaded only to ask."""
    needy = [item for item in items if item.get_closest_marker("gpu")]
    if needy and not importlib.import_module("torch").cuda.is_available():
        for item in needy:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Rooms:
    """Asked where the suite is passed by several processes."""
    return Rooms(config, log)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lab's state of this test alone."""
    folder = tmp_path / "home"
    monkeypatch.setenv("CNNLAB_HOME", str(folder))
    monkeypatch.delenv("CNNLAB_DATABASE_URL", raising=False)
    return folder


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the peaks of this machine lie that tests have measured."""
    return tmp_path_factory.mktemp("machine") / "peaks.json"


@pytest.fixture
def peaks(home: Path, machine: Path) -> Iterator[None]:
    """Runs of this test know what this machine can do, as all but the first run of a lab do.

    To measure it takes as long as the fit of a small test.
    """
    home.mkdir(exist_ok=True)
    if machine.exists():
        shutil.copy(machine, home)
    yield
    if (found := home / machine.name).exists():
        shutil.copy(found, machine)


@pytest.fixture(autouse=True)
def nothing_held() -> Iterator[None]:
    """What pages hold for all browsers, or remember for a while, does not reach the next test."""
    yield
    held.let_go()
    streamlit.cache_data.clear()
    streamlit.cache_resource.clear()


@pytest.fixture(autouse=True)
def arithmetic() -> Iterator[None]:
    """A run sets the threads of its process, and flushes subnormal numbers, which is not to reach
    the next test: Hypothesis wants them.
    """
    before = sys.modules["torch"].get_num_threads() if "torch" in sys.modules else None
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)
        if before:
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
    yield lab
    lab.close()
