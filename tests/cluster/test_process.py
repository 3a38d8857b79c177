"""What is asked of a training process holds for one here and for one on a node of a cluster."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest

from cnnlab import cluster as clusters
from cnnlab.devices import worker_environment
from cnnlab.runner.job import Job
from cnnlab.runner.live import LiveRun
from cnnlab.runner.process import Worker, events_of
from cnnlab.spec import (
    EpochEnded,
    ExperimentSpec,
    GpuOff,
    PhaseChanged,
    RunEnded,
    RunStarted,
    Status,
    change,
)
from tests.cluster.examples import LONG, SHORT
from tests.cluster.nodes import Nodes
from tests.patience import PATIENCE_SECONDS, until


@pytest.fixture(params=["here", "one"])
def where(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def begin(where: str, cluster: Nodes) -> Iterator[Callable[..., Worker]]:
    begun: list[Worker] = []

    def start(gpu_off: GpuOff = "none") -> Worker:
        here = where == "here"
        environment = worker_environment(gpu_off)
        begun.append(Worker(gpu_off, environment) if here else clusters.start(where, gpu_off))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.close()


def order(spec: ExperimentSpec) -> str:
    return Job("run", spec, LiveRun("run", spec)).order(time.monotonic())


def test_it_says_hello_trains_and_ends(begin, where):
    began, process = time.monotonic(), begin()
    assert process.alive
    assert json.loads(process.line())["hardware"]["cpu"]["name"]
    process.send(order(SHORT))
    events = list(events_of(process))
    assert [event.row.epoch for event in events if isinstance(event, EpochEnded)] == [1, 2]
    ended = events[-1]
    assert isinstance(ended, RunEnded)
    assert ended.status is Status.FINISHED
    assert ended.timing.startup_seconds is not None
    assert 0 <= ended.timing.startup_seconds < time.monotonic() - began
    (started,) = (event for event in events if isinstance(event, RunStarted))
    assert (started.machine.name if started.machine else "here") == where
    assert process.close(patience_seconds=PATIENCE_SECONDS) == 0
    assert not process.alive


def test_it_trains_in_the_turns_that_it_is_given(begin):
    process = begin()
    process.line()
    job = Job("run", LONG, LiveRun("run", LONG), cut_seconds=0.5, turn_seconds=0.1)
    process.send(job.order(time.monotonic()))
    turns, ended = 0, None
    for event in events_of(process):
        if event == PhaseChanged(phase="holding"):
            turns += 1
            process.send("go")
        ended = event
    assert isinstance(ended, RunEnded)
    assert ended.status is Status.FINISHED
    assert turns > 2
    assert ended.timing
    assert ended.timing.held_seconds


def test_a_stop_ends_a_run_and_a_kill_the_process(begin):
    process = begin()
    process.line()
    process.send(order(LONG))
    events = events_of(process)
    assert any(isinstance(event, EpochEnded) for event in events)
    process.send("stop")
    *_, last = events
    assert isinstance(last, RunEnded)
    assert last.status is Status.STOPPED
    again = begin()
    again.line()
    again.send(order(LONG))
    assert any(isinstance(event, EpochEnded) for event in events_of(again))
    again.kill()
    assert not any(isinstance(event, RunEnded) for event in events_of(again))
    again.close()
    assert not again.alive


def test_without_an_order_it_ends_when_its_stdin_closes(begin, where, cluster):
    process = begin()
    process.line()
    process.close()
    assert not process.alive
    if where != "here":
        until(lambda: not cluster.workers(where))


def test_the_gpu_is_hidden_and_threads_are_left_to_the_lab(begin, where, cluster):
    """Ray gives an actor one thread and, at times, its own idea of the cards."""
    process = begin("environment")
    process.line()
    if where != "here":
        (worker,) = cluster.workers(where)
        variables = worker.environ()
        assert variables["CUDA_VISIBLE_DEVICES"] == ""
        assert "OMP_NUM_THREADS" not in variables
    process.send(order(change(SHORT, threads=2, device="auto", gpu_off="environment")))
    (started,) = (event for event in events_of(process) if isinstance(event, RunStarted))
    assert started.device.used == "cpu"
    assert started.environment["threads"] == 2


def test_a_spec_that_cannot_work_fails_with_its_sentence(begin):
    process = begin()
    process.line()
    process.send(order(change(SHORT, dataset="/no/such/pictures.zip")))
    *_, last = events_of(process)
    assert isinstance(last, RunEnded)
    assert last.status is Status.FAILED
    assert "There is no data set" in last.error
