"""The machines of a cluster are told with what they have, and one that is open is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cnnlab import cluster as clusters
from cnnlab.__main__ import cli
from cnnlab.cluster import access, facts
from cnnlab.spec import LabError
from tests.cluster.nodes import Nodes

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False, standalone_mode=False)
    return done.return_value, done.stdout


def test_every_node_is_listed_with_what_it_has_and_checked(cluster: Nodes) -> None:
    code, text = run("machines", "check", "--json")
    assert code == 0, text
    found = json.loads(text)
    assert found["cluster"] == cluster.address
    assert [machine["name"] for machine in found["machines"]] == ["head", "one", "two"]
    for machine in found["machines"]:
        assert machine["state"] == "free"
        assert machine["problem"] is None
        assert machine["cpu"]
        assert machine["cores"] > 0
        assert machine["accelerators"] == []
        assert {"cnnlab", "torch", "keras"} <= set(machine["versions"])
        assert 0 < machine["round_trip_ms"] < 5_000


def test_without_a_cluster_there_are_no_machines(monkeypatch) -> None:
    monkeypatch.delenv("CNNLAB_CLUSTER", raising=False)
    assert clusters.look() == []
    with pytest.raises(LabError, match="No cluster is named: set CNNLAB_CLUSTER"):
        run("machines", "list")
    with pytest.raises(LabError, match="part of no cluster"):
        clusters.start("one", "none")


@pytest.mark.parametrize("address", ["ray://nowhere", "host", "ray://:1", "http://x:y"])
def test_an_address_that_is_none_is_refused(monkeypatch, address: str) -> None:
    monkeypatch.setenv("CNNLAB_CLUSTER", address)
    with pytest.raises(LabError, match="must be ray://HOST:10001"):
        clusters.named()


def test_other_versions_are_refused_with_the_cure_and_builds_are_not() -> None:
    same = {name: f"{version}+cu128" for name, version in facts.here().items()}
    assert facts.mismatch("box", same) is None
    assert "box has torch 2.1.0, but this lab has" in facts.mismatch(
        "box", same | {"torch": "2.1.0"}
    )
    assert "box has Keras" not in facts.mismatch("box", same | {"keras": None})
    assert "install the same there" in facts.mismatch("box", same | {"cnnlab": "0.1.0"})


def test_a_cluster_that_lets_everybody_in_is_refused_off_the_loopback(cluster, monkeypatch) -> None:
    target = cluster.address.removeprefix("ray://")
    access._refuse_open(target, access.ASK_CLIENT_SERVER)
    monkeypatch.setattr(access, "_is_loopback", lambda host: False)
    for address, method in (
        (target, access.ASK_CLIENT_SERVER),
        (cluster.inner_address, access.ASK_HEAD),
    ):
        with pytest.raises(LabError, match="lets in whoever reaches it"):
            access._refuse_open(address, method)


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("192.0.2.7", False)],
)
def test_the_loopback_interface_is_known_by_its_addresses(host: str, is_loopback: bool) -> None:
    assert access._is_loopback(host) is is_loopback


IMPORTED = """
import sys
import cnnlab.ui.lab, cnnlab.__main__
assert "ray" not in sys.modules and "grpc" not in sys.modules
"""


def test_ray_is_imported_neither_by_the_pages_nor_by_the_commands() -> None:
    subprocess.run([sys.executable, "-c", IMPORTED], cwd=ROOT, check=True)
