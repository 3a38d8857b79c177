"""`sweep --train`: variants of any field, trained, with their accuracy and its cost."""

from __future__ import annotations

import json

import pytest

from cnnlab.__main__ import main
from cnnlab.history import History
from tests.commands.instant_lab import InstantLab


@pytest.fixture(autouse=True)
def instant(home, monkeypatch):
    monkeypatch.setattr("cnnlab.commands.driving.Lab", InstantLab)


def sweep(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["cnnlab", "sweep", "--preset", "tiny", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_variants_are_trained_and_seeds_are_told_as_mean_and_spread(monkeypatch, capsys):
    axes = ("--axis", "batch_size=32,64", "--axis", "seed=0,1", "--train", "2")
    code, said, _ = sweep(monkeypatch, capsys, *axes, "--json")
    found = json.loads(said)
    assert code == 0
    assert [run["values"]["seed"] for run in found["runs"]] == ["0", "1", "0", "1"]
    slow, quick = found["groups"]
    assert (slow["values"], quick["values"]) == ({"batch_size": "32"}, {"batch_size": "64"})
    assert slow["seconds_mean"] == pytest.approx(2 * quick["seconds_mean"])
    assert (slow["on_front"], quick["on_front"]) == (False, True)
    assert (len(slow["accuracies"]), slow["accuracy_sd"]) == (2, 0)
    assert {card.epochs_done for card in History().summaries()} == {2}
    code, said, _ = sweep(monkeypatch, capsys, *axes)
    assert "batch_size=64" in said
    assert "★" in said


def test_what_times_cells_is_refused_beside_training(monkeypatch, capsys):
    code, _, complaint = sweep(
        monkeypatch, capsys, "--axis", "seed=0", "--train", "1", "--budget", "9"
    )
    assert code == 2
    assert "--train takes no" in complaint
    assert not History().summaries()
