"""Small runs for a cluster."""

from __future__ import annotations

from cnnlab.runner import Lab
from cnnlab.spec import ExperimentSpec, change, parse_spec

DENSE = {"family": "dense", "dense": [16]}
SHORT = parse_spec({"model": DENSE, "train_limit": 200, "epochs": 2, "threads": 1, "device": "cpu"})
LONG = change(SHORT, epochs=10_000)


def submit(lab: Lab, spec: ExperimentSpec, machine: str) -> str:
    return lab.submit(change(spec, machine=machine), name="run", session="test")
