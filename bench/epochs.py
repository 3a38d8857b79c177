"""Benches whose two arms are epochs of one model in one process, which is started as the lab starts
the one that trains: two processes differ by more than what is looked for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.measure import attempted, best_device, save
from bench.peers.contenders import Contender, Running, home_beside, running
from bench.peers.works import WORKS, Work, draw

STEPS = {"article": 6, "dense": 400}
"""Of an epoch, by work: enough for a callback's windows, and few enough for many pairs."""


@contextmanager
def epochs_of(name: str, device: str, contender: Contender) -> Iterator[tuple[Work, Running, Path]]:
    """A work with short epochs, the contender at it, warm, and the home of its lab."""
    work = replace(WORKS[name], steps=STEPS[name]).sized(device)
    with tempfile.TemporaryDirectory() as folder:
        draw(work, file := Path(folder) / "work.npz")
        with running(contender, work, file, device) as epoch:
            yield work, epoch, home_beside(file)


def of_each_work(
    bench: str, what: str, measured: Callable[[str, str], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Measure at each work, keep and return the results.

    Args:
        bench: what they are kept as.
        what: is measured, before the work's title.
        measured: takes the work's name and the device.
    """
    device = best_device()
    kind = device.partition(":")[0]
    results = [
        attempted(f"{what} {WORKS[name].title}, {kind}", partial(measured, name, device))
        for name in STEPS
    ]
    save(bench, results)
    return results


def held(low: float, high: float, limit: float) -> str:
    """Whether a cost that lies between two values keeps within its budget, in words."""
    return "kept" if high <= limit else "broken" if low > limit else "not told apart"
