"""`sweep` as it is typed: refused with its reason, one document, killed and resumed."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from cnnlab.history import History
from cnnlab.spec import SweepStatus
from tests.commands.test_cli import cnnlab, refused  # noqa: F401
from tests.patience import PATIENCE_SECONDS

GRID = ("sweep", "--preset", "dense", "--axis", "batch_size=32,64", "--axis", "units=8,16")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "needs an axis"),
        (("--axis", "batch_size="), "has no values"),
        (("--axis", "units=few"), "'few' is none"),
        (("--axis", "batch_size=32,70000"), "one of 2 cells"),
        (
            ("--axis", f"units={','.join(map(str, range(1, 10_001)))}"),
            "This sweep has 10,000 cells",
        ),
        (("--axis", "units=8", "--budget", "2"), "give at least 6 s"),
        (("--axis", "units=8", "--devices", "cuda:99"), "There is no cuda:99 here"),
        (("--axis", "units=8", "--device", "cpu"), "takes --devices"),
        (("--preset", "article", "--axis", "depth=9"), "is only 1 x 1"),
        (("--resume", "nothing"), "There is no sweep 'nothing'"),
        (("--resume", "x", "--axis", "units=8"), "keeps its plan and name; leave out axis"),
        (("--resume", "x", "--name", "again"), "keeps its plan and name; leave out name"),
    ],
)
def test_what_cannot_work_is_refused_and_leaves_nothing(refused, arguments, said):  # noqa: F811
    base = () if "--preset" in arguments or "x" in arguments else ("--preset", "dense")
    if "--resume" in arguments:
        base = ()
    assert said in refused("sweep", *base, *arguments)
    assert History().sweeps.all() == []


def test_a_sweep_prints_one_document_and_its_cells_are_runs():
    done = cnnlab(*GRID, "--devices", "cpu", "--budget", 20, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "cnnlab.sweep/1"
    assert document["status"] == "finished"
    assert [cell["values"]["batch_size"] for cell in document["cells"]] == [32, 32, 64, 64]
    for cell in document["cells"]:
        assert cell["step_ms_median"] > 0
        assert cell["parameters"] > 6000
        card = History().card(cell["run_id"])
        figures = [History().card(run).timing.step_ms_median for run in cell["runs"]]
        assert min(figures) <= cell["step_ms_median"] <= max(figures)
        assert card.sweep.sweep_id == document["sweep_id"]
        assert card.epochs == ()
        assert len(card.steps.ms) > 0
    (listed,) = json.loads(cnnlab("sweep", "--list", "--json").stdout)
    assert listed["sweep_id"] == document["sweep_id"]
    again = cnnlab("sweep", "--resume", document["sweep_id"])
    assert again.returncode == 2
    assert "is finished" in again.stderr


def begun(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cnnlab", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measured(history: History) -> Counter[tuple[int, int]]:
    """How often each cell has been measured to its end, by cell and repetition."""
    runs = [run for run in history.summaries() if run.status == "finished"]
    return Counter((run.sweep.cell, run.sweep.repeat) for run in runs)


def wait_for(process: subprocess.Popen[bytes], history: History, runs: int) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while len(history.summaries()) < runs:
        assert process.poll() is None, "it ended before it was to be disturbed"
        assert time.monotonic() < end
        time.sleep(0.05)


def kill_and_resume(cells: int, pause_seconds: float) -> None:
    """Kill a sweep that is under way, resume it, and count."""
    history = History()
    process = begun(*GRID, "--devices", "cpu", "--budget", 60)
    wait_for(process, history, cells)
    time.sleep(pause_seconds)
    process.kill()
    process.wait()
    before = measured(history)
    (record,) = history.sweeps.all()
    for _ in range(5):  # on a busy machine a budget may end before every cell had its turn
        done = cnnlab("sweep", "--resume", record.sweep_id, "--budget", 15, "--json")
        assert done.returncode in (0, 1), done.stderr
        if done.returncode == 0:
            break
    after = measured(history)
    assert set(after.values()) == {1}, "a finished measurement was repeated"
    assert before <= after
    assert {cell for cell, _ in after} == {0, 1, 2, 3}
    assert history.sweeps.get(record.sweep_id).status is SweepStatus.FINISHED
    history.close()


def test_a_killed_sweep_goes_on_and_repeats_no_finished_cell():
    kill_and_resume(cells=2, pause_seconds=0.2)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10))
def test_a_sweep_killed_at_any_moment_goes_on(seed):
    chance = random.Random(seed)
    kill_and_resume(cells=chance.randint(1, 8), pause_seconds=chance.uniform(0, 1.0))


def test_ctrl_c_keeps_the_sweep_to_be_resumed():
    history = History()
    process = begun(*GRID, "--devices", "cpu", "--budget", 60)
    wait_for(process, history, 2)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_SECONDS) == 130
    (record,) = history.sweeps.all()
    assert record.status is SweepStatus.STOPPED
    assert 0 < record.seconds < 60
    assert all(run.status != "running" for run in history.summaries())
    history.close()
