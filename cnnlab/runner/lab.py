"""The lab: what waits for which machine; each machine has a station that works it off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from cnnlab import checkpoints, learned
from cnnlab.runner.job import Job
from cnnlab.runner.live import LiveRun, Snapshot
from cnnlab.runner.process import Elsewhere, Starter
from cnnlab.runner.race_job import RaceJob, RaceSnapshot
from cnnlab.runner.recorder import Recorder
from cnnlab.runner.station import Floor, Station, end
from cnnlab.runner.sweep_job import SweepJob, SweepSnapshot
from cnnlab.runner.watcher import Watcher
from cnnlab.runner.workers import Workers
from cnnlab.spec import (
    HERE,
    ExperimentSpec,
    GpuOff,
    LabError,
    Part,
    RacePlan,
    RunCard,
    RunResumed,
    Status,
    SweepStatus,
)
from cnnlab.sweep import CellRun, Record

QUEUE_LIMIT = 100


class Lab:
    """The queues of all machines; one lab for all pages and browsers."""

    def __init__(
        self,
        history: Recorder,
        environments: Mapping[GpuOff, Mapping[str, str]],
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """
        Args:
            history: where runs are kept.
            environments: environment variables of a worker for each way to switch the GPU off.
            elsewhere: how a worker is started on another machine; null: there are none.
        """
        self._history, self._start = history, Starter(environments, elsewhere)
        self._floor = Floor(history, Watcher(history))
        self._changed = self._floor.changed
        with self._changed:
            self._station(HERE)

    # What pages call.

    def submit(
        self,
        spec: ExperimentSpec,
        *,
        name: str,
        session: str,
        part: Part | None = None,
        keep: bool = True,
    ) -> str:
        """Queue a run for its machine; its id.

        Args:
            part: the run's in something larger.
            keep: what it learns.

        Raises:
            LabError: the queue is full, the machine is none of this lab's, or the history cannot
                be written.
        """
        self._check_open(spec.machine)
        run_id = self._history.create(spec, name=name, session=session, part=part)
        self._enqueue(spec.machine, Job(run_id, spec, LiveRun(run_id, spec), keep=keep))
        return run_id

    def resume(self, run_id: str, machine: str | None = None) -> None:
        """Queue a run that broke off, to go on after its last epoch.

        Args:
            machine: where it goes on; null: where it was.

        Raises:
            LabError: it cannot be resumed, the queue is full, or the history cannot be written.
        """
        self._check_open(machine or HERE)
        if not checkpoints.kept(run_id):
            raise LabError(f"The run {run_id} has no checkpoint to go on from; train it again.")
        self._go_on(run_id, machine, resume=True)

    def resume_or_begin(self, run_id: str) -> None:
        """Queue a run that broke off, to go on after its last epoch where it was, or, if there is
        no checkpoint of it, from its beginning.

        Raises:
            LabError: it is not over, or finished, the queue is full, or the history cannot be
                written.
        """
        self._check_open(HERE)
        self._go_on(run_id, None, resume=bool(checkpoints.kept(run_id)))

    def _go_on(self, run_id: str, machine: str | None, *, resume: bool) -> None:
        card = self._history.reopen(run_id)
        if not resume:
            self._history.record(card.run_id, RunResumed(epochs=()))
        live = LiveRun(card.run_id, card.spec, card if resume else None)
        where = machine or (card.machine.name if card.machine else card.spec.machine)
        where = where if self._start.elsewhere else HERE
        facts = card.run_id, card.spec, live
        self._enqueue(where, Job(*facts, resume=resume, keep=_keeps(card, resume)))

    def _check_open(self, machine: str) -> None:
        with self._changed:
            self._refuse_if_closing("train")
            self._start.check(machine)
            if sum(len(station.queue) for station in self._stations()) >= QUEUE_LIMIT:
                raise LabError(f"{QUEUE_LIMIT} runs are waiting already; withdraw some first.")

    def _refuse_if_closing(self, what: str) -> None:
        if self._floor.closing:
            raise LabError(f"The lab is closing; start it again to {what}.")

    def _enqueue(self, machine: str, job: Job) -> None:
        with self._changed:
            self._station(machine).queue.append(job)
            self._changed.notify_all()

    def _station(self, machine: str) -> Station:
        """That of a machine, opened when it is first needed."""
        if machine not in self._floor.stations:
            station = self._floor.stations[machine] = self._open(machine)
            station.open()
        return self._floor.stations[machine]

    def _open(self, machine: str) -> Station:
        workers = Workers(partial(self._start, machine), self._changed)
        return Station(machine, workers, self._floor, ahead=machine == HERE)

    def _stations(self) -> list[Station]:
        return list(self._floor.stations.values())

    def submit_race(self, plan: RacePlan, *, name: str, session: str) -> str:
        """Queue a race; its id. Its short runs here train side by side where they can, others of
        one machine follow each other, and several machines work at once.

        Raises:
            LabError: the lab is closing, or a machine is none of its own.
        """
        job = RaceJob(name, session, plan, self._history)
        with self._changed:
            self._refuse_if_closing("race")
            for machine in job.machines:
                self._start.check(machine)
            for machine in job.machines:
                self._station(machine)
            self._floor.races.append(job)
            self._changed.notify_all()
        return job.race_id

    def races(self) -> tuple[RaceSnapshot, ...]:
        """The races under way, then those that wait."""
        with self._changed:
            jobs = sorted(self._floor.races, key=lambda job: not job.begun)
        return tuple(job.snapshot() for job in jobs)

    def stop_race(self, race_id: str) -> None:
        """End a race: no further run begins, and those under way are stopped."""
        with self._changed:
            job = next((job for job in self._floor.races if job.race_id == race_id), None)
            if job is None:
                return
            job.stop()
            if not job.begun:
                self._floor.races.remove(job)
            self._changed.notify_all()
        for run_id in job.snapshot().run_ids:
            self.stop(run_id)

    def submit_sweep(self, record: Record, runs: Sequence[CellRun]) -> None:
        """Queue a sweep, or what is left of one.

        Args:
            runs: the cells that were measured of it in earlier sittings.

        Raises:
            LabError: the lab is closing, or the machine is none of its own.
        """
        job = SweepJob(record, runs, self._history, self._floor.watcher)
        machine = record.plan.spec.machine
        with self._changed:
            self._refuse_if_closing("sweep")
            self._start.check(machine)
            self._station(machine).sweeps.append(job)
            self._changed.notify_all()

    def sweeps(self) -> tuple[SweepSnapshot, ...]:
        """The sweeps under way, then those that wait."""
        with self._changed:
            first = [job for station in self._stations() for job in list(station.sweeps)[:1]]
            others = [job for station in self._stations() for job in list(station.sweeps)[1:]]
        return tuple(job.snapshot() for job in first + others)

    def end_sweep(self, sweep_id: str, status: SweepStatus) -> None:
        """Pause or stop a sweep; its finished cells stay. One that is over stays as it is."""
        with self._changed:
            found = [station.end_sweep(sweep_id, status) for station in self._stations()]
        for job in filter(None, found):
            job.withdraw()

    def busy(self) -> bool:
        """Whether something is being timed on the lab's own computer."""
        with self._changed:
            return not self._station(HERE).idle

    def queued(self, machine: str | None = None) -> tuple[str, ...]:
        """Ids of the runs that wait, for one machine or for any, next first."""
        with self._changed:
            jobs = [
                job
                for station in self._stations()
                if machine in (None, station.machine)
                for job in station.queue
            ]
        return tuple(job.run_id for job in jobs)

    def running(self) -> str | None:
        """Id of the run that is being trained; of several, the one that is trained here."""
        return next(iter(self.training().values()), None)

    def training(self) -> dict[str, str]:
        """By machine, the id of the run that is being trained there; of those side by side, the
        first that has not ended."""
        with self._changed:
            return {
                machine: run_id
                for machine, station in self._floor.stations.items()
                if (run_id := station.training)
            }

    def hardware(self) -> dict[str, Any] | None:
        """What the first worker found here, or None while it is still starting."""
        with self._changed:
            return self._station(HERE).workers.hardware

    def live(self, run_id: str) -> Snapshot | None:
        """The run as it stands, if it is waiting, being trained, or the last one trained, or if
        the history did not take its end."""
        with self._changed:
            stations = self._stations()
            runs = [run for station in stations for run in station.lives()]
            # Behind them: a run may go on on another machine than the one that had it last.
            runs += [run for station in stations for run in station.last]
        runs += self._floor.watcher.unwritten()
        return next((run.snapshot() for run in runs if run.run_id == run_id), None)

    def stop(self, run_id: str) -> None:
        """Withdraw a waiting run, or ask a running one to stop; one that is over stays as it is."""
        with self._changed:
            found = [station.stop(run_id) for station in self._stations()]
        for waiting in filter(None, found):
            end(self._floor.watcher, waiting, Status.STOPPED, "Withdrawn before it began.")

    def stopping(self, run_id: str) -> bool:
        """Whether a run that is being trained was asked to stop."""
        with self._changed:
            jobs = [job for station in self._stations() for job in station.jobs]
        return any(job.run_id == run_id and job.stop_requested for job in jobs)

    def wait_idle(self, timeout_seconds: float) -> bool:
        """Wait until nothing is queued or running; whether that came to pass."""
        with self._changed:
            return self._changed.wait_for(self._idle, timeout_seconds)

    def _idle(self) -> bool:
        return all(station.idle for station in self._stations()) and not self._floor.races

    def close(self) -> None:
        """Interrupt what runs, keep what waits as interrupted, end the workers and the threads."""
        with self._changed:
            self._floor.closing = True
            self._floor.races.clear()
            waiting = [job for station in self._stations() for job in station.shut()]
            self._changed.notify_all()
        for job in waiting:
            error = "The lab was closed before it began."
            end(self._floor.watcher, job, Status.INTERRUPTED, error)
        for station in self._stations():
            station.join()
        self._floor.watcher.close()


def _keeps(card: RunCard, resume: bool) -> bool:
    """Whether what a run learns is kept as it goes on: where it was from its beginning, as a rung
    of a ladder, which nothing else tells from any other run, was not.

    Args:
        resume: it goes on after an epoch, by which the folder of what it learns was begun; else it
            begins once more, as only the variants of a sweep do.
    """
    return learned.kept(card.run_id) if resume else not (card.part and card.part.kind == "sweep")
