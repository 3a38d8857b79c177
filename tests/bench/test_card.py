"""The measurement of a card, on a machine without one."""

import json
import os
import subprocess
import sys
import time
from contextlib import closing, suppress

import psutil
import pytest
from click.testing import CliRunner

from bench import card
from cnnlab.history import History
from cnnlab.race import kind, opponent_named
from cnnlab.spec import PRESETS
from cnnlab.sweep import cells, check_budget, parse_axis, plan

LAB = (sys.executable, "-m", "cnnlab")
SMOKE = ("machine", "article-drawn")
"""What ends however busy the machine is: a sweep may find no time for all of its cells."""
CHILD = "import time; time.sleep(600)"
ENDLESS = f"""
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
print(subprocess.Popen([sys.executable, "-c", "{CHILD}"]).pid, flush=True)
while True:
    time.sleep(600)
"""
"""Goes on when it is interrupted, and has a child that nobody ends."""


def measure(out, minutes="4"):
    options = ["--minutes", minutes, "--out", str(out), "--device", "cpu"]
    done = CliRunner().invoke(card.command, options, catch_exceptions=False)
    assert done.exit_code == 0
    return {note["part"]: note["ended"] for note in json.loads((out / "parts.json").read_text())}


def brought_in(cards, home):
    """The history of another lab that took the bundle in, and the runs by their ids."""
    command = (*LAB, "runs", "import", str(cards), "--json")
    environment = os.environ | {"CNNLAB_HOME": str(home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return History(f"sqlite:///{home / 'history.db'}"), json.loads(done.stdout)


def check_bundle(out, home):
    """Another lab has its runs as recorded opponents and its sweeps to explore."""
    history, ids = brought_in(out / "cards.json", home)
    with closing(history):
        opponents = [opponent_named(run_id, history.card) for run_id in ids]
        assert {kind(each) for each in opponents} == {"cpu"}
        assert any(each.epochs for each in opponents)
        return [history.summaries(sweep_id=each) for each in history.sweeps_brought_in()]


def test_each_part_leaves_its_result_and_none_outlasts_its_time(monkeypatch, tmp_path):
    """One that is done, one that fails, and one that would take for ever."""
    found = [
        card.Part("quick", 60, (sys.executable, "-c", "print(42)")),
        card.Part("refused", 60, (sys.executable, "-c", "exit('none of that')")),
        card.Part("endless", 4, (sys.executable, "-c", ENDLESS)),
    ]
    out = tmp_path / "card"
    monkeypatch.setattr(card, "parts", lambda device: found)
    monkeypatch.setattr(card, "GRACE_SECONDS", 1.0)
    ended = measure(out)
    assert ended == {
        "quick": "done",
        "refused": "exit code 1: none of that",
        "endless": "stopped after its 4 s",
    }
    assert (out / "quick.json").read_text() == "42\n"
    assert "none of that" in (out / "refused.log").read_text()
    child, said = (out / "endless.json").read_text().split()
    assert said == "interrupted"
    with suppress(psutil.NoSuchProcess):  # killed it is, but may take a moment to be gone
        while psutil.Process(int(child)).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.1)


def test_what_is_measured_of_a_machine_is_one_bundle_for_another_lab(monkeypatch, tmp_path):
    parts, out = card.parts, tmp_path / "card"

    def few(device):
        return [part for part in parts(device) if part.name in SMOKE]

    monkeypatch.setattr(card, "parts", few)
    assert measure(out) == dict.fromkeys(SMOKE, "done")
    assert json.loads((out / "machine.json").read_text())["cpu"]["name"]
    assert check_bundle(out, tmp_path / "elsewhere") == []


@pytest.mark.soak
@pytest.mark.timeout(2000)
def test_the_whole_of_it_runs_on_a_cpu(tmp_path):
    out = tmp_path / "card"
    ended = measure(out, "25")
    print("\n", ended)
    assert set(ended) == {part.name for part in card.parts("cpu")}
    assert ended["machine"] == ended["tests"] == ended["race-dense"] == "done"
    assert all(said == "done" or said.startswith("stopped after") for said in ended.values())
    assert len(check_bundle(out, tmp_path / "elsewhere")) == len(card.SWEEPS)


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_every_preset_is_raced(device):
    found = card.parts(device)
    assert {part.name for part in found} >= {f"race-{preset}" for preset in PRESETS}
    assert [part.name for part in found[:2]] == ["machine", "tests"]


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_no_sweep_is_refused_for_its_budget(device):
    for part in card.parts(device):
        if not part.name.startswith("crossover-"):
            continue
        axes = [
            parse_axis(part.command[n + 1]) for n, w in enumerate(part.command) if w == "--axis"
        ]
        grid = plan(
            PRESETS[part.name.partition("-")[2]].spec,
            axes,
            part.command[part.command.index("--devices") + 1].split(","),
            float(part.command[part.command.index("--budget") + 1]),
        )
        check_budget(grid, len(cells(grid)))
