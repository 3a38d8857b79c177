"""A step of a run that takes subnormal numbers as nought, and of one that keeps them, in its last
epoch.

What they cost depends on the processor: Intel's leave their quick way for each, AMD's hardly. Runs
are long enough for some of Adam's averages to become subnormal (`cnnlab.engines.subnormals`).
`python -m bench.subnormals` takes about eight minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from functools import partial
from typing import Any
from unittest.mock import patch

from bench.measure import ROOT, attempted, paired, save
from cnnlab.devices import worker_environment
from cnnlab.spec import PRESETS, EpochEnded, Event, ExperimentSpec, change, parse_spec

PAIRS = 5
DENSE = change(
    PRESETS["dense"].spec, dataset="shapes", train_limit=20_000, epochs=2, device="cpu", threads=1
)
WORKS = {
    "Step in the second epoch, dense on shapes, batch 32, one thread": DENSE,
    "The same, two threads": change(DENSE, threads=2),
    "Step in the sixth epoch, tiny on ten shapes, batch 32": change(
        PRESETS["tiny"].spec, dataset="shapes10", train_limit=12_000, epochs=6, device="cpu"
    ),
}
KEPT = "kept"


def train(spec: ExperimentSpec, kept: bool) -> float:
    """Milliseconds of a step in the last epoch of a run in this process."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    from cnnlab import training

    told: list[Event] = []
    keeping = patch("cnnlab.engines.fast.flush_subnormals", lambda _: False)
    with keeping if kept else nullcontext():
        training.train(spec, told.append, lambda: False, launched_at=time.monotonic(), tested=False)
    return [event.row.step_ms_mean for event in told if isinstance(event, EpochEnded)][-1]


def arm(spec: ExperimentSpec, *words: str) -> float:
    """The same in a process of its own, as the lab starts those that train."""
    command = [sys.executable, "-m", "bench.subnormals", spec.model_dump_json(), *words]
    environment = os.environ | worker_environment("none")
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def measured(spec: ExperimentSpec) -> dict[str, Any]:
    """Both arms at one work."""
    found = paired(partial(arm, spec), partial(arm, spec, KEPT), PAIRS)
    arms = {"a": "subnormal numbers as nought", "b": "kept"}
    return found | {"unit": "ms", "arms": arms}


def main() -> list[dict[str, Any]]:
    """Measure, keep and return the results."""
    results = [attempted(name, partial(measured, spec)) for name, spec in WORKS.items()]
    save("subnormals", results)
    return results


if __name__ == "__main__":
    if given := sys.argv[1:]:
        print(train(parse_spec(json.loads(given[0])), KEPT in given[1:]))
    else:
        print(json.dumps(main(), indent=2))
