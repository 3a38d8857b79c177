"""A step beside a core that is busy with something else, and on a quiet machine.

The arms differ in how long the threads of a step wait for each other before they sleep: as the lab
sets it (`cnnlab.devices.worker_environment`), and as GNU's OpenMP has it by itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

from bench.measure import attempted, paired, save
from bench.ui_tax import headless
from cnnlab.devices import worker_environment
from cnnlab.spec import PRESETS, ExperimentSpec, change

PAIRS = 5
OPENMP = {"GOMP_SPINCOUNT": "300000"}
"""What libgomp counts to where nothing is set and there are cores enough (its `env.c`)."""
QUIET = change(PRESETS["dense"].spec, dataset="shapes", train_limit=20_000, epochs=1, device="cpu")
BUSY = change(QUIET, train_limit=2_500)


@contextmanager
def busy_core() -> Iterator[None]:
    """A process of another session that never rests, as a browser's is."""
    burning = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
    try:
        yield
    finally:
        burning.kill()
        burning.wait()


def arm(spec: ExperimentSpec, variables: dict[str, str], busy: bool) -> float:
    """Milliseconds of a step, trained from the command line with some variables set."""
    with patch.dict(os.environ, variables), busy_core() if busy else nullcontext():
        return headless(spec)


def measured(spec: ExperimentSpec, busy: bool) -> dict[str, Any]:
    """As the lab waits, and as OpenMP does. What makes a core busy is this bench's own, and so no
    disturbance to it."""
    ours = worker_environment("none")
    found = paired(lambda: arm(spec, ours, busy), lambda: arm(spec, OPENMP, busy), PAIRS)
    return found | {
        "unit": "ms",
        "arms": {"a": "as the lab waits", "b": "as OpenMP waits by itself"},
    }


def main() -> list[dict[str, Any]]:
    """Measure, keep and return the results."""
    what = "Step of dense, batch 32, cpu"
    results = [
        attempted(f"{what}, beside one busy core", lambda: measured(BUSY, busy=True)),
        attempted(f"{what}, on a quiet machine", lambda: measured(QUIET, busy=False)),
    ]
    save("beside", results)
    return results


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
