"""Errands: one after the other, never beside what is timed, kept in the history."""

import json
import threading
from typing import ClassVar

import pytest

from cnnlab.devices import worker_environment
from cnnlab.history import History
from cnnlab.runner import Errand, Errands, errands, process
from cnnlab.runner.turns import turn_on
from cnnlab.spec import HERE, PRESETS, LabError, Profiled, RunEnded, Status, Tried, change
from tests.example_profiles import DENSE, TRIAL
from tests.example_runs import add_run
from tests.patience import PATIENCE_SECONDS, until

SPEC = PRESETS["dense"].spec


class MadeUpWorker:
    """A training process that answers each order as the test says."""

    answers: ClassVar = {"profile": Profiled(profile=DENSE), "try": Tried(trial=TRIAL)}
    made: ClassVar = []

    def __init__(self, gpu_off, environment):
        self.gpu_off, self.orders, self.lines = gpu_off, [], ['{"kind": "hello"}\n']
        self.made.append(self)

    def line(self):
        return self.lines.pop(0) if self.lines else ""

    def send(self, line):
        order = json.loads(line)
        self.orders.append(order)
        answer = self.answers[order["kind"]]
        self.lines += [f"{answer.model_dump_json()}\n"] if answer else []

    def kill(self):
        pass

    def close(self):
        return -9


@pytest.fixture
def history():
    return History()


@pytest.fixture
def workers(monkeypatch):
    """The processes that were started."""
    monkeypatch.setattr(process, "Worker", MadeUpWorker)
    monkeypatch.setattr(MadeUpWorker, "made", [])
    return MadeUpWorker.made


@pytest.fixture
def lab(history, workers):
    opened = Errands(history, {"none": {}, "environment": {}})
    yield opened
    opened.close()


def done(lab, run_id):
    until(lambda: not lab.open_for(run_id))


def test_a_profile_is_ordered_and_kept(lab, history, workers):
    run_id = add_run(history)
    lab.ask(Errand(run_id, SPEC, "Taking a step apart"))
    done(lab, run_id)
    assert history.card(run_id).profile == DENSE
    assert [order["kind"] for order in workers[0].orders] == ["profile"]
    assert lab.failed(run_id) is None


def test_a_trial_is_ordered_with_its_change_and_kept(lab, history, workers):
    run_id = add_run(history)
    lab.ask(Errand(run_id, SPEC, "Trying batch size 256", {"batch_size": 256}, 3.0))
    done(lab, run_id)
    assert history.card(run_id).trials == (TRIAL,)
    (order,) = workers[0].orders
    assert (order["kind"], order["change"], order["expected"]) == ("try", {"batch_size": 256}, 3.0)


def test_an_errand_waits_while_something_is_timed(lab, history, workers):
    run_id = add_run(history)
    errand = Errand(run_id, SPEC, "Taking a step apart")
    with turn_on(HERE):
        lab.ask(errand)
        lab.ask(errand)
        until(lambda: workers and not workers[0].lines)
        assert lab.open_for(run_id) == (errand,)
        assert workers[0].orders == []
    done(lab, run_id)
    assert len(workers) == 1


def test_the_off_switch_of_the_run_is_thrown_for_its_errand(lab, history, workers):
    run_id = add_run(history)
    for way in ("device", "environment"):
        lab.ask(Errand(run_id, change(SPEC, gpu_off=way), "Taking a step apart"))
    done(lab, run_id)
    assert [worker.gpu_off for worker in workers] == ["none", "environment"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (RunEnded(status=Status.FAILED, error="The memory is full."), "The memory is full."),
        (None, "was killed from outside"),
    ],
)
def test_an_errand_that_fails_says_why_and_the_next_goes_on(
    lab, history, monkeypatch, answer, said
):
    run_id = add_run(history)
    monkeypatch.setitem(MadeUpWorker.answers, "profile", answer)
    lab.ask(Errand(run_id, SPEC, "Taking a step apart"))
    done(lab, run_id)
    assert said in lab.failed(run_id)
    assert history.card(run_id).profile is None
    lab.ask(Errand(run_id, SPEC, "Trying batch size 256", {"batch_size": 256}))
    done(lab, run_id)
    assert lab.failed(run_id) is None
    assert history.card(run_id).trials


def test_an_errand_that_waits_can_be_cancelled_and_asked_for_again(lab, history, workers):
    run_id, other = add_run(history), add_run(history)
    errand = Errand(run_id, SPEC, "Taking a step apart")
    with turn_on(HERE):
        lab.ask(errand)
        lab.ask(Errand(other, SPEC, "Taking a step apart"))
        until(lambda: workers and not workers[0].lines)
        lab.cancel(run_id)
        assert lab.open_for(run_id) == ()
        lab.ask(errand)
        assert lab.open_for(run_id) == (errand,)
    done(lab, run_id)
    done(lab, other)
    assert [len(worker.orders) for worker in workers] == [0, 1, 1]
    assert history.card(run_id).profile == DENSE
    assert lab.failed(run_id) is None


def test_an_errand_under_way_can_be_cancelled_which_is_no_failure(
    lab, history, workers, monkeypatch
):
    killed = threading.Event()

    def until_killed(worker):
        if worker.orders:
            killed.wait(PATIENCE_SECONDS)
        return worker.lines.pop(0) if worker.lines else ""

    monkeypatch.setattr(MadeUpWorker, "line", until_killed)
    monkeypatch.setattr(MadeUpWorker, "kill", lambda _: killed.set())
    monkeypatch.setitem(MadeUpWorker.answers, "profile", None)
    run_id = add_run(history)
    lab.ask(Errand(run_id, SPEC, "Taking a step apart"))
    lab.ask(Errand(run_id, SPEC, "Trying batch size 256", {"batch_size": 256}))
    until(lambda: workers and workers[0].orders)
    lab.cancel(run_id)
    assert killed.is_set()
    assert lab.open_for(run_id) == ()
    lab.ask(Errand(run_id, SPEC, "Trying batch size 256", {"batch_size": 256}))
    done(lab, run_id)
    assert lab.failed(run_id) is None
    card = history.card(run_id)
    assert card.profile is None
    assert len(card.trials) == 1


def test_cancelling_leaves_the_errands_of_other_runs(lab, history, workers):
    run_id, other = add_run(history), add_run(history)
    with turn_on(HERE):
        lab.ask(Errand(run_id, SPEC, "Taking a step apart"))
        lab.cancel(other)
        assert lab.open_for(run_id)
    done(lab, run_id)
    assert history.card(run_id).profile == DENSE


def test_too_many_errands_are_refused(lab, history, monkeypatch):
    monkeypatch.setattr(errands, "MOST_WAITING", 2)
    with turn_on(HERE):
        for number in range(2):
            lab.ask(Errand(f"run{number}", SPEC, "Taking a step apart"))
        with pytest.raises(LabError, match="2 measurements are waiting"):
            lab.ask(Errand("run3", SPEC, "Taking a step apart"))


def test_a_closed_lab_forgets_what_waits(history, workers):
    lab = Errands(history, {"none": {}})
    with turn_on(HERE):
        lab.ask(Errand("run", SPEC, "Taking a step apart"))
        closing = threading.Thread(target=lab.close)
        closing.start()
    closing.join(timeout=PATIENCE_SECONDS)
    assert not closing.is_alive()


def test_a_real_process_takes_a_step_apart(history):
    spec = change(PRESETS["dense"].spec, train_limit=2000, device="cpu", threads=1)
    run_id = add_run(history, spec=spec)
    lab = Errands(history, {"none": worker_environment("none")})
    try:
        lab.ask(Errand(run_id, spec, "Taking a step apart"))
        until(lambda: not lab.open_for(run_id))
        assert lab.failed(run_id) is None
        profile = history.card(run_id).profile
        assert [layer.kind for layer in profile.layers] == ["Flatten", "Dense", "Dense", "Dense"]
        assert profile.parts_ms == pytest.approx(profile.step_ms, rel=0.05)
    finally:
        lab.close()
