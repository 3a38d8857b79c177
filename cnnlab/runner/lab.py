"""The queue and the background thread that works it off."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from cnnlab import checkpoints, learned
from cnnlab.runner.job import Job
from cnnlab.runner.live import LiveRun, Snapshot
from cnnlab.runner.process import Worker, events_of, why_it_died
from cnnlab.runner.race_job import RaceJob, RaceSnapshot
from cnnlab.runner.recorder import Recorder
from cnnlab.runner.sweep_job import SweepJob, SweepSnapshot
from cnnlab.runner.turns import alone
from cnnlab.runner.watcher import Watcher
from cnnlab.runner.workers import Workers
from cnnlab.spec import (
    Event,
    ExperimentSpec,
    GpuOff,
    LabError,
    Part,
    RacePlan,
    RunEnded,
    Status,
    SweepStatus,
)
from cnnlab.sweep import CellRun, Record

log = logging.getLogger(__name__)

QUEUE_LIMIT = 100


class Lab:
    """The queue and its background thread; one for all pages and browsers."""

    def __init__(self, history: Recorder, environments: Mapping[GpuOff, Mapping[str, str]]) -> None:
        """
        Args:
            history: where runs are kept.
            environments: environment variables of a worker for each way to switch the GPU off.
        """
        self._history = history
        self._changed = threading.Condition()
        self._workers = Workers(environments, self._changed)
        self._queue: deque[Job] = deque()
        self._races: deque[RaceJob] = deque()
        self._sweeps: deque[SweepJob] = deque()
        self._job: Job | None = None
        self._sweeping: SweepJob | None = None
        self._last: LiveRun | None = None
        self._closing = False
        self._watcher = Watcher(history)
        self._thread = threading.Thread(target=self._work, name="cnnlab-runner", daemon=True)
        self._thread.start()

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
        """Queue a run; its id.

        Args:
            part: the run's in something larger.
            keep: what it learns.

        Raises:
            LabError: the queue is full, or the history cannot be written.
        """
        self._check_open()
        run_id = self._history.create(spec, name=name, session=session, part=part)
        self._enqueue(Job(run_id, spec, LiveRun(run_id, spec), keep=keep))
        return run_id

    def resume(self, run_id: str) -> None:
        """Queue a run that broke off, to go on after its last epoch.

        Raises:
            LabError: it cannot be resumed, the queue is full, or the history cannot be written.
        """
        self._check_open()
        if not checkpoints.kept(run_id):
            raise LabError(f"The run {run_id} has no checkpoint to go on from; train it again.")
        card = self._history.reopen(run_id)
        live = LiveRun(card.run_id, card.spec, card)
        self._enqueue(Job(card.run_id, card.spec, live, resume=True, keep=True))

    def _check_open(self) -> None:
        with self._changed:
            self._refuse_if_closing("train")
            if len(self._queue) >= QUEUE_LIMIT:
                raise LabError(f"{QUEUE_LIMIT} runs are waiting already; withdraw some first.")

    def _refuse_if_closing(self, what: str) -> None:
        if self._closing:
            raise LabError(f"The lab is closing; start it again to {what}.")

    def _enqueue(self, job: Job) -> None:
        with self._changed:
            self._queue.append(job)
            self._changed.notify_all()

    def submit_race(self, plan: RacePlan, *, name: str, session: str) -> str:
        """Queue a race, whose runs will follow each other; its id.

        Raises:
            LabError: the lab is closing.
        """
        job = RaceJob(name, session, plan, self._history)
        with self._changed:
            self._refuse_if_closing("race")
            self._races.append(job)
            self._changed.notify_all()
        return job.race_id

    def races(self) -> tuple[RaceSnapshot, ...]:
        """The race under way, then those that wait."""
        with self._changed:
            jobs = tuple(self._races)
        return tuple(job.snapshot() for job in jobs)

    def stop_race(self, race_id: str) -> None:
        """End a race: no further run begins, and the one under way is stopped."""
        with self._changed:
            job = next((job for job in self._races if job.race_id == race_id), None)
            if job is None:
                return
            job.stop()
            current = self._job.run_id if self._job else None
            if not job.begun:
                self._races.remove(job)
        if current in job.snapshot().run_ids:
            self.stop(current)

    def submit_sweep(self, record: Record, runs: Sequence[CellRun]) -> None:
        """Queue a sweep, or what is left of one.

        Args:
            runs: the cells that were measured of it in earlier sittings.

        Raises:
            LabError: the lab is closing.
        """
        job = SweepJob(record, runs, self._history, self._watcher)
        with self._changed:
            self._refuse_if_closing("sweep")
            self._sweeps.append(job)
            self._changed.notify_all()

    def sweeps(self) -> tuple[SweepSnapshot, ...]:
        """The sweep under way, then those that wait."""
        with self._changed:
            jobs = tuple(self._sweeps)
        return tuple(job.snapshot() for job in jobs)

    def end_sweep(self, sweep_id: str, status: SweepStatus) -> None:
        """Pause or stop a sweep; its finished cells stay. One that is over stays as it is."""
        with self._changed:
            job = next((job for job in self._sweeps if job.sweep_id == sweep_id), None)
            waits = job is not None and job is not self._sweeping
            if job:
                job.ask(status, None if waits else self._workers.current)
            if job and waits:
                self._sweeps.remove(job)
        if job and waits:
            job.withdraw()

    def busy(self) -> bool:
        """Whether something is being timed."""
        with self._changed:
            return bool(self._job or self._races or self._sweeps)

    def queued(self) -> tuple[str, ...]:
        """Ids of the waiting runs, next first."""
        with self._changed:
            return tuple(job.run_id for job in self._queue)

    def running(self) -> str | None:
        """Id of the run that is being trained."""
        with self._changed:
            return self._job.run_id if self._job else None

    def hardware(self) -> dict[str, Any] | None:
        """What the first worker found here, or None while it is still starting."""
        with self._changed:
            return self._workers.hardware

    def live(self, run_id: str) -> Snapshot | None:
        """The run as it stands, if it is waiting, being trained, or the last one trained, or if
        the history did not take its end."""
        with self._changed:
            jobs = [*self._queue, *([self._job] if self._job else [])]
            runs = [job.live for job in jobs] + ([self._last] if self._last else [])
        runs += self._watcher.unwritten()
        return next((run.snapshot() for run in runs if run.run_id == run_id), None)

    def stop(self, run_id: str) -> None:
        """Withdraw a waiting run, or ask a running one to stop; one that is over stays as it is."""
        with self._changed:
            waiting = next((job for job in self._queue if job.run_id == run_id), None)
            if waiting:
                self._queue.remove(waiting)
            elif self._job and self._job.run_id == run_id:
                self._job.stop_requested = True
                # One that still imports torch, or hangs in a driver, hears of it as well.
                if worker := self._job.worker or self._workers.current:
                    self._job.stopping.ask(worker)
        if waiting:
            self._end(waiting, Status.STOPPED, "Withdrawn before it began.")

    def wait_idle(self, timeout_seconds: float) -> bool:
        """Wait until nothing is queued or running; whether that came to pass."""
        with self._changed:
            return self._changed.wait_for(self._idle, timeout_seconds)

    def _idle(self) -> bool:
        return not (self._queue or self._job or self._races or self._sweeps)

    def close(self) -> None:
        """Interrupt what runs, keep what waits as interrupted, end the worker and the thread."""
        with self._changed:
            self._closing = True
            waiting, sweeps = list(self._queue), list(self._sweeps)
            self._queue.clear()
            self._races.clear()
            for sweep in sweeps:
                sweep.ask(SweepStatus.INTERRUPTED, None)
                sweep.kill()
            self._workers.close()
            self._changed.notify_all()
        for job in waiting:
            self._end(job, Status.INTERRUPTED, "The lab was closed before it began.")
        self._thread.join(timeout=10)
        for sweep in sweeps:
            sweep.withdraw()
        self._watcher.close()

    # What the background thread does.

    def _warm(self) -> None:
        self._workers.warm()

    def _work(self) -> None:
        self._warm()
        while job := self._next():
            match job:
                case SweepJob():
                    self._measure(job)
                case RaceJob():
                    self._race(job)
                case Job():
                    self._run(job)
        self._workers.drop()

    def _run(self, job: Job) -> None:
        """A run from its beginning to its end."""
        try:
            self._train(job)
        except Exception as error:
            # The thread serves every later run too: it must outlive a failing history.
            log.exception("run %s was lost", job.run_id)
            self._give_up(job, error)
        self._tidy()
        with self._changed:
            self._last, self._job = job.live, None
        self._rest()

    def _race(self, race: RaceJob) -> None:
        """One run of a race; where none is left, its end."""
        try:
            job = race.leg()
        except LabError:
            log.exception("race %s was lost", race.race_id)
            job = None
        with self._changed:
            self._job = job
            if job is None and race in self._races:
                self._races.remove(race)
        if job is None:
            self._rest()
            return
        self._run(job)
        race.add(job)

    def _rest(self) -> None:
        """After work: tell who waits, and start the next worker where nothing is left to do."""
        with self._changed:
            idle = self._idle() and not self._closing
            self._changed.notify_all()
        if idle:
            self._warm()

    def _tidy(self) -> None:
        try:
            checkpoints.tidy(self._history)
            learned.tidy(self._history)
        except (LabError, OSError):
            log.warning("what runs left on the disk could not be tidied", exc_info=True)

    def _next(self) -> Job | RaceJob | SweepJob | None:
        """Wait for a job; None when the lab closes. Nothing comes between the runs of a race."""
        with self._changed:
            while not (self._queue or self._races or self._sweeps or self._closing):
                self._changed.wait(timeout=60)
            if self._closing:
                return None
            if self._races and (self._races[0].begun or not self._queue):
                return self._races[0]
            if not self._queue:
                self._sweeping = self._sweeps[0]
                return self._sweeping
            self._job = self._queue.popleft()
            self._changed.notify_all()
            return self._job

    @alone
    def _measure(self, job: SweepJob) -> None:
        """One cell of a sweep."""
        try:
            more = job.turn(self._workers.give_away)
        except Exception as error:
            log.exception("sweep %s was lost", job.sweep_id)
            job.fail(error)
            more = False
        with self._changed:
            self._sweeping = None
            if not more:
                self._sweeps.remove(job)
        self._rest()

    @alone
    def _train(self, job: Job) -> None:
        launched_at = time.monotonic()
        self._history.mark(job.run_id, Status.RUNNING)
        worker = self._workers.worker_for(job.spec.gpu_off)
        ended = False
        if worker:
            self._hand_over(job, worker, launched_at)
            for event in events_of(worker):
                ended = ended or isinstance(event, RunEnded)
                self._take(job, event)
            code = self._dismiss(job, worker)
        if not ended:
            self._take(job, self._last_word(job, code if worker else 0))

    def _hand_over(self, job: Job, worker: Worker, launched_at: float) -> None:
        with self._changed:
            worker.send(job.order(launched_at))
            job.worker = worker
            if job.stop_requested:
                job.stopping.over()  # it may have been asked of a worker that is gone by now
                job.stopping.ask(worker)

    def _dismiss(self, job: Job, worker: Worker) -> int:
        self._workers.let_go()
        code = worker.close()
        job.stopping.over()
        return code

    def _last_word(self, job: Job, code: int) -> RunEnded:
        if self._closing:
            error = "The lab was closed while it trained; resume it or train it again."
            return RunEnded(status=Status.INTERRUPTED, error=error)
        if job.stop_requested:
            return RunEnded(status=Status.STOPPED)
        return RunEnded(status=Status.FAILED, error=why_it_died(code))

    def _take(self, job: Job, event: Event) -> None:
        job.live.apply(event)
        self._history.record(job.run_id, event)

    def _give_up(self, job: Job, error: Exception) -> None:
        if worker := self._workers.current:
            worker.kill()
            self._dismiss(job, worker)
        said = str(error) if isinstance(error, LabError) else "The lab lost this run; see its log."
        self._end(job, Status.FAILED, said)

    def _end(self, job: Job, status: Status, error: str) -> None:
        """End a run that its worker did not end; the page knows at once, the history when it can.

        Where the worker had ended it, and only the history did not hear, its word stands.
        """
        if (ended := job.live.snapshot().ended) is None:
            ended = RunEnded(status=status, error=error)
            job.live.apply(ended)
        self._watcher.end_run(job.run_id, ended, job.live)
