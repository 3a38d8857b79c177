"""Sweeps in the lab: one worker for all cells, runs between them, pause, resume, stop."""

import json
import os
import signal
from types import SimpleNamespace

import psutil
import pytest

from cnnlab import sweep
from cnnlab.devices import worker_environment
from cnnlab.history import History
from cnnlab.runner import Lab, sweep_job
from cnnlab.runner.watcher import Watcher
from cnnlab.spec import PRESETS, Status, SweepStatus, change
from tests.example_runs import ended
from tests.patience import PATIENCE_SECONDS, until

OFF = {name: worker_environment(name) for name in ("none", "device", "environment", "override")}
QUICK = change(PRESETS["tiny"].spec, device="cpu", train_limit=300, epochs=1)


@pytest.fixture
def history():
    history = History()
    yield history
    history.close()


@pytest.fixture
def lab(history, started):
    lab = Lab(history, OFF)
    yield lab
    lab.close()


def begin(lab, history, units="8,16,24", budget=15.0):
    plan = sweep.plan(PRESETS["dense"].spec, [sweep.parse_axis(f"units={units}")], ["cpu"], budget)
    sweep_id = history.sweeps.create(plan, name="A sweep", session="sweep")
    lab.submit_sweep(history.sweeps.get(sweep_id), ())
    return sweep_id


def go_on(lab, history, sweep_id):
    runs = history.summaries(sweep_id=sweep_id)
    budget = sweep.budget_to_go_on(history.sweeps.get(sweep_id), runs, 40)
    lab.submit_sweep(history.sweeps.resume(sweep_id, budget), runs)


def measured(history, sweep_id):
    runs = history.summaries(sweep_id=sweep_id)
    return sorted(
        (run.sweep.cell, run.sweep.repeat) for run in runs if run.status is Status.FINISHED
    )


def status(history, sweep_id):
    return history.sweeps.get(sweep_id).status


def test_all_cells_are_measured_in_one_process_and_the_budget_is_used(lab, history, started):
    until(lab.hardware)
    sweep_id = begin(lab, history, budget=15)
    until(lambda: lab.sweeps()[0].current)
    workers = set(started())
    snapshot = lab.sweeps()[0]
    assert (snapshot.status, snapshot.total) == (SweepStatus.RUNNING, 3)
    assert 0 < snapshot.seconds_left <= 15
    assert snapshot.current.endswith("on cpu")
    assert lab.busy()
    until(lambda: len(measured(history, sweep_id)) > 1)
    assert set(started()) == workers
    assert lab.wait_idle(PATIENCE_SECONDS)
    record = history.sweeps.get(sweep_id)
    assert (record.status, record.error) == (SweepStatus.FINISHED, None)
    assert {cell for cell, _ in measured(history, sweep_id)} == {0, 1, 2}
    assert len(set(measured(history, sweep_id))) == len(measured(history, sweep_id))
    assert not lab.sweeps()


class SlowToStart:
    """A training process that took its time to start, and ends whatever it is ordered at once."""

    def __init__(self, clock, seconds):
        clock.now += seconds
        self.alive, self.orders = True, []

    def send(self, line):
        self.orders.append(json.loads(line))

    def line(self):
        return f"{ended(1, 12.0, Status.FINISHED).model_dump_json()}\n"

    def close(self):
        return 0


def test_a_process_that_is_slow_to_start_takes_no_more_of_the_budget_than_was_reckoned(
    history, monkeypatch
):
    clock, workers = SimpleNamespace(now=0.0), []
    monkeypatch.setattr(sweep_job, "time", SimpleNamespace(monotonic=lambda: clock.now))
    plan = sweep.plan(PRESETS["dense"].spec, [sweep.parse_axis("units=8,16")], ["cpu"], 20)
    record = history.sweeps.get(history.sweeps.create(plan, name="A sweep", session="sweep"))
    watcher = Watcher(history)
    job = sweep_job.SweepJob(record, (), history, watcher)

    def start():
        workers.append(SlowToStart(clock, 100.0))
        return workers[-1]

    assert job.turn(start)
    assert job.turn(start)
    watcher.close()
    (worker,) = workers
    assert worker.orders[1]["seconds"] == 5.0  # a third of what is left
    assert job.snapshot().seconds_left == 20 - sweep.STARTUP_SECONDS


def test_a_run_is_trained_between_two_cells(lab, history):
    sweep_id = begin(lab, history, units="8,16,24,32,40", budget=20)
    until(lambda: measured(history, sweep_id))
    run_id = lab.submit(QUICK, name="run", session="test")
    until(lambda: history.card(run_id, steps=False).status is Status.FINISHED)
    assert lab.sweeps(), "the sweep goes on"
    lab.end_sweep(sweep_id, SweepStatus.STOPPED)
    assert lab.wait_idle(PATIENCE_SECONDS)


def test_a_paused_sweep_goes_on_in_another_lab_and_repeats_nothing(lab, history):
    sweep_id = begin(lab, history)
    until(lambda: len(measured(history, sweep_id)) >= 2)
    lab.end_sweep(sweep_id, SweepStatus.PAUSED)
    assert lab.wait_idle(PATIENCE_SECONDS)
    assert status(history, sweep_id) is SweepStatus.PAUSED
    lab.close()
    before = measured(history, sweep_id)
    another = Lab(history, OFF)
    try:
        go_on(another, history, sweep_id)
        assert another.sweeps()[0].done == len({cell for cell, _ in before})
        until(lambda: len({cell for cell, _ in measured(history, sweep_id)}) == 3)
    finally:
        another.close()
    after = measured(history, sweep_id)
    assert len(set(after)) == len(after)
    assert set(before) <= set(after)


def test_a_stop_ends_the_cell_under_way_and_a_waiting_sweep(lab, history):
    first, second = begin(lab, history, budget=60), begin(lab, history)
    until(lambda: lab.sweeps()[0].current)
    assert [one.sweep_id for one in lab.sweeps()] == [first, second]
    lab.end_sweep(second, SweepStatus.STOPPED)
    assert status(history, second) is SweepStatus.STOPPED
    lab.end_sweep(first, SweepStatus.STOPPED)
    assert lab.wait_idle(PATIENCE_SECONDS)
    assert status(history, first) is SweepStatus.STOPPED
    assert all(run.status.over for run in history.summaries())


def test_a_killed_worker_costs_its_cell_and_no_more(lab, history, started):
    until(lab.hardware)
    (worker,) = started()
    sweep_id = begin(lab, history, budget=60)
    until(lambda: history.summaries(sweep_id=sweep_id))
    os.kill(worker.pid, signal.SIGKILL)
    until(lambda: len({cell for cell, _ in measured(history, sweep_id)}) == 2)
    lab.end_sweep(sweep_id, SweepStatus.STOPPED)
    assert lab.wait_idle(PATIENCE_SECONDS)
    (lost,) = [run for run in history.summaries() if run.status is Status.FAILED]
    assert "killed from outside" in lost.error
    assert (lost.sweep.cell, lost.sweep.repeat) not in measured(history, sweep_id)


def test_a_cell_that_cannot_work_is_a_failed_run_and_the_sweep_goes_on(lab, history):
    spec = change(PRESETS["dense"].spec, train_limit=1000)
    plan = sweep.plan(spec, [sweep.parse_axis("batch_size=5000,32")], ["cpu"], 15)
    sweep_id = history.sweeps.create(plan, name="A sweep", session="sweep")
    lab.submit_sweep(history.sweeps.get(sweep_id), ())
    assert lab.wait_idle(PATIENCE_SECONDS)
    first, second = sweep.results(sweep.cells(plan), history.summaries(sweep_id=sweep_id))
    assert "A batch of 5,000 is more than the 850 pictures" in first.error
    assert second.figure.step_ms > 0
    assert status(history, sweep_id) is SweepStatus.FINISHED


def test_closing_the_lab_interrupts_its_sweeps(history, started):
    lab = Lab(history, OFF)
    running, waiting = begin(lab, history, budget=60), begin(lab, history)
    until(lambda: lab.sweeps()[0].current)
    workers = started()
    lab.close()
    assert status(history, running) is SweepStatus.INTERRUPTED
    assert status(history, waiting) is SweepStatus.INTERRUPTED
    assert psutil.wait_procs(workers, timeout=PATIENCE_SECONDS)[1] == []
    assert all(run.status.over for run in history.summaries())
