"""A run from the command line to a file that another program opens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnnlab import datasets
from cnnlab.models import split
from cnnlab.spec import RunCard
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.usefixtures("peaks")


def cnnlab(*arguments: object) -> str:
    command = [sys.executable, "-m", "cnnlab", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_exported_network_is_as_right_as_the_run_was(tmp_path: Path) -> None:
    import keras

    short = ("--preset", "tiny", "--limit", 600, "--epochs", 2, "--device", "cpu")
    card = RunCard.model_validate_json(cnnlab("train", *short, "--json"))
    file = tmp_path / "run.keras"
    cnnlab("runs", "export", card.run_id, "--format", "keras", "-o", file)
    data = datasets.for_spec(card.spec)
    train, validation = split(card.spec, len(data.images))
    pictures, labels = data.images[train:], data.labels[train:]
    answers = keras.saving.load_model(file).predict(np.asarray(pictures) / 255.0, verbose=0)
    right = float((answers.argmax(1) == labels).mean())
    assert right == pytest.approx(card.epochs[-1].val_accuracy, abs=1.01 / validation)
