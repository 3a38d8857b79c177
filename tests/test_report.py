"""Run cards as files, and runs as Keras scripts."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from example_runs import CARD, CPU, add_run

from cnnlab.history import History
from cnnlab.report.cards import from_json, to_csv, to_json
from cnnlab.report.script import keras_script
from cnnlab.spec import (
    PRESETS,
    EpochEnded,
    ExperimentSpec,
    LabError,
    RnnModel,
    RunStarted,
    change,
)
from cnnlab.training import train


def test_cards_survive_a_file_one_or_many(home: Path) -> None:
    history = History()
    cards = [history.card(add_run(history, name="Ünïcode ✓", device=d)) for d in (CPU, CARD)]
    assert from_json(to_json(cards[:1]).encode()) == cards[:1]
    assert from_json(to_json(cards).encode()) == cards


def test_an_imported_run_equals_the_one_exported_and_says_where_it_comes_from(
    home: Path, tmp_path: Path
) -> None:
    history = History()
    card = history.card(add_run(history))
    other = History(f"sqlite:///{tmp_path / 'other.db'}")
    (arrived,) = from_json(to_json([card]).encode())
    run_id = other.add_card(arrived, origin="imported from cards.json")
    assert other.card(run_id) == card
    assert other.summaries()[0].origin == "imported from cards.json"


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"\xff\xfe", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "empty list"),
        (b'{"schema": "other/9"}', "other/9"),
        (b"3", "Run card 1 is of the schema 'None'"),
        (b'{"schema": "cnnlab.run/1"}', "run_id is missing"),
    ],
)
def test_what_is_no_run_card_is_refused_in_a_sentence(data: bytes, complaint: str) -> None:
    with pytest.raises(LabError, match=re.escape(complaint)) as caught:
        from_json(data)
    assert "\n" not in str(caught.value)


def test_epochs_are_rows_of_a_table(home: Path) -> None:
    history = History()
    card = history.card(add_run(history, epochs=3))
    rows = list(csv.DictReader(io.StringIO(to_csv([card]))))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[2]["val_accuracy"]) == card.epochs[2].val_accuracy


def small(name: str) -> ExperimentSpec:
    if name in PRESETS:
        return PRESETS[name].spec
    return ExperimentSpec(model=RnnModel(cell=name, recurrent=(8, 6), dense=(10,), dropout=0.2))


@pytest.mark.parametrize("name", [*PRESETS, "lstm", "gru"])
def test_a_script_trains_the_same_run_without_the_lab(name: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    file = tmp_path / "pictures.npz"
    size = (120, 14, 14, 1) if name == "dense" or name not in PRESETS else (60, 32, 32, 3)
    np.savez(
        file,
        x_train=random.integers(0, 256, size, dtype=np.uint8),
        y_train=np.arange(size[0]) % 5,
    )
    spec = change(small(name), dataset=str(file), engine="stock", device="cpu", epochs=2)
    spec = change(spec, train_limit=size[0] - 5)
    events: list = []
    train(spec, events.append, lambda: False, launched_at=time.time())
    (begun,) = (event for event in events if isinstance(event, RunStarted))
    rows = [event.row for event in events if isinstance(event, EpochEnded)]

    script = tmp_path / "run.py"
    text = keras_script(spec, begun.dataset.image_shape, begun.dataset.classes)
    assert "cnnlab" not in text
    report = "\nimport json\nprint('history', json.dumps(model.history.history))\n"
    script.write_text(text + report)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"{begun.model.parameters:,} parameters" in done.stdout
    said = json.loads(done.stdout.split("history ")[-1])
    np.testing.assert_allclose(said["loss"], [row.loss for row in rows], rtol=1e-5)
    np.testing.assert_allclose(said["val_loss"], [row.val_loss for row in rows], rtol=1e-5)


def test_a_script_of_drawn_pictures_is_refused_with_the_cure() -> None:
    with pytest.raises(LabError, match="then export the script"):
        keras_script(PRESETS["tiny"].spec, (32, 32, 3), 100)


def test_no_text_of_a_spec_can_become_code(tmp_path: Path) -> None:
    evil = str(tmp_path / '"""\nimport evil\n"""\'.npz')
    text = keras_script(change(PRESETS["dense"].spec, dataset=evil), (28, 28, 1), 10)
    compile(text, "script", "exec")
    assert "\nimport evil" not in text
