"""A real Ray cluster of three nodes on the loopback interface, while this room is tested."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="Ray is not installed (requirements-cluster.txt)")

from cnnlab import cluster as clusters
from cnnlab.devices import worker_environment
from cnnlab.history import History
from cnnlab.runner import Lab
from tests.cluster.nodes import Nodes

OFF = {way: worker_environment(way) for way in ("none", "environment")}


@pytest.fixture(scope="package")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """The machines `head`, `one` and `two`, which know nothing of any lab's home."""
    opened = Nodes(tmp_path_factory.mktemp("nodes"))
    yield opened
    opened.close()


@pytest.fixture
def cluster(nodes: Nodes, home: Path, monkeypatch: pytest.MonkeyPatch) -> Nodes:
    """The nodes, as the cluster that this test's lab knows."""
    monkeypatch.setenv("CNNLAB_CLUSTER", nodes.address)
    return nodes


@pytest.fixture
def history(home: Path) -> Iterator[History]:
    history = History()
    yield history
    history.close()


@pytest.fixture
def lab(history: History, cluster: Nodes) -> Iterator[Lab]:
    lab = Lab(history, OFF, clusters.start)
    yield lab
    lab.close()
