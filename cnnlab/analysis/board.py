"""The high scores of a history: by data set the most accurate, the fastest, the most frugal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cnnlab import words
from cnnlab.analysis.runs import Summary
from cnnlab.spec import Disturbances, Energy, Part, Place, Status

PLACES = 3


class Scored(Summary, Protocol):
    """What is asked of a run beyond a list's."""

    @property
    def energy(self) -> Energy: ...
    @property
    def disturbances(self) -> Disturbances | None: ...
    @property
    def sweep(self) -> Place | None: ...
    @property
    def part(self) -> Part | None: ...


@dataclass(frozen=True)
class Score:
    """One place on a list."""

    run_id: str
    name: str
    figure: str
    beside: str
    """What it rests on: the machine, how long it took, what disturbed it."""


@dataclass(frozen=True)
class Board:
    """The lists of one data set."""

    dataset: str
    runs: int
    lists: tuple[tuple[str, tuple[Score, ...]], ...]
    """A title and the best few, the best first."""


def boards(runs: Sequence[Scored]) -> list[Board]:
    """A board for each data set, that of most runs first.

    Of whole trainings alone: cells of sweeps and legs of races are cut before they have learnt.
    """
    by_data: dict[str, list[Scored]] = defaultdict(list)
    for run in runs:
        if _whole(run):
            by_data[run.dataset.name if run.dataset else run.spec.dataset].append(run)
    found = [Board(name, len(mine), _lists(mine)) for name, mine in by_data.items()]
    return sorted(found, key=lambda board: -board.runs)


def _whole(run: Scored) -> bool:
    cut = run.part is not None and run.part.cut_seconds is not None
    return run.status is Status.FINISHED and run.epochs_done > 0 and not run.sweep and not cut


def _lists(runs: Sequence[Scored]) -> tuple[tuple[str, tuple[Score, ...]], ...]:
    accurate = _best(runs, lambda run: run.best_val_accuracy, words.percent, _took)
    fast = _best(
        runs,
        lambda run: run.timing.images_per_second,
        lambda value: f"{words.number(value)}/s",
        _where,
    )
    lists = [("Best accuracy", accurate), ("Fastest", fast)]
    # Joules of a package and of a card alone are of different things, and have lists of their own.
    covered = dict.fromkeys(_covered(run) for run in runs if _joules(run) is not None)
    lists += [(f"Least energy, {what}", _frugal(runs, what)) for what in covered]
    return tuple((title, scores) for title, scores in lists if scores)


def _best(
    runs: Sequence[Scored],
    value: Callable[[Scored], float | None],
    write: Callable[[float], str],
    beside: Callable[[Scored], str],
    *,
    least: bool = False,
) -> tuple[Score, ...]:
    """Those with the highest, or the least, values; of equal ones the older run."""
    known = [(found, run) for run in runs if (found := value(run)) is not None]
    known.sort(key=lambda pair: (pair[0] if least else -pair[0], pair[1].created_at))
    return tuple(
        Score(run.run_id, run.name, write(found), beside(run)) for found, run in known[:PLACES]
    )


def _took(run: Scored) -> str:
    epochs = "1 epoch" if run.epochs_done == 1 else f"{words.count(run.epochs_done)} epochs"
    seconds = run.timing.fit_seconds
    return epochs if seconds is None else f"{epochs} in {words.duration(seconds)}"


def _where(run: Scored) -> str:
    """The machine, and whether something else took its time."""
    device = run.device.name if run.device else run.spec.device
    disturbed = run.disturbances is not None and bool(run.disturbances.marks)
    return f"{device}, disturbed" if disturbed else device


def _frugal(runs: Sequence[Scored], what: str) -> tuple[Score, ...]:
    mine = [run for run in runs if _covered(run) == what]
    return _best(mine, _joules, _millijoules, _where, least=True)


def _millijoules(joules: float) -> str:
    return f"{words.number(1e3 * joules)} mJ each"


def _joules(run: Scored) -> float | None:
    """Of one example, validation included; None where it was not measured."""
    if not run.energy.joules or not run.dataset or not run.epochs_done:
        return None
    return run.energy.joules / (run.dataset.train_images * run.epochs_done)


def _covered(run: Scored) -> str:
    """What the joules are of: sources are named before it, as in "RAPL: the whole package"."""
    return run.energy.source.partition(": ")[2] or run.energy.source
