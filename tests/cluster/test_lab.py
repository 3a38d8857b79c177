"""A lab with a cluster: runs on a node are what they are here, and what they leave comes back."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from cnnlab import checkpoints
from cnnlab.history import History
from cnnlab.runner import Lab
from cnnlab.spec import Lane, RacePlan, RunCard, Status, change
from tests.cluster.examples import SHORT, submit
from tests.cluster.nodes import Nodes
from tests.patience import PATIENCE_SECONDS, until


def losses(card: RunCard) -> list[tuple[float, float]]:
    return [(row.loss, row.val_loss) for row in card.epochs]


def test_runs_here_and_on_two_nodes_at_once_are_the_same(
    lab: Lab, history: History, cluster
) -> None:
    spec = change(SHORT, epochs=5)
    ids = {machine: submit(lab, spec, machine) for machine in ("here", "one", "two")}
    assert lab.wait_idle(PATIENCE_SECONDS)
    cards = {machine: history.card(run_id) for machine, run_id in ids.items()}
    assert {card.status for card in cards.values()} == {Status.FINISHED}, cards["one"].error
    assert losses(cards["one"]) == losses(cards["two"]) == losses(cards["here"])
    # A window is as many steps as a third of a second holds: each has its loss at its own last one.
    pairs = zip(cards["one"].steps.loss, cards["here"].steps.loss, strict=True)
    both = [pair for pair in pairs if None not in pair]
    assert both
    assert all(there == here for there, here in both)
    named = {machine: card.machine and card.machine.name for machine, card in cards.items()}
    assert named == {"here": None, "one": "one", "two": "two"}


def test_a_run_stopped_on_one_node_goes_on_on_another(lab: Lab, history: History, cluster) -> None:
    broken = submit(lab, change(SHORT, epochs=10_000), "one")
    until(lambda: lab.live(broken) and lab.live(broken).epochs)
    lab.stop(broken)
    assert lab.wait_idle(PATIENCE_SECONDS)
    assert history.card(broken).status is Status.STOPPED
    assert checkpoints.kept(broken)
    done = len(history.card(broken).epochs)
    lab.resume(broken, "two")
    until(lambda: len(lab.live(broken).epochs) > done)
    lab.stop(broken)
    assert lab.wait_idle(PATIENCE_SECONDS)
    card = history.card(broken)
    assert card.machine.name == "two"
    assert [row.epoch for row in card.epochs] == list(range(1, len(card.epochs) + 1))
    until(lambda: not (cluster.home_of("one") / "checkpoints" / broken).exists())


def test_own_data_travel_once_and_no_path_is_opened_there(
    lab: Lab, history: History, cluster: Nodes, tmp_path: Path, home: Path
) -> None:
    rng = np.random.default_rng(1)
    own = tmp_path / "own.npz"
    pictures = rng.integers(0, 255, (200, 12, 12), dtype=np.uint8)
    np.savez(own, x_train=pictures, y_train=rng.integers(0, 3, 200))
    spec = change(SHORT, dataset=str(own), train_limit=None)
    first, here = submit(lab, spec, "one"), submit(lab, spec, "here")
    assert lab.wait_idle(PATIENCE_SECONDS)
    again = submit(lab, spec, "one")
    assert lab.wait_idle(PATIENCE_SECONDS)
    cards = [history.card(run_id) for run_id in (first, here, again)]
    assert [card.error for card in cards] == [None] * 3
    assert losses(cards[0]) == losses(cards[1]) == losses(cards[2])
    assert cards[0].dataset == cards[1].dataset
    kept = list(cluster.home_of("one").glob("datasets/.prepared/shipped-*"))
    assert len(kept) == 1
    assert digests(kept[0]) == digests(
        next((checkpoints.home() / "datasets/.prepared").glob("own-*"))
    )
    assert not list(cluster.home_of("one").glob("datasets/.prepared/own*"))


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_a_race_between_nodes_names_both_and_pairs_their_runs(lab: Lab, history: History) -> None:
    specs = [change(SHORT, epochs=30, machine=machine) for machine in ("one", "two")]
    lanes = tuple(Lane(title=spec.machine, spec=spec) for spec in specs)
    race_id = lab.submit_race(RacePlan(lanes=lanes, rounds=2), name="Race", session="test")
    until(lambda: len(lab.training()) == 2)
    assert lab.wait_idle(PATIENCE_SECONDS)
    runs = history.summaries(group_id=race_id)
    ended = sorted((run.part.turn, run.part.lane, run.machine.name) for run in runs)
    assert ended == [(0, 0, "one"), (0, 1, "two"), (1, 0, "one"), (1, 1, "two")]
