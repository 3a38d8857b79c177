"""The measurement of a card, on a machine without one."""

import json
import sys

import pytest
from click.testing import CliRunner

from bench import card
from cnnlab.spec import PRESETS

LAB = (sys.executable, "-m", "cnnlab")
TRAIN = ("train", "--preset", "tiny", "--limit", "100", "--epochs", "1", "--device", "cpu")


@pytest.fixture
def few_parts(monkeypatch):
    """One that trains, one that fails, and one that would take for ever."""
    sleep = (sys.executable, "-c", "print(1, flush=True); import time; time.sleep(600)")
    found = [
        card.Part("train", 0.9, (*LAB, *TRAIN, "--json")),
        card.Part("refused", 0.0, (*LAB, "train", "--preset", "none")),
        card.Part("endless", 0.0, sleep),
    ]
    monkeypatch.setattr(card, "parts", lambda device, seconds: found)


def test_each_part_leaves_its_result_and_none_outlasts_its_share(few_parts, tmp_path):
    run = card.run_part

    def briefly(part, out, seconds):
        return run(part, out, 1.0 if part.name == "endless" else seconds)

    card.run_part, out = briefly, tmp_path / "card"
    try:
        options = ["--minutes", "4", "--out", str(out), "--device", "cpu"]
        done = CliRunner().invoke(card.command, options, catch_exceptions=False)
    finally:
        card.run_part = run
    assert done.exit_code == 0
    ended = {note["part"]: note["ended"] for note in json.loads((out / "parts.json").read_text())}
    assert ended == {"train": "done", "refused": "exit code 2", "endless": "stopped after its 1 s"}
    assert json.loads((out / "train.json").read_text())["status"] == "finished"
    assert "none" in (out / "refused.log").read_text()
    assert json.loads((out / "cards.json").read_text())


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_every_preset_is_raced_within_the_time(device):
    found = card.parts(device, 480)
    assert {part.name for part in found} >= {f"race-{preset}" for preset in PRESETS}
    assert sum(part.weight for part in found) <= 1.0
    assert [part.name for part in found[:2]] == ["machine", "tests"]
