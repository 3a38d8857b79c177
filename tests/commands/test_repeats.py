"""`train --repeats` on the command line."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from cnnlab.history import History

pytestmark = pytest.mark.usefixtures("peaks")


def train(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cnnlab", "train", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_repeats_train_with_as_many_seeds_and_tell_mean_and_spread() -> None:
    done = train("--limit", "200", "--epochs", "1", "--seed", "7", "--repeats", "2", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["schema"] == "cnnlab.repeats/1"
    assert [run["spec"]["seed"] for run in found["runs"]] == [7, 8]
    shares = [run["epochs"][-1]["val_accuracy"] for run in found["runs"]]
    assert found["val_accuracy"]["mean"] == pytest.approx(sum(shares) / 2)
    assert found["val_accuracy"]["low"] == min(shares)
    assert found["val_accuracy"]["deviation"] is not None
    runs = History().summaries(group_id=found["group_id"])
    assert len(runs) == 2
    assert runs[0].model.weights_sha256 != runs[1].model.weights_sha256


@pytest.mark.parametrize("other", [("--resume", "x"), ("--profile",)])
def test_repeats_are_trained_anew(other: tuple[str, ...]) -> None:
    done = train("--repeats", "2", *other)
    assert done.returncode == 2
    assert "leave --resume and --profile out" in " ".join(done.stderr.split())
