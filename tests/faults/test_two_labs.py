"""Two labs of two machines on one PostgreSQL: one is killed, and nothing is lost or doubled."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing

import pytest

from cnnlab.history import History
from cnnlab.spec import RunCard, Status
from tests.faults.labs import ROOT, until
from tests.patience import PATIENCE_SECONDS
from tests.postgres_server import Server

RUNS, EPOCHS = 20, 3

LAB = """
import sys, time
from cnnlab.history import History, owners
from cnnlab.runner import Lab, process, watcher
from cnnlab.spec import EpochEnded, Status, change
from tests.example_runs import CPU, events
from tests.faults.labs import OFF, SHORT
from tests.faults.light_worker import talking

host, url, runs, epochs = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
owners.this_host = lambda: host
owners.BEAT_SECONDS = watcher.WATCH_SECONDS = 0.2
process.Worker.COMMAND = talking(events(SHORT, CPU, epochs, 1.0, Status.FINISHED), 0.01)

def tell(*words):
    # In one piece: `print` writes word by word, and two threads would tell on one line.
    sys.stdout.write(" ".join(map(str, words)) + "\\n")
    sys.stdout.flush()

class Telling(History):
    def record(self, run_id, event):
        super().record(run_id, event)
        if isinstance(event, EpochEnded):
            tell("epoch", run_id, event.row.epoch)

history = Telling(url)
lab = Lab(history, OFF)
for number in range(runs):
    spec = change(SHORT, epochs=epochs, seed=number)
    tell("queued", lab.submit(spec, name=host, session="shared"), number)
while not lab.wait_idle(60):
    pass
tell("idle", host, 0)
sys.stdin.readline()
lab.close()
history.close()
"""


class Host:
    """A lab in a process of its own, as on a machine of its own, and what it told."""

    def __init__(self, name: str, url: str) -> None:
        command = [sys.executable, "-c", LAB, name, url, str(RUNS), str(EPOCHS)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        self.queued: list[str] = []
        self.epochs: Counter[str] = Counter()
        self.idle = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            what, run_id, _ = line.split()
            match what:
                case "queued":
                    self.queued.append(run_id)
                case "epoch":
                    self.epochs[run_id] += 1
                case "idle":
                    self.idle.set()

    def kill(self) -> None:
        self.process.kill()
        self._end()

    def close(self) -> None:
        self.process.communicate("\n", timeout=PATIENCE_SECONDS)
        self._end()

    def _end(self) -> None:
        self.process.wait()
        self._reader.join()


@pytest.fixture
def url(postgres: Server) -> Iterator[str]:
    made = postgres.new()
    yield made
    postgres.drop(made)


def test_a_killed_lab_harms_no_other_and_loses_nothing(url: str) -> None:
    killed, other = Host("one#1", url), Host("two#2", url)
    assert until(lambda: len(killed.queued) == RUNS and len(killed.epochs) > RUNS // 4)
    killed.kill()
    assert other.idle.wait(PATIENCE_SECONDS)
    with closing(History(url)) as history:
        assert until(lambda: not history.open_runs())
        cards = {run.run_id: history.card(run.run_id) for run in history.summaries()}
    other.close()
    assert cards.keys() == {*killed.queued, *other.queued}
    assert len(cards) == 2 * RUNS
    assert {cards[run_id].status for run_id in other.queued} == {Status.FINISHED}
    for run_id in killed.queued:
        check_broken_off(cards[run_id], killed.epochs[run_id])
    assert {cards[run_id].status for run_id in killed.queued} >= {
        Status.FINISHED,
        Status.INTERRUPTED,
    }


def check_broken_off(card: RunCard, told: int) -> None:
    """Every epoch that was told of is there, once; what did not end says why."""
    numbers = [row.epoch for row in card.epochs]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= told
    if card.status is not Status.FINISHED:
        assert card.status is Status.INTERRUPTED
        assert card.error.startswith("The lab on one gave no sign of life while this run was ")
