"""A lab in a process of its own, which can be killed as a laptop's can."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cnnlab.spec import ExperimentSpec, change

ROOT = Path(__file__).resolve().parents[2]
LAB = """
import sys, time
from cnnlab import cluster
from cnnlab.devices import worker_environment
from cnnlab.history import History
from cnnlab.runner import Lab
from cnnlab.spec import ExperimentSpec

spec, epochs = ExperimentSpec.model_validate_json(sys.argv[1]), int(sys.argv[2])
lab = Lab(History(), {"none": worker_environment("none")}, cluster.start)
run_id = lab.submit(spec, name="run", session="test")
while not (live := lab.live(run_id)) or len(live.epochs) < epochs:
    time.sleep(0.1)
print(run_id, flush=True)
time.sleep(600)
"""


@contextmanager
def lab_apart(
    spec: ExperimentSpec, machine: str, epochs: int
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another lab on this test's history, and its run on a machine once it has so many epochs."""
    order = change(spec, machine=machine).model_dump_json()
    command = [sys.executable, "-c", LAB, order, str(epochs)]
    lab = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert lab.stdout
    try:
        yield lab, lab.stdout.readline().strip()
    finally:
        lab.kill()
        lab.wait()
        lab.stdout.close()
