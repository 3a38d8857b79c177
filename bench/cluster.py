"""What a cluster costs a run: epochs on a node through the lab against the command line there, the
start of a run, and how late the page hears of a step.

The node is this computer: what is measured is the way there, not another machine. It needs Ray.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import measure
from cnnlab import cluster
from cnnlab.devices import worker_environment
from cnnlab.history import History
from cnnlab.runner import Lab, Worker
from cnnlab.runner.job import Job
from cnnlab.runner.live import LiveRun
from cnnlab.runner.process import Process, events_of
from cnnlab.spec import PRESETS, ExperimentSpec, RunCard, Window, change

NODE = "box"
PAIRS = 5
WORKS = {
    "dense": change(PRESETS["dense"].spec, dataset="shapes10", train_limit=20_000, epochs=3),
    "article": change(PRESETS["article"].spec, dataset="shapes", train_limit=640, epochs=3),
}
ENVIRONMENTS = {"none": worker_environment("none")}


@contextmanager
def one_node() -> Iterator[None]:
    """A cluster of one node on the loopback interface, which this process's labs know."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray.cluster_utils

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    head = {"node_name": NODE, "ray_client_server_port": port, "include_dashboard": False}
    head["env_vars"] = {"PYTHONPATH": str(measure.ROOT)}  # where the node finds the lab
    nodes = ray.cluster_utils.Cluster(initialize_head=True, head_node_args=head)
    os.environ[cluster.VARIABLE] = f"ray://127.0.0.1:{port}"
    try:
        yield
    finally:
        del os.environ[cluster.VARIABLE]
        nodes.shutdown()


def epoch_seconds(card: RunCard) -> float:
    """The median epoch after the first, which holds the warm-up."""
    return statistics.median(row.seconds for row in card.epochs[1:])


def through_lab(lab: Lab, history: History, spec: ExperimentSpec, machine: str) -> RunCard:
    """A run in the lab's queue, once a worker is ready for it."""
    run_id = lab.submit(change(spec, machine=machine), name="bench", session="bench")
    lab.wait_idle(600)
    return history.card(run_id, steps=False)


def by_command(spec: ExperimentSpec, folder: Path) -> float:
    """The same on the command line."""
    file = folder / "spec.json"
    file.write_text(spec.model_dump_json())
    command = [sys.executable, "-m", "cnnlab", "train", "--spec", str(file), "--json"]
    done = subprocess.run(command, cwd=measure.ROOT, capture_output=True, text=True, check=True)
    return epoch_seconds(RunCard.model_validate_json(done.stdout))


def epochs(lab: Lab, history: History, folder: Path, name: str, pairs: int) -> dict[str, Any]:
    """Epochs of a work through the cluster against those of the command line, in pairs."""
    spec = WORKS[name]
    found = measure.paired(
        lambda: epoch_seconds(through_lab(lab, history, spec, NODE)),
        lambda: by_command(spec, folder),
        pairs,
    )
    arms = {"a": "on a node through the lab", "b": "command line there"}
    return {"name": f"epoch on a node, {name}", "unit": "s", "arms": arms, **found}


def starts(lab: Lab, history: History, pairs: int) -> dict[str, Any]:
    """From Start to the first word of a run, in a process that is ready."""
    spec = change(WORKS["dense"], train_limit=640, epochs=2)

    def start_on(machine: str) -> Callable[[], float]:
        def arm() -> float:
            card = through_lab(lab, history, spec, machine)
            time.sleep(READY_SECONDS)
            return card.timing.startup_seconds or float("nan")

        return arm

    found = measure.paired(start_on(NODE), start_on("here"), pairs)
    arms = {"a": "on a node", "b": "here"}
    return {"name": "warm start", "unit": "s", "arms": arms, **found}


READY_SECONDS = 15.0
"""Until the next process is ready, with all its imports."""


def delays(process: Process) -> list[float]:
    """How much later than the quickest each window of a run arrives, in seconds."""
    process.line()
    spec = change(WORKS["dense"], epochs=6)
    job = Job("bench", spec, LiveRun("bench", spec), cut_seconds=8.0)
    process.send(job.order(time.monotonic()))
    late = [
        time.monotonic() - event.seconds
        for event in events_of(process)
        if isinstance(event, Window)
    ]
    process.close()
    return sorted(each - min(late) for each in late)


def live() -> dict[str, Any]:
    """How late windows are heard of: the 95th percentile on a node, and here."""
    there, here = (
        delays(each) for each in (cluster.start(NODE, "none"), Worker("none", ENVIRONMENTS["none"]))
    )
    return {
        "live_delay_p95_seconds": {
            name: found[int(0.95 * (len(found) - 1))]
            for name, found in (("node", there), ("here", here))
        }
    }


def main(names: tuple[str, ...] = ("dense", "article"), pairs: int = PAIRS) -> list[dict[str, Any]]:
    """All of it."""
    with tempfile.TemporaryDirectory() as folder, one_node():
        history = History(f"sqlite:///{Path(folder) / 'history.db'}")
        lab = Lab(history, ENVIRONMENTS, cluster.start)
        try:
            found = [
                measure.attempted(
                    f"epoch on a node, {name}",
                    lambda name=name: epochs(lab, history, Path(folder), name, pairs),
                )
                for name in names
            ]
            found.append(measure.attempted("warm start", lambda: starts(lab, history, pairs)))
        finally:
            lab.close()
        found[0] |= live()
    measure.save("cluster", found)
    return found


if __name__ == "__main__":
    for each in main(tuple(sys.argv[1:]) or ("dense", "article")):
        print(json.dumps(each, indent=1))
