"""The figures of a race's runs, and which of them make pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cnnlab.race.spread import LEAST_PAIRS, LEVEL_OF_DISTURBED_PAIRS, Gain, gain
from cnnlab.spec import DatasetFacts, Disturbances, ExperimentSpec, Timing


@dataclass(frozen=True)
class Timed:
    """What one run came to."""

    us_per_image: float
    """Microseconds of training on one picture or sequence: the median step after warm-up, over the
    pictures of a step. A median hardly moves where a page that is drawn, or a neighbour, takes the
    time of some steps."""
    disturbed: bool
    """Something else took the machine meanwhile."""


def timed(
    spec: ExperimentSpec,
    dataset: DatasetFacts | None,
    timing: Timing,
    disturbances: Disturbances | None,
) -> Timed | None:
    """The figure of a run that is over; None where it took no step after its warm-up."""
    if not timing.step_ms_median:
        return None
    pictures = dataset.full_step(spec.batch_size) if dataset else spec.batch_size
    disturbed = bool(disturbances and disturbances.marks)
    return Timed(1e3 * timing.step_ms_median / pictures, disturbed)


Turns = Mapping[int, Timed]
"""The runs of a lane by their turn."""


@dataclass(frozen=True)
class Compared:
    """A lane against another one, turn by turn."""

    gain: Gain
    """How many times as fast it is."""
    left_out: int
    """Pairs that were disturbed and do not count, as there were enough others."""
    disturbed: bool
    """Pairs that were disturbed had to count: there were too few others."""

    @property
    def level(self) -> bool:
        """Nobody is ahead by more than chance."""
        return self.gain.level or (self.disturbed and self.gain.within(LEVEL_OF_DISTURBED_PAIRS))


def compare(lane: Turns, other: Turns) -> Compared | None:
    """Hold a lane against another one; None where no turn has a figure of both."""
    both = [(lane[turn], other[turn]) for turn in sorted(lane) if turn in other]
    clean = [pair for pair in both if not any(run.disturbed for run in pair)]
    enough = len(clean) >= LEAST_PAIRS
    counted = clean if enough else both
    if not counted:
        return None
    ratios = [theirs.us_per_image / ours.us_per_image for ours, theirs in counted]
    return Compared(gain(ratios), len(both) - len(counted), len(clean) < len(counted))
