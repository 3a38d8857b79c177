"""What a cluster costs is told as a difference to the same run without one."""

import json
import signal

import pytest

from bench import cluster
from bench.in_turns import HOLDING, LAB, OnNode
from bench.measure import NoFigure
from cnnlab.spec import RunEnded, Status, Timing, Window

TIMED = Timing(startup_seconds=0.5, data_seconds=1.0, build_seconds=2.0)


def window(seconds):
    return Window(epoch=1, first_step=1, step_ms=(1.0,), seconds=seconds, loss=1.0, accuracy=0.5)


def ended(timing=TIMED, error=None):
    return RunEnded(status=Status.FINISHED, timing=timing, error=error)


def test_a_delay_is_what_lies_between_a_windows_last_step_and_its_word():
    heard = [(103.9, window(0.3)), (104.0, window(0.4)), (104.3, window(0.6)), (104.4, ended())]
    assert cluster.late(heard, launched_at=100.0) == pytest.approx([0.1, 0.1, 0.2])


def test_a_run_that_came_to_no_end_has_no_delays():
    with pytest.raises(NoFigure, match="no end: it died"):
        cluster.late([(103.9, window(0.3)), (104.0, ended(Timing(), "it died"))], 100.0)
    with pytest.raises(NoFigure, match="without a word"):
        cluster.late([(103.9, window(0.3))], 100.0)


@pytest.mark.parametrize(
    ("ratios", "said"),
    [
        ([1.0] * 5, "kept"),
        ([0.97] * 5, "broken"),
        ([1.02, 1.01, 1.0, 0.99, 0.98], "not told apart"),
    ],
)
def test_the_budget_is_held_against_all_pairs(ratios, said):
    assert cluster.longer("dense", ratios).endswith(f"budget 1%: {said}).")


def test_the_delay_is_held_against_that_here():
    assert cluster.live_note({"node": 0.5, "here": 0.1}).endswith("(budget 0.5 s: kept).")
    assert cluster.live_note({"node": 0.7, "here": 0.1}).endswith("(budget 0.5 s: broken).")


class Worker:
    """A training process that was told things and says others."""

    def __init__(self, *said):
        self.said, self.told = list(said), []

    def send(self, line):
        self.told.append(line)

    def line(self):
        return self.said.pop(0) if self.said else ""

    def close(self):
        return 0


class Baton:
    """Who handed it on."""

    def __init__(self):
        self.heard = []

    def held_by(self, number, worker, _processes):
        self.heard.append((number, worker))

    def over(self, number):
        self.heard.append(number)


def test_a_run_on_a_node_takes_its_turns_from_the_bench_and_none_from_its_lab():
    worker, baton = Worker(HOLDING, "other\n"), Baton()
    process = OnNode(worker, lambda: baton)
    for line in (json.dumps({"run_id": "a", "turn_seconds": None}), "go", "stop"):
        process.send(line)
    assert json.loads(worker.told[0])["turn_seconds"] > 0
    assert worker.told[1:] == ["stop"]
    assert [process.line() for _ in range(2)] == [HOLDING, "other\n"]
    process.close()
    assert baton.heard == [(LAB, worker), LAB]


def test_a_run_that_is_alone_takes_no_turns():
    worker = Worker(HOLDING)
    process = OnNode(worker, lambda: None)
    process.send(json.dumps({"turn_seconds": None}))
    assert json.loads(worker.told[0])["turn_seconds"] is None
    assert process.line() == HOLDING


def test_arms_that_are_measured_together_are_measured_once_a_round():
    measured = iter([{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}])
    arms = cluster.both(lambda: next(measured))
    assert [arms["a"](), arms["b"](), arms["b"](), arms["a"]()] == [1.0, 2.0, 4.0, 3.0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_whatever_ray_had_in_mind(number):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt), cluster.ended_by_signals():
            signal.raise_signal(number)
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)
