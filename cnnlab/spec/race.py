"""A race: lanes of specs that take turns; and a run's part in one, in repeats, or in a sweep that
trains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from cnnlab.spec.base import Frozen
from cnnlab.spec.experiment import ExperimentSpec, change

MOST_LANES = 4
MOST_ROUNDS = 20

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Title = Annotated[str, Field(min_length=1, max_length=60)]


class Lane(Frozen):
    """One of those who race."""

    title: Title
    """What tells it from the others, such as "fast engine"."""
    spec: ExperimentSpec


class RacePlan(Frozen):
    """Everything that decides a race: its only description."""

    lanes: Annotated[tuple[Lane, ...], Field(min_length=1, max_length=MOST_LANES)]
    """The first is what the others are held against. One alone races a recorded opponent."""
    leg_seconds: Seconds | None = None
    """Each run is cut after so many seconds of training; null: every run is trained to its end."""
    rounds: Annotated[int, Field(ge=1, le=MOST_ROUNDS)] | None = None
    """How often every lane runs; null: as often as it takes, see `cnnlab.race.Referee`."""
    budget_seconds: Seconds = 90.0
    """Within which no further round is begun, where the rounds are not counted beforehand."""


class Part(Frozen):
    """The part of a run in something larger."""

    kind: Literal["race", "repeats", "sweep"]
    """A sweep's part is a variant that was trained; a cell that was only timed has a `Place`."""
    group_id: Annotated[str, Field(min_length=1, max_length=64)]
    group: Annotated[str, Field(min_length=1, max_length=120)]
    """What the whole is called."""
    lane: Annotated[int, Field(ge=0, lt=MOST_LANES)] = 0
    """Counts from 0, in the order of the plan."""
    lane_title: Annotated[str, Field(max_length=60)] = ""
    turn: Annotated[int, Field(ge=0)] = 0
    """How many runs the lane, or the sweep, had before: runs of one turn, in different lanes, make
    a pair."""
    values: dict[str, str] = Field(default_factory=dict)
    """Of a variant that a sweep trains: what it has on each axis, as it was written. Empty in older
    cards."""
    cut_seconds: Seconds | None = None
    """The run was ended, as it was meant to, after so many seconds of training; null: it was not.
    """

    @property
    def leg_name(self) -> str:
        """What a race's run is called until somebody writes another name over it."""
        return f"{self.group}: {self.lane_title}"[:120]


MOST_SEEDS = 2**32


def repeats_of(
    spec: ExperimentSpec, repeats: int, group_id: str, name: str
) -> Iterator[tuple[ExperimentSpec, Part]]:
    """A spec with as many seeds, its own the first, each with the part of its run."""
    for turn in range(repeats):
        seeded = change(spec, seed=(spec.seed + turn) % MOST_SEEDS)
        yield seeded, Part(kind="repeats", group_id=group_id, group=name, turn=turn)
