"""One machine's place in the lab: what waits for it, and the thread that works it off."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field

from cnnlab import checkpoints, learned
from cnnlab.runner.baton import Baton
from cnnlab.runner.job import Job
from cnnlab.runner.live import LiveRun
from cnnlab.runner.process import Process, events_of, why_it_died
from cnnlab.runner.race_job import RaceJob
from cnnlab.runner.recorder import Recorder
from cnnlab.runner.sweep_job import SweepJob
from cnnlab.runner.turns import turn_on
from cnnlab.runner.watcher import Watcher
from cnnlab.runner.workers import Workers
from cnnlab.spec import Event, LabError, PhaseChanged, RunEnded, Status, SweepStatus

log = logging.getLogger(__name__)


@dataclass
class Floor:
    """What all stations of a lab share; `changed` guards it and what each of them holds."""

    history: Recorder
    watcher: Watcher
    changed: threading.Condition = field(default_factory=threading.Condition)
    races: deque[RaceJob] = field(default_factory=deque)
    stations: dict[str, Station] = field(default_factory=dict)
    closing: bool = False


class Station:
    """A machine: it trains what waits for it, one thing after the other.

    Whoever reads or changes what it holds has `Floor.changed`.
    """

    def __init__(self, machine: str, workers: Workers, floor: Floor, *, ahead: bool) -> None:
        """
        Args:
            ahead: start a training process before there is a run for it.
        """
        self.machine, self.workers = machine, workers
        self._floor, self._changed, self._history = floor, floor.changed, floor.history
        self._ahead = ahead
        self.queue: deque[Job] = deque()
        self.sweeps: deque[SweepJob] = deque()
        self.sweeping: SweepJob | None = None
        self.jobs: list[Job] = []
        """What trains: one run, or those of a race that take turns."""
        self.last: list[LiveRun] = []
        self._crew = [workers]
        """A training process for each of them."""
        self._thread = threading.Thread(target=self._work, name=f"cnnlab-{machine}", daemon=True)

    def open(self) -> None:
        """Begin to work."""
        self._thread.start()

    # What the lab asks, with `Floor.changed` in hand.

    @property
    def free(self) -> bool:
        """A race could begin now."""
        begun = any(race.begun for race in self._races())
        return not (self.queue or self.jobs or self.sweeping or begun)

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is under way."""
        return not (self.queue or self.jobs or self.sweeps or self._races())

    @property
    def training(self) -> str | None:
        """Id of the run that trains, of several the first that has not ended; where all have, and
        only their processes close, of the first."""
        going = [job for job in self.jobs if not job.live.over]
        return next((job.run_id for job in going or self.jobs), None)

    def lives(self) -> list[LiveRun]:
        """The runs that wait, then what trains."""
        return [job.live for job in (*self.queue, *self.jobs)]

    def stop(self, run_id: str) -> Job | None:
        """Ask a run that trains to stop, or take it out of the queue, and hand it over then."""
        waiting = next((job for job in self.queue if job.run_id == run_id), None)
        if waiting:
            self.queue.remove(waiting)
        for number, job in enumerate(self.jobs):
            if job.run_id == run_id:
                job.stop_requested = True
                # One that still imports torch, or hangs in a driver, hears of it as well.
                if worker := job.worker or self._crew[number].current:
                    job.stopping.ask(worker)
        return waiting

    def end_sweep(self, sweep_id: str, status: SweepStatus) -> SweepJob | None:
        """Ask a sweep to end; one that only waited is handed over, to be withdrawn."""
        job = next((job for job in self.sweeps if job.sweep_id == sweep_id), None)
        if job is None:
            return None
        waits = job is not self.sweeping
        job.ask(status, None if waits else self.workers.current)
        if not waits:
            return None
        self.sweeps.remove(job)
        return job

    def shut(self) -> list[Job]:
        """Break off what is under way and keep nothing that waits; what did."""
        waiting = list(self.queue)
        self.queue.clear()
        for sweep in self.sweeps:
            sweep.ask(SweepStatus.INTERRUPTED, None)
            sweep.kill()
        for workers in self._crew:
            workers.close()
        return waiting

    def join(self) -> None:
        """Wait for the thread, without `Floor.changed`; then end what it held."""
        self._thread.join(timeout=10)
        for sweep in self.sweeps:
            sweep.withdraw()

    # What its thread does.

    def _warm(self) -> None:
        self.workers.warm()

    def _work(self) -> None:
        if self._ahead:
            self._warm()
        while job := self._next():
            match job:
                case SweepJob():
                    self._measure(job)
                case RaceJob():
                    self._race(job)
                case Job():
                    self._run([job])
        for workers in self._crew:
            workers.drop()

    def _next(self) -> Job | RaceJob | SweepJob | None:
        """Wait for something to do; None when the lab closes."""
        with self._changed:
            while not self._floor.closing:
                if found := self._at_hand():
                    return found
                self._changed.wait(timeout=60)
            return None

    def _at_hand(self) -> Job | RaceJob | SweepJob | None:
        """What can be done now. Nothing comes between the runs of a race."""
        if race := self._race_begun():
            return race if race.calls(self.machine) else None
        if self.queue:
            job = self.queue.popleft()
            self._take_up([job])
            self._changed.notify_all()
            return job
        if self.sweeps and not self._races():  # which waits for its other machines
            self.sweeping = self.sweeps[0]
        return self.sweeping

    def _race_begun(self) -> RaceJob | None:
        """The race that has this machine: one begins as soon as all of its machines are free."""
        mine = self._races()
        if begun := next((race for race in mine if race.begun), None):
            return begun
        stations = self._floor.stations
        if not mine or not all(stations[machine].free for machine in mine[0].machines):
            return None
        mine[0].begin()
        self._changed.notify_all()
        return mine[0]

    def _races(self) -> list[RaceJob]:
        return [race for race in self._floor.races if self.machine in race.machines]

    def _take_up(self, jobs: list[Job]) -> None:
        """With a training process for each. Whoever calls it has `Floor.changed`."""
        self.jobs = jobs
        self._crew += [self.workers.another() for _ in jobs[len(self._crew) :]]

    def _run(self, jobs: list[Job]) -> None:
        """Runs from their beginning to their end: one, or some that take turns."""
        baton = Baton(len(jobs))
        others = [
            threading.Thread(target=self._lead, args=(number, job, baton), name=job.run_id)
            for number, job in enumerate(jobs[1:], start=1)
        ]
        with turn_on(self.machine):
            for thread in others:
                thread.start()
            self._lead(0, jobs[0], baton)
            for thread in others:
                thread.join()
        self._tidy()
        with self._changed:
            self.last, self.jobs = [job.live for job in jobs], []
        self._rest()

    def _lead(self, number: int, job: Job, baton: Baton) -> None:
        """One of them, in a process of its own."""
        try:
            self._train(number, job, baton)
        except Exception as error:
            # The thread serves every later run too: it must outlive a failing history.
            log.exception("run %s was lost", job.run_id)
            self._give_up(number, job, error)
        finally:
            baton.over(number)

    def _race(self, race: RaceJob) -> None:
        """The next runs of a race; where none is left, its end."""
        hardware = self.workers.hardware or {}
        try:
            jobs = race.legs(self.machine, len(hardware.get("accelerators", ())))
        except LabError:
            log.exception("race %s was lost", race.race_id)
            jobs = []
        with self._changed:
            self._take_up(jobs)
            if race.over and race in self._floor.races:
                self._floor.races.remove(race)
        if not jobs:
            self._rest()
            return
        self._run(jobs)
        race.add(jobs)
        with self._changed:
            self._changed.notify_all()  # the other machines of the race wait for this

    def _rest(self) -> None:
        """After work: tell who waits, and start the next worker where nothing is left to do."""
        with self._changed:
            idle = self.idle and not self._floor.closing
            self._changed.notify_all()
        if idle:
            self._warm()

    def _tidy(self) -> None:
        try:
            checkpoints.tidy(self._history)
            learned.tidy(self._history)
        except (LabError, OSError):
            log.warning("what runs left on the disk could not be tidied", exc_info=True)

    def _measure(self, job: SweepJob) -> None:
        """One cell of a sweep."""
        try:
            with turn_on(self.machine):
                more = job.turn(self.workers.give_away)
        except Exception as error:
            log.exception("sweep %s was lost", job.sweep_id)
            job.fail(error)
            more = False
        with self._changed:
            self.sweeping = None
            if not more:
                self.sweeps.remove(job)
        self._rest()

    def _train(self, number: int, job: Job, baton: Baton) -> None:
        launched_at = time.monotonic()
        self._history.mark(job.run_id, Status.RUNNING)
        worker = self._crew[number].worker_for(job.spec.gpu_off)
        ended, code = False, 0
        if worker:
            self._hand_over(job, worker, launched_at)
            for event in events_of(worker):
                ended = ended or isinstance(event, RunEnded)
                self._take(job, event)
                if isinstance(event, PhaseChanged) and event.phase == "holding":
                    baton.held(number, worker)
            code = self._dismiss(number, job, worker)
        if not ended:
            self._take(job, self._last_word(job, code))

    def _hand_over(self, job: Job, worker: Process, launched_at: float) -> None:
        with self._changed:
            worker.send(job.order(launched_at))
            job.worker = worker
            if job.stop_requested:
                job.stopping.over()  # it may have been asked of a worker that is gone by now
                job.stopping.ask(worker)

    def _dismiss(self, number: int, job: Job, worker: Process) -> int:
        self._crew[number].let_go()
        code = worker.close()
        job.stopping.over()
        return code

    def _last_word(self, job: Job, code: int) -> RunEnded:
        if self._floor.closing:
            error = "The lab was closed while it trained; resume it or train it again."
            return RunEnded(status=Status.INTERRUPTED, error=error)
        if job.stop_requested:
            return RunEnded(status=Status.STOPPED)
        return RunEnded(status=Status.FAILED, error=why_it_died(code, self.machine))

    def _take(self, job: Job, event: Event) -> None:
        job.live.apply(event)
        self._history.record(job.run_id, event)

    def _give_up(self, number: int, job: Job, error: Exception) -> None:
        if worker := self._crew[number].current:
            worker.kill()
            self._dismiss(number, job, worker)
        said = str(error) if isinstance(error, LabError) else "The lab lost this run; see its log."
        end(self._floor.watcher, job, Status.FAILED, said)


def end(watcher: Watcher, job: Job, status: Status, error: str) -> None:
    """End a run that its worker did not end; the page knows at once, the history when it can.

    Where the worker had ended it, and only the history did not hear, its word stands.
    """
    if (ended := job.live.snapshot().ended) is None:
        ended = RunEnded(status=status, error=error)
        job.live.apply(ended)
    watcher.end_run(job.run_id, ended, job.live)
