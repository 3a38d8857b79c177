"""Where the runners of a race are at a moment of its clock.

Lanes take turns on one machine, so no two of them ever run at once; each has its own clock. Where
they follow each other, they are shown as if they ran together: while one runs, the others go along
as ghosts, each at the pace of its own last run, up to the same second and no further.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from cnnlab.analysis.series import Floats, Series
from cnnlab.published import Reference

Part = Literal["waits", "runs", "ghost", "recorded"]
"""What a runner is at the moment: not begun, driven now, driven before, driven elsewhere."""


@dataclass(frozen=True, eq=False)
class Trail:
    """How far a run had come by when: both columns ascend from 0."""

    seconds: Floats
    pictures: Floats

    @classmethod
    def of(cls, series: Series, images: Floats) -> Trail:
        """The trail of a run's steps.

        Args:
            images: pictures of each step, see `analysis.images_of`.
        """
        ends = np.flatnonzero(~np.isnan(series.seconds))
        return cls(np.append(0.0, series.seconds[ends]), np.append(0.0, np.cumsum(images)[ends]))

    @classmethod
    def published(cls, reference: Reference) -> Trail:
        """At one pace from its start to its end: no more was published."""
        pictures = float(reference.epochs * reference.train_images)
        return cls(np.array([0.0, reference.fit_seconds]), np.array([0.0, pictures]))

    @property
    def end_seconds(self) -> float:
        return float(self.seconds[-1])

    def at(self, seconds: float) -> float:
        """Pictures by then; at its end it stands still."""
        return float(np.interp(seconds, self.seconds, self.pictures))

    def expected(self, until_seconds: float) -> float:
        """Pictures at the end of so many seconds, should it go on as it began."""
        return float(self.pictures[-1]) * max(1.0, until_seconds / max(self.end_seconds, 1e-9))


@dataclass(frozen=True, eq=False)
class Runner:
    """One of those who race."""

    title: str
    part: Part
    trail: Trail | None
    """Null for one that has not begun."""

    def at(self, seconds: float) -> float:
        return self.trail.at(seconds) if self.trail else 0.0

    def clock(self, seconds: float) -> float:
        """What its own clock shows: it stops where the run ended."""
        return min(seconds, self.trail.end_seconds) if self.trail else 0.0


def clock(runners: list[Runner]) -> float:
    """Seconds since the start, for all of them: those that every one that runs has behind it;
    between two runs, of the longest that was driven here.
    """
    trails = [(runner.part, runner.trail) for runner in runners if runner.trail]
    if live := [trail.end_seconds for part, trail in trails if part == "runs"]:
        return min(live)
    return max([t.end_seconds for part, t in trails if part == "ghost"], default=0.0)


def finish(runners: list[Runner]) -> float:
    """The second at which the first of those who were driven here came to its end."""
    ends = [one.trail.end_seconds for one in runners if one.trail and one.part == "ghost"]
    return min(ends, default=0.0)


def length(runners: list[Runner], whole: float | None, leg_seconds: float | None) -> float:
    """Pictures from the start to the end of the track.

    Args:
        whole: what a run trains on that goes to its end; null where runs are cut.
        leg_seconds: after which they are cut. The track is then as long as the fastest gets.
    """
    if whole:
        return whole
    seconds = leg_seconds or clock(runners)
    reached = [
        runner.trail.expected(seconds) if runner.part == "runs" else runner.trail.at(seconds)
        for runner in runners
        if runner.trail
    ]
    return max(reached, default=0.0) or 1.0


@dataclass(frozen=True)
class Gap:
    """How far the first of the runners is ahead of the next."""

    title: str
    pictures: float


def gap(runners: list[Runner], seconds: float) -> Gap | None:
    """At a second of the clock; null before two of them have moved, and at a tie."""
    moving = [runner for runner in runners if runner.at(seconds) > 0]
    if len(moving) < 2:
        return None
    first, second, *_ = sorted(moving, key=lambda runner: runner.at(seconds), reverse=True)
    ahead = first.at(seconds) - second.at(seconds)
    return Gap(first.title, ahead) if ahead > 0 else None
