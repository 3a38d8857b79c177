"""Whatever dies, a run ends in a stated status and keeps its epochs; how soon is printed here, and
held to 30 s by `test_soak.py`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cnnlab import checkpoints
from cnnlab import cluster as clusters
from cnnlab.cluster import machines
from cnnlab.devices import worker_environment
from cnnlab.history import History
from cnnlab.runner import Lab
from cnnlab.spec import RunCard, Status
from tests.cluster.examples import LONG, SHORT, submit
from tests.cluster.labs import lab_apart
from tests.cluster.network import Network
from tests.cluster.nodes import Nodes, living
from tests.patience import PATIENCE_SECONDS, until

soak = pytest.mark.soak  # a minute on two cores: what it waits for are leases and graces that pass


def broken(
    lab: Lab, history: History, cluster: Nodes, machine: str, breaking: Callable[[], None]
) -> RunCard:
    """What becomes of a run on a machine when something breaks after its second epoch.

    The lab starts the next run's process there at once, which is none that was left behind.
    """
    run_id = submit(lab, LONG, machine)
    until(lambda: lab.live(run_id) and len(lab.live(run_id).epochs) > 1)
    seen, there = len(lab.live(run_id).epochs), cluster.workers(machine)
    assert there
    began = time.monotonic()
    breaking()
    assert lab.wait_idle(PATIENCE_SECONDS)
    stated = time.monotonic() - began
    until(lambda: not living(there))
    print(f"\n{machine}: stated after {stated:.1f} s, ended {time.monotonic() - began:.1f} s")
    card = history.card(run_id)
    assert len(card.epochs) >= seen
    assert checkpoints.kept(run_id)[0] >= seen
    return card


def works_again(lab: Lab, history: History, machine: str) -> None:
    run_id = submit(lab, SHORT, machine)
    assert lab.wait_idle(PATIENCE_SECONDS)
    assert history.card(run_id).status is Status.FINISHED


@soak
def test_a_killed_training_process_fails_its_run(lab, history, cluster) -> None:
    def kill() -> None:
        for worker in cluster.workers("one"):
            worker.kill()

    card = broken(lab, history, cluster, "one", kill)
    assert card.status is Status.FAILED
    assert card.error.startswith("On one: The training process was killed from outside")
    works_again(lab, history, "one")


def test_a_killed_actor_interrupts_its_run(lab, history, cluster) -> None:
    def kill() -> None:
        for worker in cluster.workers("one"):
            worker.parent().kill()

    card = broken(lab, history, cluster, "one", kill)
    assert card.status is Status.INTERRUPTED
    assert "What held the training process on one was killed from outside" in card.error
    works_again(lab, history, "one")


@soak
def test_a_killed_bridge_fails_its_run_and_frees_the_machine(lab, history, cluster) -> None:
    def kill() -> None:
        for child in psutil.Process().children():
            if "cnnlab.cluster.bridge" in child.cmdline():
                child.kill()

    card = broken(lab, history, cluster, "one", kill)
    assert card.status is Status.FAILED
    assert "The process here that speaks with one ended without a word (signal 9)" in card.error
    works_again(lab, history, "one")


def test_a_killed_node_interrupts_its_run_which_goes_on_elsewhere(lab, history, cluster) -> None:
    cluster.add("victim")
    card = broken(lab, history, cluster, "victim", lambda: cluster.kill("victim"))
    assert card.status is Status.INTERRUPTED
    assert "The machine victim is gone" in card.error
    lab.resume(card.run_id, "two")
    until(lambda: len(lab.live(card.run_id).epochs) > len(card.epochs))
    lab.stop(card.run_id)
    assert lab.wait_idle(PATIENCE_SECONDS)
    assert history.card(card.run_id).machine.name == "two"


@soak
def test_a_machine_that_is_not_there_is_named_with_those_that_are(lab, history, cluster) -> None:
    run_id = submit(lab, SHORT, "three")
    assert lab.wait_idle(PATIENCE_SECONDS)
    card = history.card(run_id)
    assert card.status is Status.FAILED
    assert "has no machine 'three', only" in card.error
    assert "one" in card.error


@soak
def test_a_killed_lab_leaves_nothing_on_the_node(history: History, cluster: Nodes) -> None:
    with lab_apart(LONG, "one", epochs=1) as (lab, run_id):
        there = cluster.workers("one")
        assert there
        lab.kill()
        lab.wait()
        until(lambda: not living(there))
    history.interrupt_orphans()
    card = history.card(run_id)
    assert card.status is Status.INTERRUPTED
    assert checkpoints.kept(run_id)[0] >= len(card.epochs) > 0


# --- the network, the head, the versions -----------------------------------------------------

HASTY = """
import cnnlab.cluster.node as node, cnnlab.cluster.bridge as bridge
node.LEASE_SECONDS, bridge.PATIENCE_SECONDS = 10.0, 12.0
bridge.POLL_SECONDS = 1.0
bridge.main()
"""
OLD = """
import cnnlab.cluster.facts as facts, cnnlab.cluster.bridge as bridge
facts.here = lambda: {"torch": "0.1.0"}
bridge.main()
"""


def bridges_run(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(machines, "BRIDGE", (sys.executable, "-c", code))


@pytest.fixture
def network(cluster: Nodes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    """What stands between this test's lab and the cluster."""
    between = Network(int(cluster.address.rpartition(":")[2]))
    monkeypatch.setenv("CNNLAB_CLUSTER", between.address)
    yield between
    between.close()


@soak
def test_a_network_that_is_cut_for_a_moment_loses_and_doubles_nothing(
    network: Network, lab: Lab, history: History
) -> None:
    run_id = submit(lab, LONG, "one")
    until(lambda: lab.live(run_id) and lab.live(run_id).epochs)
    network.cut()
    time.sleep(5)
    seen = len(lab.live(run_id).epochs)
    network.mend()
    until(lambda: len(lab.live(run_id).epochs) > seen)
    lab.stop(run_id)
    assert lab.wait_idle(PATIENCE_SECONDS)
    card = history.card(run_id)
    assert card.status is Status.STOPPED, card.error
    assert [row.epoch for row in card.epochs] == list(range(1, len(card.epochs) + 1))
    assert list(card.steps.step) == list(range(1, len(card.steps.step) + 1))


@soak
def test_a_network_that_stays_cut_interrupts_the_run_and_the_machine_ends_it(
    network: Network, lab: Lab, history: History, cluster: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridges_run(monkeypatch, HASTY)
    card = broken(lab, history, cluster, "one", network.cut)
    assert card.status is Status.INTERRUPTED
    assert "did not answer" in card.error
    network.mend()
    works_again(lab, history, "one")


def test_other_versions_are_refused_before_the_run_with_the_cure(
    lab: Lab, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridges_run(monkeypatch, OLD)
    run_id = submit(lab, SHORT, "one")
    assert lab.wait_idle(PATIENCE_SECONDS)
    card = history.card(run_id)
    assert (card.status, card.epochs) == (Status.FAILED, ())
    assert "but this lab has 0.1.0: install the same there" in card.error


@soak
def test_a_killed_head_interrupts_the_run_and_its_machine_ends_it(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridges_run(monkeypatch, HASTY)
    nodes = Nodes(tmp_path / "nodes", ("far",))
    monkeypatch.setenv("CNNLAB_CLUSTER", nodes.address)
    lab = Lab(history, {"none": worker_environment("none")}, clusters.start)
    try:
        card = broken(lab, history, nodes, "far", lambda: nodes.kill_processes_of("head"))
        assert card.status is Status.INTERRUPTED
    finally:
        lab.close()
        nodes.close()
