"""The engine `fast`, and what may be chosen with it, against `stock`, the article's own path.

Each arm is the lab's own training in a process started as its worker is; an arm that waits does
nothing. `python -m bench.peers` holds both against other frameworks.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from bench.measure import attempted, best_device, paired, save
from bench.peers.contenders import CONTENDERS, running
from bench.peers.works import WORKS, Work, draw

PAIRS = 7
FAST: dict[str, dict[str, Any]] = {"fast": {}}
COMPILED: dict[str, dict[str, Any]] = {"fast, compiled": {"compile": True}}
HALF = {"precision": "mixed_bfloat16"}
MEASURED: tuple[tuple[Work, dict[str, dict[str, Any]]], ...] = (
    (
        WORKS["article"],
        {
            **FAST,
            "fast, bfloat16": HALF,
            "fast, bfloat16, batch 128": {**HALF, "batch_size": 128},
            "fast, batch 128": {"batch_size": 128},
            **COMPILED,
        },
    ),
    (WORKS["dense"], {**FAST, **COMPILED}),
    (WORKS["lstm"], FAST),
)
"""Works, and what is chosen for them: title and fields of the spec."""


def against_stock(work: Work, title: str, chosen: dict[str, Any], device: str) -> dict[str, Any]:
    """Milliseconds for a batch of the work, as `chosen` trains it and as `stock` does."""
    stock_work = work.sized(device)
    works = {"fast": stock_work.changed(**chosen), "stock": stock_work}
    batches = [each.spec.batch_size for each in works.values()]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as arms:
        os.environ["CNNLAB_HOME"] = f"{folder}/home"
        started = []
        for engine, each in works.items():
            draw(each, file := Path(folder) / f"{engine}.npz")
            arm = running(CONTENDERS[engine], each, file, device)
            started.append(arms.enter_context(arm))
        fast, stock = started
        result = paired(lambda: fast() * batches[1] / batches[0], stock, PAIRS)
    return result | {"unit": "ms", "arms": {"a": title, "b": f"stock, batch {batches[1]}"}}


def main() -> list[dict[str, Any]]:
    """Measure, keep and return the results."""
    device = best_device()
    results = [
        attempted(
            f"{work.spec.batch_size} of {work.title}, {device.partition(':')[0]}: {title}",
            partial(against_stock, work, title, chosen, device),
        )
        for work, choices in MEASURED
        for title, chosen in choices.items()
    ]
    save("engines", results)
    return results


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
