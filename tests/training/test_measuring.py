"""Measured cells: real short fits, in one process, that give the process back as they found it."""

import time
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch

from cnnlab.engines import DEFAULT_THREADS
from cnnlab.spec import PRESETS, LabError, RunEnded, RunStarted, Status, Window, change
from cnnlab.training import measuring
from cnnlab.training.measuring import measure, noise, spread

TINY = change(PRESETS["tiny"].spec, device="cpu")
DENSE = change(PRESETS["dense"].spec, device="cpu")


def measured(spec, seconds=0.4, **options):
    events = []
    ended = measure(spec, events.append, lambda: False, seconds=seconds, **options)
    assert events[-1] is ended
    return ended, events


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


@pytest.mark.parametrize("engine", ["stock", "fast"])
@pytest.mark.parametrize("spec", [TINY, DENSE], ids=["tiny", "dense"])
def test_a_cell_has_steps_and_no_epoch(spec, engine):
    ended, events = measured(change(spec, engine=engine))
    assert ended.status is Status.FINISHED
    steps = [ms for window in of(Window, events) for ms in window.step_ms]
    assert len(steps) >= measuring.LEAST_STEPS
    assert ended.timing.step_ms_median == pytest.approx(np.median(steps[min(5, len(steps) // 2) :]))
    counted = len(steps) - min(5, len(steps) // 2)
    assert (ended.timing.step_ms_spread is not None) == (counted >= 2)
    assert ended.timing.validation_seconds == 0
    assert ended.disturbances is not None
    (started,) = of(RunStarted, events)
    assert started.device.used == "cpu"
    assert started.dataset.synthetic
    kinds = {event.kind for event in events}
    assert kinds == {"phase", "started", "window", "ended"}


def test_a_cell_of_a_set_that_must_be_downloaded_needs_no_network(home):
    measured(DENSE, 0.2)
    assert not (home / "datasets").exists()


def test_a_few_steps_are_taken_however_short_the_time():
    ended, events = measured(TINY, 0.0)
    assert ended.timing.step_ms_median > 0
    assert sum(len(window.step_ms) for window in of(Window, events)) >= measuring.LEAST_STEPS


def test_a_cells_time_begins_when_its_device_is_warm_which_takes_place_once(monkeypatch):
    """A card's context and libraries take seconds: more than the share of the first cell."""
    warmed, left, now = [], [], [0.0]

    def first_steps(device):
        warmed.append(device)
        now[0] += 3.0

    def the_cell(spec, device, ledger, emit, stop, deadline, until_steady):
        left.append(deadline - time.perf_counter())
        return RunEnded(status=Status.FINISHED)

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(measuring.devices, "resolve", lambda *_: "cuda:3")
    monkeypatch.setattr(measuring, "on", lambda device: nullcontext())
    monkeypatch.setattr(measuring, "first_steps", first_steps)
    monkeypatch.setattr(measuring, "_measure", the_cell)
    measured(DENSE, 0.2)
    measured(DENSE, 0.2)
    assert warmed == ["cuda:3"]
    assert left == pytest.approx([0.2, 0.2])


def test_each_measurement_has_its_own_threads():
    many = DEFAULT_THREADS + 1
    for threads, had in ((many, many), (None, 1)):
        _, events = measured(change(DENSE, threads=threads), 0.1)
        assert of(RunStarted, events)[0].environment["threads"] == had


def test_a_stop_ends_a_cell():
    ended = measure(DENSE, lambda event: None, lambda: True, seconds=9)
    assert isinstance(ended, RunEnded)
    assert ended.status is Status.STOPPED


def test_many_cells_leave_no_model_behind():
    measured(DENSE, 0.1)
    before = psutil.Process().memory_info().rss
    big = change(DENSE, model={"family": "dense", "dense": [3000, 3000]})
    for _ in range(4):
        measured(big, 0.0)  # weights, gradients and optimizer: about 180 MB each time
    assert psutil.Process().memory_info().rss - before < 450e6


def test_what_does_not_fit_into_memory_is_refused_in_a_sentence(monkeypatch):
    free = SimpleNamespace(available=1e6)
    monkeypatch.setattr(measuring.psutil, "virtual_memory", lambda: free)
    said = r"needs about [\d.]+ MB of memory and 1 MB are free: use a smaller batch"
    with pytest.raises(LabError, match=said):
        measured(DENSE)


# --- the figures ----------------------------------------------------------------------------


def test_the_spread_is_that_of_the_medians_of_stretches():
    assert spread(np.full(50, 4.0)) == 0
    assert spread(np.repeat([1.0, 1.0, 1.0, 1.0, 1.1], 10)) == pytest.approx(0.1)
    once = np.full(50, 4.0)
    once[7] = 400.0  # a hiccup moves no median
    assert spread(once) == 0
    assert spread(np.array([4.0])) is None


# --- pictures -------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 32, 100, 4096])
@pytest.mark.parametrize("share", [0.1, 0.15, 0.5])
def test_an_epoch_is_whole_batches(batch_size, share):
    spec = change(DENSE, batch_size=batch_size, validation_split=share)
    pictures, facts = noise(spec)
    assert facts.train_images % batch_size == 0
    assert facts.train_images >= batch_size
    assert len(pictures.labels) == facts.train_images + facts.validation_images


def test_the_limit_of_a_spec_is_kept_and_otherwise_there_are_enough():
    _, facts = noise(change(DENSE, train_limit=1000, batch_size=100))
    assert facts.train_images == 800
    _, facts = noise(change(DENSE, batch_size=100))
    assert facts.train_images == 3200


def test_a_batch_larger_than_the_pictures_is_refused():
    with pytest.raises(LabError, match="A batch of 512 is more than the 85 pictures"):
        noise(change(DENSE, train_limit=100, batch_size=512))


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_a_cell_on_the_second_card_is_timed_there():
    spec = change(DENSE, device="cuda:1")
    measured(spec, 0.0)  # warms the card
    began = time.perf_counter()
    ended, events = measured(spec)
    wall = (time.perf_counter() - began) * 1e3
    assert of(RunStarted, events)[0].device.used == "cuda:1"
    steps = [ms for window in of(Window, events) for ms in window.step_ms]
    assert 0.1 * wall < sum(steps) < wall
    assert ended.memory.peak_device_mb > 0
    assert torch.cuda.current_device() == 0


@pytest.mark.gpu
def test_a_cell_on_an_accelerator_is_timed_there():
    ended, events = measured(change(DENSE, device="cuda:0"))
    assert of(RunStarted, events)[0].device.used == "cuda:0"
    assert ended.timing.step_ms_median > 0
