"""Random kills, counted: no epoch is lost, nothing is left running, runs go on elsewhere."""

from __future__ import annotations

import os
import random
import time
from functools import partial

import psutil
import pytest

from cnnlab import checkpoints
from cnnlab.history import History
from cnnlab.runner import Lab
from cnnlab.spec import RunCard, Status, change
from tests.cluster.examples import SHORT, submit
from tests.cluster.nodes import Nodes, until

pytestmark = pytest.mark.soak

KILLS = int(os.environ.get("CNNLAB_SOAK_KILLS", "50"))
RESUMED = 20
SPEC = change(SHORT, train_limit=2_000, epochs=40)
KINDS = ("worker", "actor", "bridge", "node")


def kill(kind: str, cluster: Nodes, machine: str) -> None:
    match kind:
        case "node":
            cluster.kill(machine)
        case "bridge":
            for child in psutil.Process().children():
                if "cnnlab.cluster.bridge" in child.cmdline() and machine in child.cmdline():
                    child.kill()
        case _:
            for worker in cluster.workers(machine):
                (worker if kind == "worker" else worker.parent()).kill()


def has_epochs(lab: Lab, run_id: str, least: int) -> bool:
    live = lab.live(run_id)
    return live is not None and len(live.epochs) >= least


def losses(card: RunCard) -> list[tuple[float, float]]:
    return [(row.loss, row.val_loss) for row in card.epochs]


def test_random_kills_lose_no_epoch_and_leave_nothing(
    lab: Lab, history: History, cluster: Nodes
) -> None:
    chance = random.Random(19)
    whole = submit(lab, SPEC, "here")
    assert lab.wait_idle(120)
    lost, running, left, unequal, resumed = 0, 0, 0, 0, 0
    longest = 0.0
    for number in range(KILLS):
        kind = KINDS[number % len(KINDS)]
        machine = f"victim{number}" if kind == "node" else "one"
        if kind == "node":
            cluster.add(machine)
        run_id = submit(lab, SPEC, machine)
        least = chance.randint(1, 20)
        until(partial(has_epochs, lab, run_id, least), 90)
        seen, began = len(lab.live(run_id).epochs), time.monotonic()
        kill(kind, cluster, machine)
        running += not lab.wait_idle(30)
        longest = max(longest, time.monotonic() - began)
        card = history.card(run_id)
        running += not card.status.over
        lost += max(0, seen - len(card.epochs))
        while cluster.workers(machine) and time.monotonic() - began < 30:
            time.sleep(0.2)
        left += len(cluster.workers(machine))
        if card.status is not Status.FINISHED and resumed < RESUMED and checkpoints.kept(run_id):
            resumed += 1
            lab.resume(run_id, "two")
            assert lab.wait_idle(120)
            unequal += losses(history.card(run_id)) != losses(history.card(whole))
        print(f"{number + 1}: {kind}, {card.status}, {len(card.epochs)} epochs", flush=True)
    print(
        f"{KILLS} kills: {lost} epochs lost, {running} left running, {left} processes left, "
        f"{resumed} resumed, {unequal} unequal; the longest to be stated took {longest:.1f} s"
    )
    assert (lost, running, left, unequal) == (0, 0, 0, 0)
