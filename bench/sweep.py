"""Sweeps: do they keep a budget, find their figures again, and predict cells they have not seen?

Two sweeps of the same 24 cells (dense networks on MNIST's shape), one after the other, each in a
process of its own as a person starts it. Arm a is the cost model's prediction of a cell that was
held out, arm b, the baseline, the usual guess by FLOPs alone (the median rate of the other cells).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np

from bench.measure import machine, save, summary
from cnnlab.analysis import cost
from cnnlab.history import History

BUDGET_SECONDS = 60.0
AXES = ("batch_size=16,32,64,128,256,512", "units=32,128,512,1024")
MOST_ERROR, NEAR, LEAST_SHARE, BUDGET_SHARE = 0.15, 0.05, 0.9, 0.1


def sweep(home: str) -> dict[str, Any]:
    """One sweep, in a process of its own."""
    command = [sys.executable, "-m", "cnnlab", "sweep", "--preset", "dense", "--devices", "cpu"]
    command += [word for axis in AXES for word in ("--axis", axis)]
    command += ["--budget", str(BUDGET_SECONDS), "--json"]
    environment = os.environ | {"CNNLAB_HOME": home}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def repetition(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """How many cells were found again within 5 %, or are marked noisy in one of the sweeps."""
    pairs = list(zip(first["cells"], second["cells"], strict=True))
    apart = [abs(b["step_ms_median"] / a["step_ms_median"] - 1) for a, b in pairs]
    noisy = [a["noisy"] or b["noisy"] for a, b in pairs]
    kept = [near <= NEAR or loud for near, loud in zip(apart, noisy, strict=True)]
    return {
        "cells": len(pairs),
        "within_or_noisy": sum(kept),
        "within": sum(near <= NEAR for near in apart),
        "noisy": sum(noisy),
        "median_apart": statistics.median(apart),
    }


def errors(home: str, sweep_id: str) -> tuple[list[float], list[float]]:
    """Relative errors on held-out cells: by the cost model, and by FLOPs alone."""
    history = History(f"sqlite:///{home}/history.db")
    found = cost.samples(history.summaries(sweep_id=sweep_id))
    history.close()
    rows = np.array([sample.work.row() for sample in found])
    step_ms = np.array([sample.step_ms for sample in found])
    rates = step_ms / rows[:, cost.FEATURES.index("flops")]
    plain = []
    for place in range(len(found)):
        others = np.median(np.delete(rates, place))
        plain.append(abs(others / rates[place] - 1))
    return list(cost.held_out(rows, step_ms)), plain


def main() -> dict[str, Any]:
    """Measure, keep and return the result."""
    with tempfile.TemporaryDirectory() as home:
        first, second = sweep(home), sweep(home)
        ours, plain = errors(home, first["sweep_id"])
    again = repetition(first, second)
    seconds = [document["seconds"] for document in (first, second)]
    ratios = [b / max(a, 1e-6) for a, b in zip(ours, plain, strict=True)]
    result = {
        "name": f"Error on {len(ours)} held-out cells of a sweep, dense, cpu",
        "unit": "%",
        "arms": {"a": "the cost model", "b": "by FLOPs alone"},
        "a": summary([100 * error for error in ours]),
        "b": summary([100 * error for error in plain]),
        "ratio": summary(ratios),
        "ratios": ratios,
        "pairs": len(ours),
        "machine": machine(),
        "repetition": again,
        "seconds": seconds,
        "budget": {
            "seconds": BUDGET_SECONDS,
            "share": BUDGET_SHARE,
            "error": MOST_ERROR,
            "within_or_noisy": LEAST_SHARE,
        },
        "notes": [
            f"Two sweeps of {again['cells']} cells took {seconds[0]:.1f} s and {seconds[1]:.1f} s "
            f"of a budget of {BUDGET_SECONDS:.0f} s. Of the second's cells {again['within']} were "
            f"within 5 % of the first's; {again['within_or_noisy']} were, or are marked noisy "
            f"({again['noisy']} are)."
        ],
    }
    save("sweep", result)
    return result


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
