"""Labs and specs to break."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from cnnlab.devices import worker_environment
from cnnlab.runner import Lab
from cnnlab.spec import (
    ExperimentSpec,
    change,
    parse_spec,
)
from tests.patience import PATIENCE_SECONDS

DENSE = {"family": "dense", "dense": [16]}


SHORT = parse_spec({"model": DENSE, "train_limit": 64, "epochs": 1, "threads": 1, "device": "cpu"})


LONG = change(SHORT, train_limit=300, epochs=10_000)


ROOT = Path(__file__).resolve().parents[2]


OFF = {"none": worker_environment("none")}


def until(true: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    """Wait for something to come to pass; whether it did, which the long tests count."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def submit(lab: Lab, spec: ExperimentSpec = SHORT) -> str:
    return lab.submit(spec, name="run", session="test")
