"""Which cell is measured next and for how long.

Nothing here measures: `Schedule` is told what a cell came to, and says what to do with the time
that is left.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from cnnlab.spec import Disturbances, Place, SweepStatus, Timing
from cnnlab.sweep.grid import LEAST_SECONDS_PER_CELL, Cell

MOST_MEASUREMENTS = 3
"""Of one cell: enough to tell a figure from an accident."""
NOISY_SPREAD = 0.05


@dataclass(frozen=True)
class Measured:
    """What one measurement of a cell came to."""

    step_ms: float | None
    """Median of the steps after warm-up; null where it failed."""
    spread: float | None
    """See `Timing.step_ms_spread`."""
    disturbed: bool = False
    """Something else kept the machine busy meanwhile."""
    ahead_seconds: float | None = None
    """To build the network and take its first steps, in which it is compiled if it is to be."""

    @property
    def noisy(self) -> bool:
        """Not to be trusted on its own."""
        return self.disturbed or self.spread is None or self.spread > NOISY_SPREAD


def measured(timing: Timing, disturbances: Disturbances | None) -> Measured:
    """What a run says of its cell; without a median where it failed."""
    disturbed = bool(disturbances and disturbances.marks)
    ahead = (timing.build_seconds, timing.warmup_seconds)
    return Measured(
        timing.step_ms_median,
        timing.step_ms_spread,
        disturbed,
        ahead_seconds=None if None in ahead else sum(part or 0.0 for part in ahead),
    )


@dataclass
class Figure:
    """A cell's measurements, and what is made of them.

    Their median counts, of those that nothing disturbed where there are such. The lowest would
    favour the noisier of two devices, and the one that was measured more often.
    """

    measured: list[Measured] = field(default_factory=list)

    @property
    def medians(self) -> list[float]:
        """Of the measurements that count, lowest first."""
        timed = [one for one in self.measured if one.step_ms is not None]
        quiet = [one for one in timed if not one.disturbed]
        return sorted(one.step_ms for one in quiet or timed if one.step_ms is not None)

    @property
    def step_ms(self) -> float | None:
        """The figure; null where every measurement failed, or none was made."""
        return statistics.median(self.medians) if self.medians else None

    @property
    def apart(self) -> float:
        """How uncertain the figure is, as a share of it.

        The least distance between two medians, as of a figure that was found again, or the spread
        within the only measurement.
        """
        if len(self.medians) > 1:
            return min(b - a for a, b in pairwise(self.medians)) / statistics.median(self.medians)
        return max((one.spread or 0.0 for one in self.measured), default=0.0)

    @property
    def noisy(self) -> bool:
        """Neither steady and undisturbed at once nor found again within 5 %."""
        if len(self.medians) > 1:
            return self.apart > NOISY_SPREAD
        return any(one.noisy for one in self.measured if one.step_ms is not None)


@dataclass(frozen=True)
class Turn:
    """What to measure next."""

    cell: Cell
    repeat: int
    """How many measurements the cell has already."""
    seconds: float
    """The cell's share of the time, building its model included."""

    @property
    def until_steady(self) -> bool:
        """A first measurement may end as soon as it is steady; later ones use their share."""
        return self.repeat == 0


def place(sweep_id: str, name: str, turn: Turn) -> Place:
    """Where the run of a turn belongs."""
    return Place(
        sweep_id=sweep_id,
        sweep=name,
        cell=turn.cell.number,
        repeat=turn.repeat,
        values=turn.cell.values,
    )


class Schedule:
    """Shares the time out: first every cell once, then again those that are least certain."""

    def __init__(self, grid: Sequence[Cell]) -> None:
        self.cells = tuple(grid)
        self.figures: dict[int, Figure] = defaultdict(Figure)

    def add(self, cell: int, measured: Measured) -> None:
        """A measurement is done, now or in an earlier sitting."""
        self.figures[cell].measured.append(measured)

    @property
    def done(self) -> int:
        """How many cells were measured, or were found not to work."""
        return sum(1 for cell in self.cells if self.figures[cell.number].measured)

    def next(self, seconds_left: float) -> Turn | None:
        """What to do with the time that is left; None where there is nothing, or no time."""
        open_cells = [cell for cell in self.cells if not self.figures[cell.number].measured]
        again = [] if open_cells else self._again()
        waiting = open_cells or again
        if not waiting or seconds_left < (0 if open_cells else LEAST_SECONDS_PER_CELL / 2):
            return None
        cell = waiting[0]
        if again:
            share = seconds_left / sum(self._wanted(other) for other in waiting)
            share = min(max(share, LEAST_SECONDS_PER_CELL), seconds_left)
        else:
            # Two short measurements of each, some time apart, tell a figure from an accident; a
            # long one may lie within it.
            share = seconds_left / (len(waiting) + len(self.cells))
            share = max(share, min(seconds_left / len(waiting), LEAST_SECONDS_PER_CELL))
        return Turn(cell, len(self.figures[cell.number].measured), share)

    def _wanted(self, cell: Cell) -> int:
        return MOST_MEASUREMENTS - len(self.figures[cell.number].measured)

    def _again(self) -> list[Cell]:
        """Cells worth another measurement, the noisiest of those measured least often first."""

        def order(cell: Cell) -> tuple[bool, int, float]:
            figure = self.figures[cell.number]
            return not figure.noisy, len(figure.measured), -figure.apart

        found = [
            cell
            for cell in self.cells
            if self._wanted(cell) > 0 and self.figures[cell.number].step_ms is not None
        ]
        return sorted(found, key=order)


def drive(
    schedule: Schedule,
    left: Callable[[], float],
    measure: Callable[[Turn], Measured | None],
) -> bool:
    """Measure until the time is over or nothing is left to do.

    Args:
        left: seconds of the budget that are left.
        measure: does one turn; None where somebody stopped it.

    Returns:
        Whether it came to its end: false where it was stopped.
    """
    while turn := schedule.next(left()):
        found = measure(turn)
        if found is None:
            return False
        schedule.add(turn.cell.number, found)
    return True


def outcome(schedule: Schedule) -> tuple[SweepStatus, str | None]:
    """What a sweep that was not stopped has come to, and what is wrong with that."""
    left = len(schedule.cells) - schedule.done
    if left:
        return SweepStatus.STOPPED, (
            f"The budget ended with {left} of {len(schedule.cells)} cells not measured; "
            "resume the sweep to measure them."
        )
    if all(schedule.figures[cell.number].step_ms is None for cell in schedule.cells):
        return SweepStatus.FAILED, "No cell could be measured; the error of each says why."
    return SweepStatus.FINISHED, None
