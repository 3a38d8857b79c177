"""A race under way in the lab: it hands out one run after the other, and is told what came of it.

Lanes on different machines run at the same time: a round begins when the last one is over on all.
The threads of its machines call `calls`, `leg` and `add`; pages ask for a snapshot or a stop from
their own.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

from cnnlab.race import Gain, Leg, Referee, timed
from cnnlab.runner.job import Job
from cnnlab.runner.live import LiveRun
from cnnlab.spec import ExperimentSpec, Part, RacePlan, Status


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
        self._current: dict[str, Leg] = {}
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

    def leg(self, machine: str) -> Job | None:
        """The next run on a machine, entered in the history; None where there is none for it now,
        or the race is over.

        Raises:
            LabError: the history cannot be written.
        """
        with self._lock:
            if self._round_is_over and self._current:
                return None
            leg = None if self._stopped else self._referee.next(self._seconds(), machine)
            if leg is None:
                self._over = self._round_is_over and not self._current
                return None
            self._over = True  # unless the history takes it
            cut_seconds = self._plan.leg_seconds
            run_id = self._history.create(
                leg.entry.spec,
                name=f"{self._name}: {leg.entry.title}"[:120],
                session=self._session,
                part=leg.part(self.race_id, self._name, cut_seconds),
            )
            self._over = False
            self._current[machine] = leg
            self._run_ids.append(run_id)
        live = LiveRun(run_id, leg.entry.spec)
        return Job(run_id, leg.entry.spec, live, cut_seconds=cut_seconds)

    def add(self, job: Job) -> None:
        """A run of it is over."""
        with self._lock:
            leg, run = self._current.pop(job.spec.machine), job.live.snapshot()
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
