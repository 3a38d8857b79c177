"""A cluster that is made as the README says lets in whoever has its token, and nobody else."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from bench.serving import free_port
from cnnlab.cluster import access
from cnnlab.spec import LabError
from tests.cluster.examples import SHORT
from tests.cluster.nodes import ROOT, Nodes, answers
from tests.cluster.test_machines import run
from tests.patience import until

RAY = str(Path(sys.executable).with_name("ray"))


@dataclass(frozen=True)
class Guarded:
    """A cluster that asks for a token, which is in its owner's home."""

    owner: Path
    host: str
    port: int
    head_port: int

    @property
    def address(self) -> str:
        return f"ray://{self.host}:{self.port}"

    @property
    def token(self) -> str:
        return (self.owner / ".ray" / "auth_token").read_text()


@pytest.fixture(scope="module")
def host() -> str:
    """An address of this computer that others on its network could reach."""
    for each in psutil.net_if_addrs().values():
        for found in each:
            if found.family == socket.AF_INET and not found.address.startswith("127."):
                return found.address
    pytest.skip("this computer has no address but that of the loopback interface")


@pytest.fixture(scope="module")
def guarded(host: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    owner = tmp_path_factory.mktemp("owner")
    made = Guarded(owner, host, free_port(), free_port())
    variables = {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(ROOT)}
    variables |= {"HOME": str(owner), "CNNLAB_HOME": str(owner / "lab")}
    environment = os.environ | variables
    ports = (f"--ray-client-server-port={made.port}", f"--port={made.head_port}")
    small = ("--num-cpus=1", "--object-store-memory=100000000", "--include-dashboard=false")
    subprocess.run(
        [RAY, "get-auth-token", "--generate"], env=environment, check=True, capture_output=True
    )
    command = [RAY, "start", "--head", "--node-name=gpu-box", "--block", *ports, *small]
    with (owner / "ray.log").open("w") as log:
        head = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        until(lambda: answers(host, made.port))
        yield made
    finally:
        head.terminate()
        head.wait()


@pytest.fixture
def visitor(tmp_path: Path, guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of somebody who names that cluster and has no token."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CNNLAB_CLUSTER", guarded.address)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def give(home: Path, token: str) -> None:
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_text(token)


def test_who_has_the_token_is_let_in_over_the_network(visitor: Path, guarded: Guarded) -> None:
    give(visitor, guarded.token)
    code, text = run("machines", "check", "--json")
    assert code == 0, text
    (machine,) = json.loads(text)["machines"]
    assert (machine["name"], machine["state"], machine["problem"]) == ("gpu-box", "free", None)


@pytest.mark.soak
def test_who_has_the_token_trains_over_the_network(visitor: Path, guarded: Guarded) -> None:
    give(visitor, guarded.token)
    spec = visitor / "spec.json"
    spec.write_text(SHORT.model_dump_json())
    code, text = run("train", "--spec", str(spec), "--machine", "gpu-box", "--json")
    assert code == 0, text
    assert json.loads(text)["machine"]["name"] == "gpu-box"


@pytest.mark.parametrize("token", [None, "f" * 64])
def test_who_has_another_token_or_none_is_told_which(visitor: Path, token: str | None) -> None:
    if token:
        give(visitor, token)
    with pytest.raises(LabError, match="does not take this lab's token"):
        run("machines", "list")


def test_both_doors_of_a_guarded_cluster_are_found_shut(guarded: Guarded) -> None:
    access._refuse_open(f"{guarded.host}:{guarded.port}", access.ASK_CLIENT_SERVER)
    access._refuse_open(f"{guarded.host}:{guarded.head_port}", access.ASK_HEAD)


def test_a_cluster_without_tokens_is_refused_over_the_network(
    host: str, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = nodes.address.rpartition(":")[2]
    monkeypatch.setenv("CNNLAB_CLUSTER", f"ray://{host}:{port}")
    with pytest.raises(LabError, match="lets in whoever reaches it, and would run their code"):
        run("machines", "list")
