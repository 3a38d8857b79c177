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

from bench.measure import paired, save
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


def main() -> list[dict[str, Any]]:
    """Measure, keep and return the results."""
    ours = worker_environment("none")
    results = []
    for name, spec, busy in (
        ("Step of dense, batch 32, cpu, beside one busy core", BUSY, True),
        ("Step of dense, batch 32, cpu, on a quiet machine", QUIET, False),
    ):
        found = paired(
            lambda: arm(spec, ours, busy),  # noqa: B023
            lambda: arm(spec, OPENMP, busy),  # noqa: B023
            PAIRS,
        )
        arms = {"a": "as the lab waits", "b": "as OpenMP waits by itself"}
        results.append(found | {"name": name, "unit": "ms", "arms": arms})
    save("beside", results)
    return results


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
