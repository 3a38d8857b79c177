"""Hundreds of runs and stops in one lab."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import pytest

from cnnlab.history import History
from cnnlab.runner import Lab
from cnnlab.runner import process as runner
from cnnlab.spec import (
    PRESETS,
    Event,
    Status,
    Window,
    change,
)
from cnnlab.training import train
from tests.example_runs import CPU, ended, epoch, started
from tests.faults.labs import LONG, OFF, SHORT, submit, until
from tests.faults.light_worker import talking
from tests.processes import Started

PAGE = ("count", "size")


class Size:
    """What this process and its history hold."""

    def __init__(self, home: Path) -> None:
        process = psutil.Process()
        self.rss_mb = process.memory_info().rss / 1e6
        self.threads, self.handles = process.num_threads(), process.num_fds()
        # Not the file's size: what is in the log ahead of it counts as well, its spare room not.
        with closing(sqlite3.connect(home / "history.db")) as raw:
            pages, size = (raw.execute(f"PRAGMA page_{what}").fetchone() for what in PAGE)
        self.database_kb = pages[0] * size[0] / 1e3

    def __str__(self) -> str:
        return (
            f"RSS {self.rss_mb:.1f} MB, {self.threads} threads, {self.handles} handles, "
            f"database {self.database_kb:.0f} kB"
        )


class LightWorker(runner.Worker):
    """A process that tells of a run and trains nothing: what is measured here is the app."""

    COMMAND = talking([started(SHORT, CPU), *epoch(1, 1.0), ended(1, 1.0, Status.FINISHED)])


def _meet(history: History) -> None:
    """Let the pool open all the connections that it keeps, as it does where threads meet."""
    pool = history._reading.pool
    for connection in [history._reading.connect() for _ in range(pool.size())]:
        connection.close()


def many_runs(count: int, home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[int, Size]:
    """Short runs, one after the other, in one lab; how large all is after each thirtieth."""
    monkeypatch.setattr(runner, "Worker", LightWorker)
    sizes = {}
    with closing(History()) as history:
        _meet(history)
        lab = Lab(history, OFF)
        for number in range(1, count + 1):
            run_id = submit(lab, change(SHORT, seed=number))
            assert lab.wait_idle(120)
            assert history.card(run_id, steps=False).status == Status.FINISHED
            if number % 30 == 0:
                sizes[number] = Size(home)
        lab.close()
    return sizes


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_three_hundred_short_runs(
    home: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = many_runs(300, home, monkeypatch)
    with capsys.disabled():
        for number, size in sizes.items():
            print(f"\nafter run {number}: {size}", end="")
    first, last = sizes[30], sizes[300]
    assert last.rss_mb <= 1.05 * first.rss_mb
    assert last.threads <= 1.05 * first.threads
    assert last.handles <= 1.05 * first.handles
    early = sizes[150].database_kb - first.database_kb
    late = last.database_kb - sizes[180].database_kb
    assert late <= 1.1 * early


def seconds_to_stop_training(count: int, seed: int) -> tuple[list[float], list[float], list[float]]:
    """Stop trainings of this process at random moments: the seconds that each took, those of two
    of its steps, and the seconds of processor time, which a busy machine does not lengthen.
    """
    chance, waited, two_steps, busy = random.Random(seed), [], [], []
    for number in range(count):
        asked, when = threading.Event(), []

        def ask(asked: threading.Event = asked, when: list[float] = when) -> None:
            when += [time.monotonic(), time.process_time()]
            asked.set()

        timer = threading.Timer(chance.uniform(0.05, 2), ask)
        timer.start()
        events: list[Event] = []
        spec = change(chance.choice([LONG, HEAVY]), seed=number, engine=chance.choice(ENGINES))
        train(spec, events.append, asked.is_set, launched_at=time.monotonic())
        waited.append(time.monotonic() - when[0])
        busy.append(time.process_time() - when[1])
        assert events[-1].status == Status.STOPPED
        steps = [ms for each in events if isinstance(each, Window) for ms in each.step_ms]
        two_steps.append(2 * max(steps, default=0.0) / 1e3)
    return waited, two_steps, busy


def _summary(waited: list[float], two_steps: list[float]) -> tuple[str, int]:
    late = sum(w > max(1.0, t) for w, t in zip(waited, two_steps, strict=True))
    half, most = (float(np.percentile(waited, share)) for share in (50, 95))
    return (
        f"{len(waited)} random stops: median {half:.2f} s, p95 {most:.2f} s, longest "
        f"{max(waited):.2f} s; {late} took longer than 1 s and than two steps"
    ), late


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_random_stops_of_the_training(capsys: pytest.CaptureFixture) -> None:
    waited, two_steps, busy = seconds_to_stop_training(100, 6)
    said, late = _summary(waited, two_steps)
    with capsys.disabled():
        print(f"\n{said}; p95 of processor time {np.percentile(busy, 95):.2f} s")
    assert late <= 5


def seconds_to_stop(count: int, seed: int) -> tuple[list[float], list[float], int]:
    """Stop runs at random moments: seconds until each has ended, those of two of its steps, and
    how many workers were left.
    """
    chance, waited, two_steps, left = random.Random(seed), [], [], 0
    with closing(History()) as history:
        workers, lab = Started(), Lab(history, OFF)
        for number in range(count):
            spec = change(chance.choice([LONG, HEAVY]), seed=number)
            run_id = submit(lab, spec)
            assert until(lambda: lab.live(run_id).started is not None, 120)  # noqa: B023
            time.sleep(chance.uniform(0, 1.5))
            (worker,) = workers()
            began = time.monotonic()
            lab.stop(run_id)
            assert until(lambda: history.card(run_id, steps=False).status.over, 20)  # noqa: B023
            waited.append(time.monotonic() - began)
            steps = history.card(run_id).steps.ms
            two_steps.append(2 * max(steps, default=0.0) / 1e3)
            assert lab.wait_idle(20)
            assert history.card(run_id, steps=False).status == Status.STOPPED
            left += len(psutil.wait_procs([worker], timeout=10)[1])
        lab.close()
    return waited, two_steps, left


ENGINES = ("stock", "fast")
HEAVY = change(PRESETS["article"].spec, dataset="shapes", train_limit=2000, epochs=50)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_random_stops_through_a_lab(home: Path, capsys: pytest.CaptureFixture) -> None:
    waited, two_steps, left = seconds_to_stop(100, 5)
    said, late = _summary(waited, two_steps)
    with capsys.disabled():
        print(f"\n{said}; {left} workers left")
    assert late <= 5
    assert left == 0
