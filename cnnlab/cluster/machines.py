"""The machines of the cluster, and training processes on them, without a word of Ray."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from cnnlab.cluster.facts import MachineFacts, named, surroundings
from cnnlab.runner.process import Worker
from cnnlab.spec import GpuOff, LabError

LOOK_SECONDS = 150.0
BRIDGE = (sys.executable, "-m", "cnnlab.cluster.bridge")


def start(machine: str, gpu_off: GpuOff) -> Worker:
    """A training process on a machine, which says hello once it is there.

    Raises:
        LabError: no cluster is named.
    """
    if named() is None:
        raise LabError(
            f"The machine {machine} is part of no cluster that this lab knows: set CNNLAB_CLUSTER, "
            "or choose the machine here."
        )
    return Worker(gpu_off, surroundings(), (*BRIDGE, machine), end=subprocess.Popen.terminate)


def look(*, check: bool = False) -> list[MachineFacts]:
    """Every node of the cluster, in the order of their names; empty where none is named.

    Args:
        check: also hold versions against this lab's, and time a call to each.

    Raises:
        LabError: the cluster cannot be reached, or is refused.
    """
    if named() is None:
        return []
    command = [sys.executable, "-m", "cnnlab.cluster.survey", *(["--check"] if check else [])]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=LOOK_SECONDS,
            env=os.environ | surroundings(),
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"The cluster {named()} does not answer; look whether it runs.") from error
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1][:300]
        raise LabError(f"The cluster {named()} could not be asked ({last}).") from error
    if "error" in answer:
        raise LabError(answer["error"])
    return [MachineFacts.model_validate(each) for each in answer["machines"]]


def one_called(name: str) -> MachineFacts:
    """The machine of that name.

    Raises:
        LabError: there is none; or as `look`.
    """
    found = look()
    machine = next((each for each in found if each.name == name), None)
    if machine is None:
        there = ", ".join(each.name for each in found) or "none"
        raise LabError(f"There is no machine {name!r}, only {there}; choose one of them.")
    return machine
