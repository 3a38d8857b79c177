"""The process that makes a file: it reads what a run learnt, and says why where it cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save_file

from cnnlab import learned, takeaway
from cnnlab.history import History
from cnnlab.learned.files import Facts, write_facts
from cnnlab.models import build_model
from cnnlab.spec import PRESETS, LabError, RunCard, change
from cnnlab.takeaway import process
from tests.example_runs import add_run

NAMES = tuple(map(str, range(10)))
FACTS = Facts(made_at="", class_names=NAMES, epochs=3, best_epoch=2, film_every=0, weights=())


@pytest.fixture
def card() -> RunCard:
    """A run whose data had ten classes of 8 x 8 grey pixels."""
    spec = change(PRESETS["dense"].spec, model={"family": "dense", "dense": [6]})
    card = History().card(add_run(History(), spec=spec))
    assert card.dataset
    facts = card.dataset.model_copy(update={"image_shape": (8, 8, 1), "classes": 10})
    return card.model_copy(update={"dataset": facts})


@pytest.fixture
def kept(card: RunCard) -> list[np.ndarray]:
    """Its last weights, kept as a run keeps them; those of its best epoch are twice as large."""
    weights = build_model(card.spec, (8, 8, 1), 10).get_weights()
    place = learned.folder() / card.run_id
    place.mkdir(parents=True)
    arrays = {f"{number:03d} layer": array for number, array in enumerate(weights)}
    save_file(arrays, place / "final.safetensors")
    save_file({name: 2 * array for name, array in arrays.items()}, place / "best.safetensors")
    write_facts(place, FACTS.model_copy(update={"weights": tuple(arrays)}))
    return weights


def about(card: RunCard, weights: learned.At = "final") -> takeaway.About:
    assert card.dataset
    return takeaway.about(card, card.dataset, learned.open_run(card.run_id), weights)


def test_a_process_hands_over_the_weights_of_the_best_epoch(
    card: RunCard, kept: list[np.ndarray]
) -> None:
    arrays = load(takeaway.make(about(card, "best"), "safetensors"))
    assert sorted(arrays)[0] == "000.dense/kernel"
    for name, array in zip(sorted(arrays), kept, strict=True):
        np.testing.assert_array_equal(arrays[name], 2 * array)


def test_the_weights_are_those_of_the_epoch_that_the_file_names(
    card: RunCard, kept: list[np.ndarray]
) -> None:
    before = about(card)
    facts = learned.open_run(card.run_id).facts.model_copy(update={"epochs": 4})
    write_facts(learned.folder() / card.run_id, facts)  # it trained on meanwhile
    with pytest.raises(LabError, match="after epoch 3 were not kept"):
        takeaway.make(before, "safetensors")


@pytest.mark.usefixtures("kept")
def test_a_file_says_of_which_epoch_its_weights_are(card: RunCard) -> None:
    said = {at: about(card, at) for at in ("final", "best")}
    assert [(a.weights, a.epoch) for a in said.values()] == [("final", 3), ("best", 2)]
    assert takeaway.file_name(said["best"], "torch") == f"run-{card.run_id}-best.pt2"
    (learned.folder() / card.run_id / "best.safetensors").unlink()
    with pytest.raises(LabError, match="known to be its best: export its final weights"):
        about(card, "best")
    (learned.folder() / card.run_id / "final.safetensors").unlink()
    with pytest.raises(LabError, match=r"No weights of run .* are kept any more"):
        about(card)


def test_what_the_process_refuses_is_said(card: RunCard, kept: list[np.ndarray]) -> None:
    asked = about(card)
    (learned.folder() / card.run_id / "final.safetensors").write_bytes(b"no numbers")
    with pytest.raises(LabError, match=r"is damaged.*train the run again"):
        takeaway.make(asked, "safetensors")


@pytest.mark.usefixtures("kept")
def test_a_process_that_fails_or_hangs_is_told_in_a_sentence(
    card: RunCard, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(process.sys, "executable", "/bin/false")
    with pytest.raises(LabError, match="failed; the log says why"):
        takeaway.make(about(card), "keras")
    sleeper = tmp_path / "sleeper"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o755)
    monkeypatch.setattr(process.sys, "executable", str(sleeper))
    monkeypatch.setattr(process, "PATIENCE_SECONDS", 0.2)
    with pytest.raises(LabError, match="was not made within"):
        takeaway.make(about(card), "keras")
