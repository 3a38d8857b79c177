"""The engine `fast`, and what may be chosen with it, against `stock`, the article's own path.

Each arm is the lab's own training in a process started as its worker is; an arm that waits does
nothing. `python -m bench.peers` holds both against other frameworks.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.measure import best_device, paired, save
from bench.peers.contenders import CONTENDERS, running
from bench.peers.works import WORKS, Work, draw

PAIRS = 7
ON_A_CARD = 10
"""Times the steps, on a card: it is tens of times as fast, and its pipeline is to be full."""
ARTICLE = WORKS["article"]
CHOICES: dict[str, dict[str, Any]] = {
    "fast": {},
    "fast, bfloat16": {"precision": "mixed_bfloat16"},
    "fast, bfloat16, batch 128": {"precision": "mixed_bfloat16", "batch_size": 128},
    "fast, batch 128": {"batch_size": 128},
    "fast, compiled": {"compile": True},
}


def against_stock(work: Work, title: str, chosen: dict[str, Any], device: str) -> dict[str, Any]:
    """Milliseconds for a batch of the work, as `chosen` trains it and as `stock` does."""
    steps = work.steps * (1 if device == "cpu" else ON_A_CARD)
    works = [
        Work(work.title, work.preset, steps, {**work.changes, **changes})
        for changes in (chosen, {})
    ]
    batches = [each.spec.batch_size for each in works]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as arms:
        os.environ["CNNLAB_HOME"] = f"{folder}/home"
        files = [Path(folder) / f"{name}.npz" for name in ("fast", "stock")]
        started = []
        for file, each in zip(files, works, strict=True):
            draw(each, file)
            arm = running(CONTENDERS[file.stem], each, file, device)
            started.append(arms.enter_context(arm))
        fast, stock = started
        result = paired(lambda: fast() * batches[1] / batches[0], stock, PAIRS)
    return result | {
        "name": f"{batches[1]} pictures of {work.title}, {device.partition(':')[0]}",
        "unit": "ms",
        "arms": {"a": title, "b": f"stock, batch {batches[1]}"},
    }


def main() -> list[dict[str, Any]]:
    """Measure, keep and return the results."""
    device = best_device()
    results = [against_stock(ARTICLE, name, chosen, device) for name, chosen in CHOICES.items()]
    results += [against_stock(WORKS[name], "fast", {}, device) for name in ("dense", "lstm")]
    save("engines", results)
    return results


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
