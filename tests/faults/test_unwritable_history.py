"""A history that cannot be written ends a run with a sentence, and the next one works."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from cnnlab import checkpoints, sweep
from cnnlab.history import History, database
from cnnlab.runner import Lab, watcher
from cnnlab.runner import process as runner
from cnnlab.spec import (
    LabError,
    Status,
    SweepStatus,
    change,
)
from tests.example_runs import CPU, epoch, started
from tests.faults.labs import LONG, OFF, SHORT, submit, until
from tests.patience import PATIENCE_SECONDS


class TalkingWorker:
    """Plays a worker: says hello and then what it is told to, without end; trains nothing."""

    def __init__(self, gpu_off: str, environment: object) -> None:
        self.gpu_off, self.alive, self.pid, self.code = gpu_off, True, 0, 0
        self._lines = self._talk()
        self._job = threading.Event()

    def _talk(self) -> Iterator[str]:
        yield json.dumps({"kind": "hello", "hardware": {}})
        self._job.wait()
        yield started(LONG, CPU).model_dump_json()
        number = 0
        while self.alive:
            number += 1
            yield from (each.model_dump_json() for each in epoch(number, 12.0))

    def line(self) -> str:
        return next(self._lines, "") + "\n" if self.alive else ""

    def send(self, line: str) -> None:
        self._job.set()

    def kill(self) -> None:
        self.alive, self.code = False, -9
        self._job.set()

    def close(self, patience_seconds: float = 5.0) -> int:
        self.alive = False
        self._job.set()
        return self.code


@pytest.fixture
def talking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "Worker", TalkingWorker)
    monkeypatch.setattr(watcher, "WATCH_SECONDS", 0.1)


@pytest.mark.usefixtures("talking")
def test_a_full_disk_ends_the_run_with_a_sentence_and_the_history_hears_of_it_later() -> None:
    def shrink(raw: sqlite3.Connection, _: object) -> None:
        raw.execute("PRAGMA max_page_count = 40")

    event.listen(Pool, "connect", shrink)
    with closing(History()) as history:
        lab = Lab(history, OFF)
        run_id = submit(lab)
        assert lab.wait_idle(PATIENCE_SECONDS)
        ended = lab.live(run_id).ended
        assert ended.status == Status.FAILED
        assert "the disk is full; make room on it" in ended.error
        event.remove(Pool, "connect", shrink)
        history.close()  # its next connections have room again
        assert until(lambda: history.card(run_id).status == Status.FAILED)
        card = history.card(run_id)
        assert card.error == ended.error
        assert len(card.epochs) > 1
        again = submit(lab)
        assert until(lambda: len(history.card(again).epochs) > 1)
        lab.close()


@pytest.mark.usefixtures("talking")
def test_a_locked_history_ends_the_run_with_a_sentence_and_the_next_one_works(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    with closing(History()) as history, closing(sqlite3.connect(home / "history.db")) as other:
        lab = Lab(history, OFF)
        run_id = submit(lab)
        assert until(lambda: len(history.card(run_id).epochs) > 1)
        while not other.in_transaction:
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                time.sleep(0.01)
        assert lab.wait_idle(PATIENCE_SECONDS)
        assert "is locked by another program; close that one" in lab.live(run_id).ended.error
        assert history.card(run_id).status == Status.RUNNING  # nobody can write it
        other.rollback()
        assert until(lambda: history.card(run_id).status == Status.FAILED)
        assert until(lambda: not lab._floor.watcher.unwritten())
        again = submit(lab)
        assert until(lambda: len(history.card(again).epochs) > 1)
        lab.close()


@pytest.mark.usefixtures("talking")
def test_a_run_is_withdrawn_and_a_lab_closed_even_if_the_history_does_not_hear(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise LabError("The history may only be read.")

    before = set(threading.enumerate())
    lab = Lab(history, OFF)
    running, first, second = submit(lab), submit(lab), submit(lab)
    assert until(lambda: lab.running() == running)
    with monkeypatch.context() as patch:
        patch.setattr(history, "record", fail)
        lab.stop(first)
        assert lab.queued() in ((second,), ())
        assert lab.live(first).ended.status == Status.STOPPED
    assert until(lambda: history.card(first).status == Status.STOPPED)
    monkeypatch.setattr(history, "record", fail)
    lab.close()
    assert set(threading.enumerate()) <= before


@pytest.mark.usefixtures("talking")
def test_a_sweep_that_the_history_fails_ends_with_its_cell_as_soon_as_it_can_be_written(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise LabError("The history may only be read.")

    lab = Lab(history, OFF)
    plan = sweep.plan(SHORT, [sweep.parse_axis("units=8,16")], ["cpu"], 60)
    sweep_id = history.sweeps.create(plan, name="A sweep", session="test")
    lab.submit_sweep(history.sweeps.get(sweep_id), ())
    assert until(lambda: bool(history.summaries(sweep_id=sweep_id)))
    with monkeypatch.context() as patch:
        patch.setattr(history, "record", fail)
        patch.setattr(history.sweeps, "mark", fail)
        assert lab.wait_idle(PATIENCE_SECONDS)
        assert history.open_runs()
        assert history.sweeps.get(sweep_id).status is SweepStatus.RUNNING
    assert until(lambda: history.sweeps.get(sweep_id).status is SweepStatus.FAILED)
    assert until(lambda: not history.open_runs())
    (cell,) = history.summaries(sweep_id=sweep_id)
    assert (cell.status, cell.error) == (Status.FAILED, "The history may only be read.")
    again = submit(lab)
    assert until(lambda: len(history.card(again).epochs) > 1)
    lab.close()


def test_a_run_that_diverged_keeps_no_checkpoint_to_diverge_from_again(history: History) -> None:
    deep = {"family": "dense", "dense": [64] * 16, "activation": "leaky_relu"}
    with closing(Lab(history, OFF)) as lab:
        run_id = submit(lab, change(SHORT, model=deep, learning_rate=10.0, train_limit=640))
        earlier = checkpoints.folder() / run_id / "00001.npz"
        earlier.parent.mkdir(parents=True)
        earlier.touch()
        assert lab.wait_idle(PATIENCE_SECONDS)
    assert "diverged" in history.card(run_id).error
    assert not checkpoints.kept(run_id)


def test_a_worker_that_dies_in_the_middle_of_a_word_is_said_to_have_been_killed(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(TalkingWorker):
        def _talk(self) -> Iterator[str]:
            yield from (line for line, _ in zip(super()._talk(), range(6), strict=False))
            self.kill()

        def line(self) -> str:
            whole = super().line()
            return whole if self.alive else '{"kind": "wind'

    monkeypatch.setattr(runner, "Worker", Broken)
    lab = Lab(history, OFF)
    run_id = submit(lab)
    assert lab.wait_idle(PATIENCE_SECONDS)
    card = history.card(run_id)
    assert card.status == Status.FAILED
    assert "killed from outside" in card.error
    lab.close()
