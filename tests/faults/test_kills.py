"""Kills at any moment lose no epoch, and leave no process and no running run."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from cnnlab import checkpoints
from cnnlab.history import History
from cnnlab.runner import Lab
from tests.faults.labs import LONG, ROOT, until

HOST = """
import json, sys
from cnnlab import checkpoints, sweep
from cnnlab.devices import worker_environment
from cnnlab.history import History
from cnnlab.runner import Lab
from cnnlab.spec import EpochEnded, parse_spec

class Telling(History):
    def record(self, run_id, event):
        super().record(run_id, event)
        if isinstance(event, EpochEnded):
            print(run_id, event.row.epoch, flush=True)

history, spec, run_id = Telling(), parse_spec(json.loads(sys.argv[1])), sys.argv[2]
lab = Lab(history, {"none": worker_environment("none")})
while True:
    if checkpoints.kept(run_id):
        lab.resume(run_id)
    else:
        run_id = lab.submit(spec, name="run", session="test")
    while not lab.wait_idle(60):
        pass
    print(run_id, "over", flush=True)
"""


class Bystander(Lab):
    """Another open lab, which trains nothing: it is to notice what became of the first."""

    def _warm(self) -> None:
        """Start no worker."""


class Host:
    """A process with a lab that trains all the time, and what it said of its epochs."""

    def __init__(self, broken: str) -> None:
        command = [sys.executable, "-c", HOST, LONG.model_dump_json(), broken or "none"]
        log = subprocess.DEVNULL
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT
        )
        self.told: dict[str, int] = {}
        self.over = 0
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            run_id, what = line.split()
            if what == "over":
                self.over += 1
            else:
                self.told[run_id] = int(what)

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True) if self.alive else []

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()


class Toll:
    """What the kills cost, counted."""

    def __init__(self) -> None:
        self.kills = {"app": 0, "worker": 0, "both": 0}
        self.epochs: dict[str, int] = {}
        self.lost = self.corrupt = self.stuck = self.orphans = self.resumed = 0
        self.slowest = 0.0

    def __str__(self) -> str:
        kills, epochs = (sum(each.values()) for each in (self.kills, self.epochs))
        return (
            f"{kills} SIGKILLs {self.kills}: {self.lost} of {epochs} "
            f"finished epochs lost, {self.corrupt} corrupt databases, {self.stuck} runs left "
            f"running, {self.orphans} orphan processes; a dead process's run was ended after "
            f"{self.slowest:.1f} s at most; {self.resumed} times a run was resumed"
        )


def kill_again_and_again(count: int, seed: int, home: Path) -> Toll:
    """Kill a lab, its worker or both at random moments, and start or resume what broke off."""
    toll, chance, run_id = Toll(), random.Random(seed), ""
    with closing(History()) as history:
        bystander, host = Bystander(history, {}), Host("")
        for _ in range(count):
            _wait_for_a_moment(host, chance)
            _kill(host, chance.choice(list(toll.kills)), toll, history)
            for name, number in host.told.items():
                toll.epochs[name] = number
                toll.lost += max(0, number - len(history.card(name, steps=False).epochs))
            toll.corrupt += not _whole(home / "history.db")
            run_id = next(reversed(host.told), run_id)
            if not host.alive:
                toll.resumed += bool(checkpoints.kept(run_id))
                host = Host(run_id)
        host.kill()
        toll.orphans += len(_processes_of(home, 10))
        toll.stuck += not until(lambda: not history.open_runs(), 10)
        bystander.close()
    return toll


def _wait_for_a_moment(host: Host, chance: random.Random) -> None:
    """Any moment of a lab's life: half of them while it starts, half while it trains."""
    if chance.random() < 0.5:
        time.sleep(chance.uniform(0, 6))
    else:
        before = dict(host.told)
        until(lambda: host.told != before, 60)
        time.sleep(chance.uniform(0, 0.5))


def _kill(host: Host, target: str, toll: Toll, history: History) -> None:
    workers, over = host.workers(), host.over
    target = target if workers else "app"  # there may be no worker yet
    toll.kills[target] += 1
    began = time.monotonic()
    if target != "app":
        workers[0].kill()
    if target != "worker":
        host.kill()
        toll.orphans += len(psutil.wait_procs(workers, timeout=10)[1])
        toll.stuck += not until(lambda: not history.open_runs(), 20)
    else:
        # The lab ends the run, or, where it had none yet, gives it another worker.
        toll.stuck += not until(lambda: host.over > over or _another(host, workers[0]), 20)
    toll.slowest = max(toll.slowest, time.monotonic() - began)


def _another(host: Host, worker: psutil.Process) -> bool:
    return any(each.pid != worker.pid for each in host.workers())


def _whole(file: Path) -> bool:
    if not file.exists():
        return True  # killed before it had opened the history
    with closing(sqlite3.connect(file)) as raw:
        return raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _processes_of(home: Path, patience: float) -> list[int]:
    """Other processes that still work in this home after some time to end."""

    def found() -> list[int]:
        mine = []
        for process in psutil.process_iter():
            try:
                place = process.environ().get("CNNLAB_HOME")
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            if place == str(home) and process.pid != os.getpid():
                mine.append(process.pid)
        return mine

    until(lambda: not found(), patience)
    return found()


def test_kills_lose_no_epoch_and_leave_no_process_and_no_running_run(home: Path) -> None:
    toll = kill_again_and_again(4, 3, home)
    assert (toll.lost, toll.corrupt, toll.stuck, toll.orphans) == (0, 0, 0, 0), str(toll)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_kills(home: Path, capsys: pytest.CaptureFixture) -> None:
    toll = kill_again_and_again(100, 100, home)
    with capsys.disabled():
        print(f"\n{toll}")
    assert (toll.lost, toll.corrupt, toll.stuck, toll.orphans) == (0, 0, 0, 0)
    assert toll.slowest <= 10
