"""`race` on the command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from cnnlab.__main__ import main
from cnnlab.commands.race import _said
from cnnlab.history import History
from cnnlab.published import REFERENCES
from cnnlab.recorded import OPPONENTS
from cnnlab.spec import Status
from tests.example_runs import CARD, add_run
from tests.patience import PATIENCE_SECONDS


def raced(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A short race in a process of its own."""
    command = [sys.executable, "-m", "cnnlab", "race", "--limit", "200"]
    return subprocess.run(
        [*command, *arguments, "--json"], capture_output=True, text=True, check=False
    )


def test_a_race_of_whole_trainings_takes_turns_and_ends_with_a_number() -> None:
    done = raced("--preset", "tiny", "--epochs", "1", "--repeats", "2", "--way", "engines")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["schema"] == "cnnlab.race/1"
    assert [lane["title"] for lane in result["lanes"]] == ["stock engine", "fast engine"]
    assert result["same_start"] is True
    assert result["speed_up"]["pairs"] == 2
    assert result["speed_up"]["low"] < result["speed_up"]["ratio"] < result["speed_up"]["high"]
    assert "2 pairs" in result["verdict"]
    cards = [History().card(run_id) for run_id in result["runs"]]
    assert [card.spec.engine for card in cards] == ["stock", "fast", "fast", "stock"]
    assert [card.part.turn for card in cards] == [0, 0, 1, 1]
    assert {card.part.group_id for card in cards} == {result["race_id"]}
    first, second = (card for card in cards if card.spec.engine == "fast")
    assert first.epochs[0].loss == second.epochs[0].loss
    assert first.epochs[0].val_loss == second.epochs[0].val_loss


def test_a_race_runs_against_a_recorded_run() -> None:
    history = History()
    recorded = add_run(history, device=CARD, name="recorded")
    done = raced("--epochs", "1", "--repeats", "1", "--against", recorded[:9])
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [lane["device"] for lane in result["lanes"]] == ["cpu"]
    assert result["opponent"]["run_id"] == recorded
    assert result["opponent"]["origin"] == "recorded, not in this race"
    assert len(result["runs"]) == 1


def test_a_race_runs_against_what_came_with_the_lab() -> None:
    done = raced(
        "--preset",
        "dense",
        "--dataset",
        "shapes",
        "--epochs",
        "1",
        "--repeats",
        "1",
        "--against",
        "h200-dense-gpu",
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["opponent"]["origin"] == "recorded, not measured here"
    assert result["opponent"]["device"]["name"] == "NVIDIA H200"
    assert "recorded on 2026-11-27, not measured here" in result["verdict"]


def test_who_can_be_raced_against_is_listed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {*REFERENCES, *OPPONENTS}
    for arguments in ((), ("--json",)):
        monkeypatch.setattr(sys, "argv", ["cnnlab", "race", "--opponents", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        said = capsys.readouterr().out
        found = json.loads(said) if arguments else dict(x.split(": ", 1) for x in said.splitlines())
        assert found.keys() == keys
        if not arguments:
            recipe = "--preset article --dataset shapes --limit 8000"
            assert recipe in found["h200-article-gpu"]
    monkeypatch.setattr(sys, "argv", ["cnnlab", "race", "--help"])
    with pytest.raises(SystemExit):
        main()
    helped = "".join(capsys.readouterr().out.split())
    assert not [key for key in keys if key not in helped]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--against", "nobody"), "There is no run nobody"),
        (("--device", "cpu"), "leave out --device"),
        (("--repeats", "0"), "0 is not in the range"),
        (("--lane", "engine=fast"), "2 to 4 lanes, but 1 was given"),
        (("--lane", "engine=fast", "--way", "threads"), "give one of them"),
    ],
)
def test_a_race_that_cannot_be_is_refused(
    arguments: tuple[str, ...],
    complaint: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["cnnlab", "race", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert said.out == ""
    assert complaint in " ".join(said.err.split())


def test_an_interrupted_race_ends_in_order_with_one_document() -> None:
    command = [sys.executable, "-m", "cnnlab", "race", "--limit", "200", "--epochs", "9000"]
    process = subprocess.Popen(
        [*command, "--repeats", "1", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    history, waited = History(), threading.Event()
    while not any(run.epochs_done for run in history.summaries()):
        assert process.poll() is None
        waited.wait(0.2)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    result = json.loads(said)
    assert result["verdict"].endswith("was stopped.")
    assert result["speed_up"] is None
    (run,) = history.summaries()
    assert run.status is Status.STOPPED


def test_a_race_that_outlasts_its_budget_is_not_said_to_take_at_most_that() -> None:
    """Three rounds there always are."""
    plan = SimpleNamespace(rounds=None, budget_seconds=20.0, lanes=())
    race: Any = SimpleNamespace(rounds=3, seconds=64.0, plan=plan, gains={})
    assert _said(race) == "Round 3, 1 min 4 s, budget 20 s"
