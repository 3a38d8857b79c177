"""Benches whose arms are epochs.

Most are of one model in one process, which is started as the lab starts the one that trains: two
processes differ by more than what is looked for. Others are of whole runs (`EpochSeconds`).
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.measure import Rounds, attempted, best_device, save
from bench.peers.contenders import Contender, Running, home_beside, running
from bench.peers.works import WORKS, Work, draw
from cnnlab.analysis.runs import epoch_seconds
from cnnlab.spec import RunCard

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


class EpochSeconds(float):
    """Seconds of a run's epoch as a verdict has them, and by the clock on the wall."""

    wall: float

    @classmethod
    def of(cls, card: RunCard) -> EpochSeconds:
        """Those of a run, its first epoch left out."""
        found = cls(epoch_seconds(card.epochs, warm=True))
        found.wall = statistics.median(row.seconds for row in card.epochs[1:])
        return found


def by_the_wall(found: Rounds) -> Rounds:
    """The same rounds of `EpochSeconds` by the clock on the wall."""
    kept = [{name: seconds.wall for name, seconds in each.items()} for each in found.kept]
    return replace(found, kept=kept)
