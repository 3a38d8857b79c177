"""The training process: told what to do by JSON lines on stdin, answers by JSON lines on stdout.

The runner starts it early, so that a run need not wait for the imports of torch and Keras. It says
hello with the hardware and waits for an order: one run, after which it ends, or any number of
measurements, profiles and trials, one after the other, until its stdin closes. When its stdin
closes, the lab is gone and so is any reason to go on. It is started as
`python -m cnnlab.worker GPU_OFF`, not through the command line, so that it imports no more than it
needs.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import IO, Any, cast

from cnnlab import checkpoints, datasets, devices, learned
from cnnlab.spec import (
    Event,
    GpuOff,
    LabError,
    Profiled,
    RunEnded,
    Status,
    Tried,
    parse_spec,
)

log = logging.getLogger(__name__)

Order = dict[str, Any]
Emit = Callable[[Event], None]
Stop = Callable[[], bool]


def serve(gpu_off: GpuOff) -> None:
    """Serve one run, or the cells of a sweep, over this process's stdin and stdout.

    Args:
        gpu_off: the off-switch to throw before torch and Keras are imported.
    """
    out = _take_stdout()
    inbox = Inbox()
    devices.switch_off(gpu_off)
    from cnnlab import training  # the slow import, done while nobody waits

    def emit(event: Event) -> None:
        print(event.model_dump_json(), file=out, flush=True)

    hardware = devices.describe().model_dump(mode="json")
    print(json.dumps({"kind": "hello", "hardware": hardware}), file=out, flush=True)
    for prepare in (datasets.draw_ahead, training.first_steps, devices.tidy_compiled):
        if inbox.job.empty():
            _prepare(prepare)
    job = inbox.next()
    while answer := _ANSWERS.get(job.get("kind", "train")):
        try:
            answer(job, emit, inbox.stop.is_set)
        except Exception as error:  # the next cell may work
            log.exception("%s of %s failed", job["kind"], job["run_id"])
            emit(RunEnded(status=Status.FAILED, error=training.explain(error)))
        job = inbox.next()
    turns = training.Turns(job["turn_seconds"], emit, inbox.turn) if job["turn_seconds"] else None
    cut = training.Cut(job["cut_seconds"], emit, inbox.stop.is_set, turns)
    try:
        training.train(
            parse_spec(job["spec"]),
            cut.emit,
            cut.stop,
            launched_at=job["launched_at"],
            save=None if cut.seconds else partial(checkpoints.write, job["run_id"]),
            keep=partial(learned.Writer, job["run_id"]) if job["keep"] else None,
            tested=not cut.seconds,
            resume=checkpoints.newest(job["run_id"]) if job["resume"] else None,
            turns=turns,
        )
    except Exception as error:  # the process boundary: all that is left is to tell the lab
        log.exception("run %s failed", job["run_id"])
        if isinstance(error, training.Diverged):
            checkpoints.discard(job["run_id"])
        emit(RunEnded(status=Status.FAILED, error=training.explain(error)))


def _measure(job: Order, emit: Emit, stop: Stop) -> None:
    from cnnlab import training

    spec, seconds, steady = parse_spec(job["spec"]), job["seconds"], job["until_steady"]
    training.measure(spec, emit, stop, seconds=seconds, until_steady=steady)


def _profile(job: Order, emit: Emit, stop: Stop) -> None:
    from cnnlab import training

    emit(Profiled(profile=training.profile(parse_spec(job["spec"]), stop)))


def _try(job: Order, emit: Emit, stop: Stop) -> None:
    from cnnlab import training

    spec, expected = parse_spec(job["spec"]), job["expected"]
    emit(Tried(trial=training.try_change(spec, job["change"], stop, expected=expected)))


_ANSWERS: dict[str, Callable[[Order, Emit, Stop], None]] = {
    "measure": _measure,
    "profile": _profile,
    "try": _try,
}
"""What each kind of order is answered by, any number of them in one process."""


def _prepare(work: Callable[[], None]) -> None:
    """Do something while there is no job, that the job would have to wait for."""
    try:
        work()
    except (LabError, OSError):
        log.warning("could not be done ahead", exc_info=True)  # the run will say it, if it matters


def _take_stdout() -> IO[str]:
    """Keep stdout for events: whatever a library prints goes to stderr, the log."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


class Inbox:
    """What the lab says on stdin: first a job, then perhaps "stop", and "go" whenever a run that
    takes turns has its next one. Read on a thread."""

    def __init__(self) -> None:
        self.job: queue.Queue[dict[str, Any]] = queue.Queue()
        self.stop = threading.Event()
        self._go = threading.Semaphore(0)
        threading.Thread(target=self._listen, name="cnnlab-stdin", daemon=True).start()

    def next(self) -> Order:
        """The next order, once it comes."""
        job = self.job.get()
        if key := job.get("stands_for"):  # the data were sent to this machine
            datasets.stand_in(job["spec"]["dataset"], key)
        return job

    def turn(self) -> None:
        """Wait for the next turn, or the wish that the run stop."""
        self._go.acquire()

    def _listen(self) -> None:
        for line in sys.stdin:
            match line.strip():
                case "go":
                    self._go.release()
                case "stop":
                    self.stop.set()
                    self._go.release()
                case order:
                    self.job.put(_with_own_clock(json.loads(order)))
        try:
            devices.drop_compiled()
        finally:
            os._exit(1)  # the lab is gone


def _with_own_clock(order: Order) -> Order:
    """An order from another machine says how long ago the run was launched: clocks differ."""
    if "launched_ago" in order:
        order["launched_at"] = time.monotonic() - order["launched_ago"]
    return order


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    serve(cast(GpuOff, sys.argv[1]))
