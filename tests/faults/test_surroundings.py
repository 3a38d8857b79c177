"""Memory, data, clocks and sleep: what is left of a run afterwards."""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from cnnlab.history import History
from cnnlab.runner import Lab
from cnnlab.spec import (
    EpochEnded,
    Event,
    ExperimentSpec,
    LabError,
    Status,
    change,
)
from cnnlab.training import explain, train
from tests.faults.labs import LONG, OFF, SHORT, submit, until
from tests.patience import PATIENCE_SECONDS
from tests.processes import Started

pytestmark = pytest.mark.usefixtures("peaks")


def fit(spec: ExperimentSpec, stop: Callable[[list[Event]], bool] = lambda _: False) -> list[Event]:
    events: list[Event] = []
    train(spec, events.append, lambda: stop(events), launched_at=time.monotonic())
    return events


def test_a_network_too_large_for_the_memory_is_said_so() -> None:
    fit(SHORT)  # what is loaded late is loaded
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = psutil.Process().memory_info().vms + 400_000_000
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        with pytest.raises((MemoryError, RuntimeError)) as caught:
            fit(change(SHORT, model={"family": "dense", "dense": [16_384, 16_384]}))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    said = explain(caught.value)
    assert said == (
        "The computer ran out of memory: use a smaller batch, fewer pictures or filters."
    )
    assert fit(SHORT)[-1].status == Status.FINISHED


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_an_accelerator_without_memory_is_said_so_whichever_library_found_it(
    error: Exception,
) -> None:
    assert explain(error).startswith("The accelerator ran out of memory: use a smaller batch")


@pytest.mark.gpu
def test_a_network_too_large_for_the_card_is_said_so_and_the_next_run_works() -> None:
    """This process gets little of the card: what then is too large is still small for the host."""
    small = change(SHORT, device="cuda:0")
    fit(small)  # cuBLAS and the kernels are loaded: it is the network that finds no room
    torch.cuda.empty_cache()
    _, whole = torch.cuda.mem_get_info(0)
    room = torch.cuda.memory_reserved(0) + 500_000_000
    torch.cuda.set_per_process_memory_fraction(room / whole, 0)
    try:
        with pytest.raises(RuntimeError) as caught:  # weights, gradients, Adam's state: 1.5 GB
            fit(change(small, model={"family": "dense", "dense": [8192, 8192]}))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, 0)
    torch.cuda.empty_cache()
    assert explain(caught.value).startswith("The accelerator ran out of memory")
    assert fit(small)[-1].status == Status.FINISHED


def test_a_data_set_that_is_removed_is_missed_by_the_next_run_not_by_this_one(
    tmp_path: Path, home: Path
) -> None:
    file = tmp_path / "mine.npz"
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (80, 12, 12, 3), dtype=np.uint8)
    np.savez(file, x_train=images, y_train=np.arange(80) % 4)
    spec = change(SHORT, dataset=str(file), epochs=3)

    def remove(events: list[Event]) -> bool:
        if file.exists() and any(isinstance(event, EpochEnded) for event in events):
            file.unlink()
            shutil.rmtree(home / "datasets")
        return False

    assert fit(spec, remove)[-1].status == Status.FINISHED
    assert not file.exists()
    with pytest.raises(LabError, match="There is no data set"):
        fit(spec)


def test_a_clock_that_is_set_changes_no_duration(monkeypatch: pytest.MonkeyPatch) -> None:
    now, hour = time.time, 3600
    leaps = iter([hour, -hour] * 100_000)
    monkeypatch.setattr(time, "time", lambda: now() + next(leaps))
    began = time.perf_counter()
    ended = fit(change(SHORT, epochs=3))[-1]
    wall = time.perf_counter() - began
    timing = ended.timing
    assert 0 <= timing.startup_seconds < wall
    assert 0 < timing.fit_seconds < timing.total_seconds <= wall
    assert ended.disturbances.seconds < wall


def test_a_process_that_was_put_to_sleep_goes_on_and_says_so(
    history: History, started: Started
) -> None:
    lab = Lab(history, OFF)
    run_id = submit(lab, LONG)
    assert until(lambda: len(history.card(run_id).epochs) > 1)
    (worker,) = started()
    worker.suspend()
    time.sleep(3)
    before = len(history.card(run_id).epochs)
    worker.resume()
    assert until(lambda: len(history.card(run_id).epochs) > before + 1)
    lab.stop(run_id)
    assert lab.wait_idle(PATIENCE_SECONDS)
    card = history.card(run_id)
    assert card.status == Status.STOPPED
    assert any("stood still" in mark for mark in card.marks)
    lab.close()
