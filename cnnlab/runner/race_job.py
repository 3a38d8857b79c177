"""A race under way in the lab: it hands out its runs, and is told what came of each.

Short runs that share this computer train side by side, in turns; whole trainings, and the runs of
a machine that is elsewhere, follow each other. Lanes on different machines run at the same time: a
round begins when the last one is over on all. The threads of its machines call `calls`, `legs` and
`add`; pages ask for a snapshot or a stop from their own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

from cnnlab.race import Gain, Leg, Referee, side_by_side, timed
from cnnlab.runner.job import Job
from cnnlab.runner.live import LiveRun
from cnnlab.spec import ExperimentSpec, LabError, Part, RacePlan, Status

log = logging.getLogger(__name__)

TURN_SECONDS = 0.4
"""Of training before another lane has the machine: what disturbs it changes within seconds."""


class Keeper(Protocol):
    """What a race needs of the history."""

    def create(
        self, spec: ExperimentSpec, *, name: str, session: str, part: Part | None = None
    ) -> str: ...


@dataclass(frozen=True)
class RaceSnapshot:
    """A race at one moment, for a page."""

    race_id: str
    name: str
    plan: RacePlan
    begun: bool
    run_ids: tuple[str, ...]
    """Of the runs so far, the one under way included."""
    rounds: int
    """That are done or under way."""
    gains: dict[int, Gain]
    """By lane: how many times as fast as the first one, so far."""
    seconds: float
    """Since it began."""


class RaceJob:
    """One race from its place in the queue to its end."""

    def __init__(self, name: str, session: str, plan: RacePlan, history: Keeper) -> None:
        self.race_id, self._name, self._session = uuid4().hex[:12], name, session
        self._plan, self._history = plan, history
        self._lock = threading.Lock()
        self._referee = Referee(plan)
        self._began_at: float | None = None
        self._run_ids: list[str] = []
        self._current: dict[str, list[Leg]] = {}
        self._stopped = self._over = False
        self.machines = tuple(dict.fromkeys(lane.spec.machine for lane in plan.lanes))

    @property
    def begun(self) -> bool:
        """Whether a run of it has begun: then the others follow before anything else."""
        return self._began_at is not None

    def snapshot(self) -> RaceSnapshot:
        """How it stands."""
        with self._lock:
            return RaceSnapshot(
                race_id=self.race_id,
                name=self._name,
                plan=self._plan,
                begun=self.begun,
                run_ids=tuple(self._run_ids),
                rounds=self._referee.turn + 1,
                gains={lane: one.gain for lane, one in self._referee.compared().items()},
                seconds=self._seconds(),
            )

    def stop(self) -> None:
        """Let no further run begin."""
        with self._lock:
            self._stopped = True

    def begin(self) -> None:
        """All of its machines are free: it begins now."""
        with self._lock:
            self._began_at = self._began_at or time.monotonic()

    @property
    def over(self) -> bool:
        """No run of it is left to do, or to wait for."""
        with self._lock:
            return self._over

    def calls(self, machine: str) -> bool:
        """Whether a machine is to ask for a leg: there is one for it, or nobody knows the next."""
        with self._lock:
            if self._over or machine in self._current:
                return False
            if self._round_is_over:
                return not self._current
            return any(leg.entry.spec.machine == machine for leg in self._referee.waiting)

    @property
    def _round_is_over(self) -> bool:
        return self._stopped or not self._referee.waiting

    def legs(self, machine: str, accelerators: int) -> list[Job]:
        """The next runs on a machine, entered in the history: those that train side by side. None
        where there is none for it now, or the race is over.

        Args:
            accelerators: that the machine has.

        Raises:
            LabError: the history cannot be written.
        """
        with self._lock:
            if self._round_is_over and self._current:
                return []
            leg = None if self._stopped else self._referee.next(self._seconds(), machine)
            if leg is None:
                self._over = self._round_is_over and not self._current
                return []
            beside = self._side_by_side(machine, accelerators)
            legs = [leg, *(self._rest_of_round(machine) if beside else ())]
            self._over = True  # unless the history takes them
            jobs: list[Job] = []
            try:
                jobs.extend(self._enter(one, beside=len(legs) > 1) for one in legs)
                self._over = False
            except LabError:
                if not jobs:
                    raise
                log.exception("a run of race %s cannot be entered, so it ends", self.race_id)
            self._current[machine] = legs[: len(jobs)]
        return jobs

    def _rest_of_round(self, machine: str) -> Iterator[Leg]:
        while self._referee.waiting:
            if (leg := self._referee.next(self._seconds(), machine)) is None:
                return
            yield leg

    def _side_by_side(self, machine: str, accelerators: int) -> bool:
        lanes = [lane.spec for lane in self._plan.lanes if lane.spec.machine == machine]
        return self._plan.leg_seconds is not None and side_by_side(lanes, accelerators)

    def _enter(self, leg: Leg, beside: bool) -> Job:
        spec, cut_seconds = leg.entry.spec, self._plan.leg_seconds
        part = leg.part(self.race_id, self._name, cut_seconds)
        run_id = self._history.create(spec, name=part.leg_name, session=self._session, part=part)
        self._run_ids.append(run_id)
        turn_seconds = TURN_SECONDS if beside else None
        # Of every lane alike, so that no pair differs in it; the other rounds learn the same again.
        keep = cut_seconds is None and leg.turn == 0
        facts = run_id, spec, LiveRun(run_id, spec)
        return Job(*facts, cut_seconds=cut_seconds, turn_seconds=turn_seconds, keep=keep)

    def add(self, jobs: Sequence[Job]) -> None:
        """The runs that a machine was given are over."""
        with self._lock:
            legs = self._current.pop(jobs[0].spec.machine)
            for leg, job in zip(legs, jobs, strict=True):
                self._add(leg, job)

    def _add(self, leg: Leg, job: Job) -> None:
        run = job.live.snapshot()
        if run.ended and run.ended.status is Status.STOPPED:
            self._stopped = True  # whoever stops one run of a race wants it to end
        finished = run.ended and run.ended.status is Status.FINISHED
        data = run.started.dataset if run.started else None
        self._referee.add(
            leg,
            timed(job.spec, data, run.ended.timing, run.ended.disturbances)
            if run.ended and finished
            else None,
        )

    def _seconds(self) -> float:
        return time.monotonic() - self._began_at if self._began_at is not None else 0.0
