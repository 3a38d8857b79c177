from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cnnlab import checkpoints, learned
from cnnlab.devices import worker_environment
from cnnlab.history import History
from cnnlab.runner import Lab, LiveRun, process
from cnnlab.spec import PRESETS, Epoch, EpochEnded, LabError, RunResumed, Status, Window, change
from cnnlab.ui import lab as lab_of_pages
from tests.example_runs import epoch
from tests.patience import PATIENCE_SECONDS, until
from tests.processes import Started
from tests.quiet_lab import page

pytestmark = pytest.mark.usefixtures("peaks")

QUICK = change(PRESETS["tiny"].spec, train_limit=200, epochs=2)
LONG = change(QUICK, epochs=5000)
OFF = {name: worker_environment(name) for name in ("none", "device", "environment", "override")}


@pytest.fixture
def lab(history: History, started: Started) -> Iterator[Lab]:
    lab = Lab(history, OFF)
    yield lab
    lab.close()


def submit(lab: Lab, spec=QUICK) -> str:
    return lab.submit(spec, name="run", session="test")


def status(history: History, run_id: str) -> Status:
    return history.card(run_id, steps=False).status


def steps(lab: Lab, run_id: str) -> int:
    snapshot = lab.live(run_id)
    return len(snapshot.columns["step"]) if snapshot else 0


def test_a_run_is_trained_watched_and_kept(lab: Lab, history: History) -> None:
    run_id = submit(lab)
    assert status(history, run_id) in (Status.QUEUED, Status.RUNNING)
    assert lab.wait_idle(PATIENCE_SECONDS)
    card = history.card(run_id)
    assert card.status == Status.FINISHED
    assert len(card.epochs) == 2
    assert card.timing.startup_seconds is not None
    live = lab.live(run_id)
    assert live.epochs == card.epochs
    assert list(live.columns["ms"]) == list(card.steps.ms)
    assert lab.hardware()["cpu"]["name"]
    assert learned.open_run(run_id).frames == (1, 2)
    assert live.answers.epoch == 2
    assert live.gallery.indices == tuple(learned.open_run(run_id).gallery.indices.tolist())


def test_waiting_runs_have_places_and_can_be_withdrawn(lab: Lab, history: History) -> None:
    first, second, third = (submit(lab, LONG) for _ in range(3))
    until(lambda: lab.running() == first)
    assert lab.queued() == (second, third)
    lab.stop(second)
    assert lab.queued() == (third,)
    assert status(history, second) == Status.STOPPED
    lab.stop(third)
    lab.stop(first)
    assert lab.wait_idle(PATIENCE_SECONDS)
    assert status(history, first) == Status.STOPPED


def test_a_stop_reaches_a_worker_that_hangs_before_it_says_a_word(
    lab: Lab, history: History, started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    until(lambda: lab.hardware() is not None)
    sleeps = (sys.executable, "-c", "import time; time.sleep(300)")
    with monkeypatch.context() as patch:
        patch.setattr(process, "STOP_PATIENCE_SECONDS", 0.5)
        patch.setattr(process.Worker, "COMMAND", sleeps)
        run_id = submit(lab, change(QUICK, gpu_off="environment"))  # needs a process of its own
        until(lambda: lab.running() == run_id and len(started()) == 1)
        lab.stop(run_id)
    assert lab.wait_idle(PATIENCE_SECONDS)
    assert status(history, run_id) == Status.STOPPED
    assert status_after(lab, history) == Status.FINISHED


def test_a_worker_that_cannot_be_started_costs_one_run(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(process.Worker, "COMMAND", ("/no/such/program",))
        lab = Lab(history, OFF)
        run_id = submit(lab)
        assert lab.wait_idle(PATIENCE_SECONDS)
    try:
        assert status(history, run_id) == Status.FAILED
        assert status_after(lab, history) == Status.FINISHED
    finally:
        lab.close()


def status_after(lab: Lab, history: History) -> Status:
    """What the next run comes to."""
    run_id = submit(lab)
    assert lab.wait_idle(PATIENCE_SECONDS)
    return status(history, run_id)


def test_a_stop_ends_a_run_and_keeps_its_epochs(lab: Lab, history: History) -> None:
    run_id = submit(lab, LONG)
    until(lambda: lab.live(run_id) is not None and len(lab.live(run_id).epochs) >= 2)
    lab.stop(run_id)
    assert lab.wait_idle(PATIENCE_SECONDS)
    assert lab.live(run_id).ended is not None
    card = history.card(run_id)
    assert card.status == Status.STOPPED
    assert len(card.epochs) >= 2


def test_a_killed_worker_fails_its_run_alone(lab: Lab, history: History, started: Started) -> None:
    lost, next_one = submit(lab, LONG), submit(lab)
    until(lambda: steps(lab, lost) > 3)
    os.kill(started()[0].pid, signal.SIGKILL)
    assert lab.wait_idle(PATIENCE_SECONDS)
    card = history.card(lost)
    assert card.status == Status.FAILED
    assert "killed from outside" in card.error
    assert status(history, next_one) == Status.FINISHED


def test_a_run_that_cannot_work_fails_with_its_sentence(lab: Lab, history: History) -> None:
    run_id = submit(lab, change(QUICK, device="cuda:99"))
    assert lab.wait_idle(PATIENCE_SECONDS)
    card = history.card(run_id)
    assert card.status == Status.FAILED
    assert "cuda:99" in card.error
    assert "Traceback" not in card.error


@pytest.mark.parametrize("gpu_off", ["environment", "override"])
def test_a_run_with_a_switched_off_gpu_gets_a_process_of_its_own(
    lab: Lab, history: History, gpu_off: str
) -> None:
    run_id = submit(lab, change(QUICK, gpu_off=gpu_off))
    assert lab.wait_idle(PATIENCE_SECONDS)
    card = history.card(run_id)
    assert card.status == Status.FINISHED, card.error
    assert card.device.gpu_off == gpu_off
    assert card.device.used == "cpu"


def test_closing_the_lab_interrupts_its_runs_and_leaves_no_process(
    history: History, started: Started
) -> None:
    lab = Lab(history, OFF)
    running, waiting = submit(lab, LONG), submit(lab)
    until(lambda: steps(lab, running) > 3)
    workers = started()
    lab.close()
    assert status(history, running) == Status.INTERRUPTED
    assert status(history, waiting) == Status.INTERRUPTED
    assert psutil.wait_procs(workers, timeout=PATIENCE_SECONDS)[1] == []


def test_a_killed_run_is_resumed_and_then_equals_one_that_never_broke_off(
    lab: Lab, history: History, started: Started
) -> None:
    spec = change(QUICK, epochs=60, device="cpu")  # a card does not repeat itself to the last bit
    whole, broken = submit(lab, spec), submit(lab, spec)
    until(lambda: lab.live(broken) is not None and len(lab.live(broken).epochs) > 3)
    os.kill(started()[0].pid, signal.SIGKILL)
    assert lab.wait_idle(PATIENCE_SECONDS)
    before = history.card(broken)
    assert before.status == Status.FAILED
    assert checkpoints.kept(broken)
    assert not checkpoints.kept(whole)  # it finished
    lab.resume(broken)
    assert len(lab.live(broken).epochs) == len(before.epochs)
    assert lab.wait_idle(PATIENCE_SECONDS)
    after = history.card(broken)
    assert after.status == Status.FINISHED, after.error
    results = [
        [(row.epoch, row.loss, row.val_loss, row.val_accuracy) for row in card.epochs]
        for card in (history.card(whole), after)
    ]
    assert results[0] == results[1]
    assert after.timing.resumed_after[0] >= len(before.epochs)
    assert after.timing.total_seconds is None
    assert after.timing.fit_seconds > 0.9 * sum(row.seconds for row in after.epochs)
    assert list(lab.live(broken).columns["step"]) == list(after.steps.step)
    assert lab.live(broken).epochs == after.epochs
    assert not checkpoints.kept(broken)
    with pytest.raises(LabError, match="no checkpoint to go on from; train it again"):
        lab.resume(broken)


# A worker that writes down, at both ends of each epoch, where all lies that its model holds.
TELLING = """
import json, os, sys
from pathlib import Path
import keras
from cnnlab.training import LabCallback
from cnnlab.worker import serve

file = Path(os.environ["CNNLAB_HOME"], "devices.json").open("a")

def telling(hook):
    def hook_and_tell(self, *arguments):
        hook(self, *arguments)
        model = self.model
        held = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
        tensors = [*model.parameters(), *model.buffers(), *(each.value for each in held)]
        print(json.dumps(sorted({tensor.device.type for tensor in tensors})), file=file, flush=True)
    return hook_and_tell

print(json.dumps([keras.ops.zeros(1).device.type]), file=file, flush=True)
for name in ("on_epoch_begin", "on_epoch_end"):
    setattr(LabCallback, name, telling(getattr(LabCallback, name)))
serve(sys.argv[1])
"""


@pytest.fixture
def lab_of_app(monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The lab that the app opens for its pages, with workers that tell where their models lie."""
    monkeypatch.setattr(process.Worker, "COMMAND", (sys.executable, "-c", TELLING))
    return lab_of_pages.lab()


@pytest.mark.parametrize("engine", ["stock", "fast"])
@pytest.mark.parametrize("default", ["meta", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_a_cpu_run_stays_on_the_cpu_while_its_page_is_polled(
    default: str, engine: str, home: Path, monkeypatch: pytest.MonkeyPatch, request
) -> None:
    """Streamlit resets Keras after each run of a page, in the process of the page: a model that was
    trained there left its device for the default one. What leaves it here lies on a card, or,
    without one, on a device that holds no numbers.
    """
    monkeypatch.setenv("KERAS_TORCH_DEVICE", default)
    lab = request.getfixturevalue("lab_of_app")
    run_id = submit(lab, change(LONG, engine=engine, device="cpu"))
    app = page("train", run=run_id)
    until(lambda: steps(lab, run_id) > 0)
    for _ in range(25):
        began = time.monotonic()
        assert not app.run().exception
        time.sleep(max(0.1 - (time.monotonic() - began), 0))  # ten times a second
    lab.stop(run_id)
    assert lab.wait_idle(PATIENCE_SECONDS)
    done = len(lab_of_pages.history().card(run_id).epochs)
    first, *ends = map(json.loads, (home / "devices.json").read_text().splitlines())
    assert first == [default]
    assert len(ends) > 2 * done > 4
    assert ends == [["cpu"]] * len(ends)


ORPHAN = """
import sys, time
from cnnlab.devices import worker_environment
from cnnlab.history import History
from cnnlab.runner import Lab
from cnnlab.spec import PRESETS, change
lab = Lab(History(), {"none": {}})
run_id = lab.submit(change(PRESETS["tiny"].spec, epochs=5000), name="run", session="test")
while not (lab.live(run_id) and len(lab.live(run_id).columns["step"]) > 3):
    time.sleep(0.05)
assert "torch" not in sys.modules and "keras" not in sys.modules
print(run_id, flush=True)
time.sleep(600)
"""


def test_a_killed_lab_leaves_no_worker_and_no_running_run(history: History) -> None:
    lab = subprocess.Popen([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, text=True)
    run_id = lab.stdout.readline().strip()
    workers = psutil.Process(lab.pid).children(recursive=True)
    assert workers
    lab.kill()
    lab.wait()
    lab.stdout.close()
    assert psutil.wait_procs(workers, timeout=PATIENCE_SECONDS)[1] == []
    assert status(history, run_id) == Status.RUNNING
    assert history.interrupt_orphans() == [run_id]
    assert status(history, run_id) == Status.INTERRUPTED


def test_the_live_view_has_equally_long_columns_and_does_not_change_afterwards() -> None:
    live = LiveRun("a", QUICK)
    window = Window(epoch=1, first_step=1, step_ms=(3, 4), seconds=1, loss=2, accuracy=0.1)
    live.apply(window)
    before = live.snapshot()
    live.apply(window.model_copy(update={"first_step": 3}))
    row = Epoch(epoch=1, loss=1, accuracy=1, val_loss=1, val_accuracy=1, seconds=1, step_ms_mean=1)
    live.apply(EpochEnded(row=row))
    after = live.snapshot()
    assert {len(column) for column in after.columns.values()} == {4}
    assert {len(column) for column in before.columns.values()} == {2}
    assert list(after.columns["step"]) == [1, 2, 3, 4]
    assert (before.epochs, after.epochs) == ((), (row,))


def test_a_run_of_which_nothing_is_left_begins_again_under_its_own_id(
    lab: Lab, history: History
) -> None:
    run_id = history.create(QUICK, name="run", session="test")
    for event in epoch(1, 4.0):
        history.record(run_id, event)
    history.mark(run_id, Status.INTERRUPTED)
    with pytest.raises(LabError, match="no checkpoint"):
        lab.resume(run_id)
    lab.resume_or_begin(run_id)
    assert lab.wait_idle(PATIENCE_SECONDS)
    card = history.card(run_id)
    assert card.status == Status.FINISHED
    assert [row.epoch for row in card.epochs] == [1, 2]
    assert card.timing.resumed_after == ()
    assert card.timing.train_seconds is not None


def test_the_live_view_of_a_resumed_run_begins_with_what_was_kept(history: History) -> None:
    row = Epoch(epoch=1, loss=1, accuracy=1, val_loss=1, val_accuracy=1, seconds=1, step_ms_mean=1)
    run_id = history.create(QUICK, name="run", session="test")
    for number in (1, 2):
        figures = {"step_ms": (3, 4), "seconds": number, "loss": 2, "accuracy": 0.1}
        window = Window(epoch=number, first_step=2 * number - 1, **figures)
        history.record(run_id, window)
    history.record(run_id, EpochEnded(row=row))
    live = LiveRun(run_id, QUICK, history.card(run_id))
    assert list(live.snapshot().columns["step"]) == [1, 2, 3, 4]
    live.apply(RunResumed(epochs=(row,)))
    assert list(live.snapshot().columns["step"]) == [1, 2]
    assert {len(column) for column in live.snapshot().columns.values()} == {2}
    assert live.snapshot().epochs == (row,)
