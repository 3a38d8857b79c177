"""What keeping what a run learns costs an epoch: its weights on the disk, its answers, the gallery.

Both arms are epochs of one model in one process, as `bench.callback` has them, each with its
validation and all that is done before the next one begins. The epochs are short ones, which the
cost does not depend on but for the few answers; it is held against an epoch of the preset's own
length.
"""

from __future__ import annotations

import json
import math
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.measure import attempted, best_device, median_interval, result_of, rounds, save
from bench.peers.contenders import Contender, running
from bench.peers.works import WORKS, Work, draw
from cnnlab import datasets, models

BUDGET_SHARE = 0.01
PAIRS = 40
STEPS = {"article": 6, "dense": 400}


def whole_steps(work: Work) -> int:
    """Steps of an epoch of the work's preset on its own data set."""
    spec = work.spec
    train, _ = models.split(spec, datasets.info(spec.dataset).train_images or 0)
    return math.ceil(train / spec.batch_size)


def measured(name: str, device: str) -> dict[str, Any]:
    """Both arms at one work."""
    work = replace(WORKS[name], steps=STEPS[name]).sized(device)
    contender = Contender("the lab, keeping what it learns", "bench.peers.kept")
    with tempfile.TemporaryDirectory() as folder:
        draw(work, file := Path(folder) / "work.npz")
        with running(contender, work, file, device) as epoch:
            arms = {"a": lambda: epoch(kept=True), "b": lambda: epoch(kept=False)}
            found = rounds(arms, PAIRS)
    longer_ms = [each["a"] - each["b"] for each in found.kept]
    epoch_ms = statistics.median(found.of("b")) / work.steps * whole_steps(work)
    return result_of(found) | {
        "unit": "ms",
        "arms": {"a": "a short epoch, all kept", "b": "nothing kept"},
        "budget": {"share": BUDGET_SHARE},
        "notes": [note(work.title, longer_ms, epoch_ms)],
    }


def note(title: str, longer_ms: Sequence[float], epoch_ms: float) -> str:
    """The cost in a sentence, and whether it keeps within its budget.

    Args:
        epoch_ms: of the preset's own length.
    """
    low, high = median_interval(longer_ms)
    limit = BUDGET_SHARE * epoch_ms
    kept = "kept" if high <= limit else "broken" if low > limit else "not told apart"
    middle = statistics.median(longer_ms)
    return (
        f"Keeping what {title} learns takes {middle:.1f} ms an epoch (95 % interval of the median "
        f"{low:.1f} to {high:.1f}, {len(longer_ms)} pairs), {middle / epoch_ms:.2%} of an epoch of "
        f"{epoch_ms / 1e3:.1f} s (budget {BUDGET_SHARE:.0%}: {kept})."
    )


def main() -> list[dict[str, Any]]:
    """Measure, keep and return the results."""
    device = best_device()
    results = [
        attempted(
            f"Keeping what is learnt, {WORKS[name].title}, {device.partition(':')[0]}",
            partial(measured, name, device),
        )
        for name in STEPS
    ]
    save("keeping", results)
    return results


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
