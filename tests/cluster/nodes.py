"""The nodes of a cluster on this computer, and the processes that labs have started on them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil
import ray.cluster_utils

from bench.serving import free_port
from tests.patience import until

ROOT = Path(__file__).resolve().parents[2]
QUIETLY: dict[str, Any] = {"include_dashboard": False, "num_cpus": 1}
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # for good: a lab may start processes at any moment


class Nodes:
    """A head and two more nodes, each with a client server at the head."""

    def __init__(self, home: Path, names: tuple[str, ...] = ("one", "two")) -> None:
        self.home, port = home, free_port()
        self._environment = {"CNNLAB_HOME": str(home), "PYTHONPATH": str(ROOT)}
        head = {"node_name": "head", "ray_client_server_port": port, **QUIETLY}
        head["env_vars"] = self._environment
        self._cluster = ray.cluster_utils.Cluster(initialize_head=True, head_node_args=head)
        self.nodes = {"head": self._cluster.head_node}
        for name in names:
            self.add(name)
        self.address = f"ray://127.0.0.1:{port}"
        self.inner_address: str = self._cluster.address
        until(lambda: answers("127.0.0.1", port))

    def add(self, name: str) -> None:
        """One more machine."""
        node = self._cluster.add_node(node_name=name, num_cpus=1, env_vars=self._environment)
        self.nodes[name] = node

    def kill(self, name: str) -> None:
        """End a machine hard: its raylet, and with it whatever it started."""
        self._cluster.remove_node(self.nodes.pop(name), allow_graceful=False)

    def kill_processes_of(self, name: str) -> None:
        """End what Ray runs on a machine, and leave it in the list."""
        self.nodes[name].kill_all_processes(check_alive=False, allow_graceful=False)

    def home_of(self, name: str) -> Path:
        return self.home / "cluster" / name

    def close(self) -> None:
        self._cluster.shutdown()

    def workers(self, name: str) -> list[psutil.Process]:
        """The training processes on a machine."""
        return [
            process
            for process in psutil.process_iter()
            if _variable(process, "CNNLAB_HOME") == str(self.home_of(name))
            and "cnnlab.worker" in _command(process)
        ]


def living(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended; one that nobody has buried yet has."""
    return [each for each in processes if _lives(each)]


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def answers(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as asking:
        return asking.connect_ex((host, port)) == 0


def _variable(process: psutil.Process, name: str) -> str | None:
    try:
        return process.environ().get(name)
    except (psutil.Error, OSError):
        return None


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
