"""The line above every page: what the lab is at, and where that can be seen."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

import pytest
from streamlit.testing.v1 import AppTest

from cnnlab import processes
from cnnlab.history import History
from cnnlab.runner.sweep_job import SweepSnapshot
from cnnlab.spec import RunEnded, Status, SweepStatus
from cnnlab.sweep import CALIBRATION
from cnnlab.ui import top
from tests.example_runs import CPU, TINY, started
from tests.quiet_lab import APP, QuietLab


@dataclass(frozen=True)
class Chip:
    """The link at the top."""

    label: str
    page: str
    query: str


def chip(**parameters: str) -> Chip | None:
    """The link at the top of the first page, if there is one."""
    app = AppTest.from_file(str(APP), default_timeout=300)
    app.query_params.update(parameters)
    app.run()
    assert not app.exception
    links = [item.proto for item in app.get("page_link")]
    # The page itself has one, to the calibration that it judges by.
    found = [link for link in links if not link.label.startswith("Calibrate")]
    return Chip(found[0].label, found[0].page, found[0].query_string) if found else None


@pytest.mark.parametrize(
    ("name", "label", "target", "query"),
    [
        (CALIBRATION, "Calibration, 3 of 19 cells", "hardware", ""),
        ("Sweep: Dense on Shapes", "Sweep: Dense on Shapes, 3 of 19 cells", "explore", "sweep=s1"),
        ("[Mine]", "Sweep: \\[Mine\\], 3 of 19 cells", "explore", "sweep=s1"),
    ],
)
def test_what_is_measured_is_named_and_leads_to_its_page(
    quiet_lab: QuietLab, name: str, label: str, target: str, query: str
) -> None:
    quiet_lab.swept.append(
        SweepSnapshot("s1", name, SweepStatus.RUNNING, 3, 19, 33.0, "a cell", False)
    )
    assert chip() == Chip(label, target, query)


def test_a_run_comes_before_the_sweep_that_waits_for_it(quiet_lab: QuietLab) -> None:
    quiet_lab.swept.append(
        SweepSnapshot("s1", "Mine", SweepStatus.QUEUED, 0, 19, 33.0, None, False)
    )
    quiet_lab.add("r1", TINY)
    assert chip().label.startswith("Training Tiny")


def test_a_run_that_has_ended_is_over_before_its_process_is(quiet_lab: QuietLab) -> None:
    run = quiet_lab.add("r1", TINY)
    assert chip().label.endswith("epoch 1 of 5")
    run.apply(RunEnded(status=Status.FINISHED))
    assert quiet_lab.running() == "r1"
    assert chip() is None


def test_the_page_of_a_run_counts_its_epochs_itself(quiet_lab: QuietLab) -> None:
    run_id = History().create(TINY, name="Tiny", session="today")
    quiet_lab.add(run_id, TINY)
    assert chip().label.endswith("epoch 1 of 5")
    shown = chip(run=run_id).label
    assert shown.startswith("Training")
    assert not shown.endswith("of 5")


def test_of_very_many_runs_a_few_are_named_and_the_history_has_the_rest(
    quiet_lab: QuietLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(200):
        quiet_lab.add(f"r{number}", TINY)
    training = {f"node{number}": f"r{number}" for number in range(200)}
    monkeypatch.setattr(QuietLab, "training", lambda self: training)
    app = AppTest.from_file(str(APP), default_timeout=300).run()
    assert not app.exception
    labels = [item.proto.label for item in app.get("page_link")]
    assert sum(label.startswith("Training Tiny") for label in labels) == 3
    assert "and 197 more" in labels


def test_a_run_of_another_process_is_named_while_that_lives(quiet_lab: QuietLab) -> None:
    top.trained_elsewhere.clear()  # of the test before
    child = subprocess.Popen(["sleep", "600"])
    owner = (child.pid, processes._started(child.pid))
    other = History(owner=owner)
    run_id = other.create(TINY, name="Begun by command", session="today")
    other.record(run_id, started(TINY, CPU))
    assert History().trained_elsewhere() == [(run_id, "Begun by command")]
    assert chip() == Chip("Training Begun by command", "", f"run={run_id}")
    child.kill()
    child.wait()
    assert History().trained_elsewhere() == []
    other.close()
