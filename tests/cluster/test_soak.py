"""Random kills, counted: no epoch is lost, nothing is left running, runs go on elsewhere."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import psutil
import pytest

from cnnlab import checkpoints
from cnnlab.history import History
from cnnlab.runner import Lab
from cnnlab.spec import RunCard, Status, change, parse_spec
from tests.cluster.examples import SHORT, submit
from tests.cluster.labs import lab_apart
from tests.cluster.nodes import Nodes, living
from tests.patience import until

KILLS = int(os.environ.get("CNNLAB_SOAK_KILLS", "50"))
RESUMED = 20
LEARNS = parse_spec({"model": {"family": "dense", "dense": [64], "dropout": 0.0}})
SPEC = change(
    SHORT,
    model=LEARNS.model,
    learning_rate=3e-4,
    dataset="shapes10",
    train_limit=2_000,
    epochs=40,
)
KINDS = ("worker", "actor", "bridge", "node", "head", "lab")
STATED_SECONDS, PATIENCE_SECONDS = 30.0, 180.0
LEAVE_SECONDS = 60.0
"""Until what held a training process has left as well: two leases, and a look each second."""

pytestmark = [pytest.mark.soak, pytest.mark.timeout(60 + 120 * KILLS)]


@dataclass(frozen=True)
class Victim:
    """A run under way, what trains it and holds that, and what ends some of it."""

    run_id: str
    training: list[psutil.Process]
    holders: list[psutil.Process]
    kill: Callable[[], object]


@dataclass
class Count:
    """What the kills have cost so far."""

    kills: int = 0
    too_late: int = 0
    """Runs that had finished when the kill came."""
    epochs_lost: int = 0
    left_running: int = 0
    processes_left: int = 0
    resumed: int = 0
    ended_again: int = 0
    """Resumed runs that did not come to their end."""
    unequal: int = 0
    longest_seconds: float = 0.0
    """Until a run's end was stated."""
    holders: list[psutil.Process] = field(default_factory=list, repr=False)


@dataclass
class Stage:
    """A lab, its history, the cluster that stays, and how another one is named to the lab."""

    lab: Lab
    history: History
    cluster: Nodes
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    chance: random.Random = field(default_factory=lambda: random.Random(19))

    @contextmanager
    def victim(self, kind: str, number: int) -> Iterator[Victim]:
        """A run that has some epochs, of which a part of that kind is to be killed."""
        name, epochs = f"{kind}{number}", self.chance.randint(1, 20)
        match kind:
            case "lab":  # on a machine where this lab keeps no process ready
                self.cluster.add(name)
                with lab_apart(SPEC, name, epochs) as (lab, run_id):
                    yield self._found(self.cluster, name, run_id, lambda _: lab.kill())
                self.cluster.kill(name)
            case "head":
                with self._other_cluster(name) as nodes:
                    head = lambda _: nodes.kill_processes_of("head")  # noqa: E731
                    yield self._begun(nodes, name, epochs, head)
            case "node":
                self.cluster.add(name)
                gone = lambda _: self.cluster.kill(name)  # noqa: E731
                yield self._begun(self.cluster, name, epochs, gone)
            case _:
                yield self._begun(self.cluster, "one", epochs, PROCESSES[kind])

    @contextmanager
    def _other_cluster(self, name: str) -> Iterator[Nodes]:
        nodes = Nodes(self.folder / name, (name,))
        self.monkeypatch.setenv("CNNLAB_CLUSTER", nodes.address)
        try:
            yield nodes
        finally:
            self.monkeypatch.setenv("CNNLAB_CLUSTER", self.cluster.address)
            nodes.close()

    def _begun(
        self, nodes: Nodes, machine: str, epochs: int, kill: Callable[[psutil.Process], object]
    ) -> Victim:
        run_id = submit(self.lab, SPEC, machine)
        until(partial(has_epochs, self.lab, run_id, epochs), PATIENCE_SECONDS)
        return self._found(nodes, machine, run_id, kill)

    def _found(
        self, nodes: Nodes, machine: str, run_id: str, kill: Callable[[psutil.Process], object]
    ) -> Victim:
        training = nodes.workers(machine)
        holders = [process.parent() for process in training]
        return Victim(run_id, training, holders, lambda: [kill(each) for each in training])

    def strike(self, kind: str, count: Count) -> str:
        """Kill something of that kind under a run, and see what becomes of it; the run."""
        count.kills += 1
        with self.victim(kind, count.kills) as victim:
            told = self.lab.live(victim.run_id) or self.history.card(victim.run_id, steps=False)
            began = time.monotonic()
            victim.kill()
            in_time = came_to_pass(partial(self._is_over, victim.run_id), STATED_SECONDS)
            count.longest_seconds = max(count.longest_seconds, time.monotonic() - began)
            came_to_pass(lambda: not living(victim.training), STATED_SECONDS)
        count.left_running += not in_time
        count.processes_left += len(living(victim.training))
        count.epochs_lost += max(0, len(told.epochs) - self._kept(victim.run_id))
        count.holders += victim.holders
        return victim.run_id

    def _kept(self, run_id: str) -> int:
        """The epochs that the history has and a checkpoint goes on from."""
        written = len(self.history.card(run_id, steps=False).epochs)
        return min(written, max(checkpoints.kept(run_id), default=0))

    def _is_over(self, run_id: str) -> bool:
        return self.history.card(run_id, steps=False).status.over

    def go_on(self, run_id: str, whole: RunCard, count: Count) -> None:
        """Resume a run that broke off on another machine, and hold it against one that did not."""
        if self.history.card(run_id).status is Status.FINISHED:
            count.too_late += 1
        elif count.resumed < RESUMED:
            count.resumed += 1
            self.lab.resume(run_id, "two")
            assert came_to_pass(partial(self._is_over, run_id), PATIENCE_SECONDS)
            card = self.history.card(run_id)
            if card.status is not Status.FINISHED:
                count.ended_again += 1
                print(f"resumed: {card.status}, {card.error}", flush=True)
            elif losses(card) != losses(whole):
                count.unequal += 1
                print(f"unequal: {first_difference(losses(card), losses(whole))}", flush=True)


def bridge_of(process: psutil.Process) -> None:
    """Kill the process that stands between this lab and the one machine that it trains on."""
    for child in psutil.Process().children():
        if "cnnlab.cluster.bridge" in child.cmdline() and "one" in child.cmdline():
            child.kill()


PROCESSES: dict[str, Callable[[psutil.Process], object]] = {
    "worker": psutil.Process.kill,
    "actor": lambda worker: worker.parent().kill(),
    "bridge": bridge_of,
}
"""How each kind of process is killed, of the training process it belongs to."""


def came_to_pass(true: Callable[[], bool], seconds: float) -> bool:
    """Whether something came to pass in time."""
    try:
        until(true, seconds)
    except AssertionError:
        return False
    return True


def has_epochs(lab: Lab, run_id: str, least: int) -> bool:
    live = lab.live(run_id)
    return live is not None and len(live.epochs) >= least


def losses(card: RunCard) -> list[tuple[float, float]]:
    return [(row.loss, row.val_loss) for row in card.epochs]


def first_difference(
    one: list[tuple[float, float]], other: list[tuple[float, float]]
) -> tuple[Any, ...]:
    """The number of an epoch, and what each has of it."""
    pairs = enumerate(zip_longest(one, other), 1)
    return next((epoch, *pair) for epoch, pair in pairs if pair[0] != pair[1])


def test_random_kills_lose_no_epoch_and_leave_nothing(
    lab: Lab, history: History, cluster: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, count = Stage(lab, history, cluster, tmp_path, monkeypatch), Count()
    uninterrupted = submit(lab, SPEC, "here")
    assert lab.wait_idle(PATIENCE_SECONDS)
    whole = history.card(uninterrupted)
    assert whole.epochs[-1].loss < 0.8 * whole.epochs[0].loss  # what is equal says something
    for number in range(KILLS):
        kind = KINDS[number % len(KINDS)]
        run_id = stage.strike(kind, count)
        card = history.card(run_id)
        print(f"\n{kind}: {card.status}, {len(card.epochs)} epochs, {card.error}", flush=True)
        stage.go_on(run_id, whole, count)
    came_to_pass(lambda: not living(count.holders), LEAVE_SECONDS)
    count.processes_left += len(living(count.holders))
    print(f"\n{count}", flush=True)
    assert (count.epochs_lost, count.left_running, count.processes_left) == (0, 0, 0)
    assert (count.ended_again, count.unequal, count.too_late) == (0, 0, 0)
