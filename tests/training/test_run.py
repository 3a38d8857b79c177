from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from cnnlab import devices
from cnnlab.engines import Pictures
from cnnlab.spec import (
    PRESETS,
    EpochEnded,
    Event,
    ExperimentSpec,
    LabError,
    PhaseChanged,
    RnnModel,
    RunEnded,
    RunStarted,
    SpecError,
    Status,
    Window,
    change,
)
from cnnlab.training import LabCallback, clock_for, explain, first_steps, train
from cnnlab.training.run import build, on
from tests.patience import PATIENCE_SECONDS

# By name: where there is a card `auto` takes it, and a card adds up in no order of its own.
TINY = change(PRESETS["tiny"].spec, train_limit=400, epochs=2, device="cpu")


def fit(
    spec: ExperimentSpec = TINY, stop: Callable[[list[Event]], bool] = lambda _: False
) -> list[Event]:
    """Train for real; the events. `stop` is asked with the events so far."""
    events: list[Event] = []
    train(spec, events.append, lambda: stop(events), launched_at=time.monotonic())
    return events


def of(kind: type, events: list[Event]) -> list:
    return [event for event in events if isinstance(event, kind)]


@pytest.mark.parametrize("engine", ["stock", "fast"])
def test_a_run_tells_its_whole_story_in_order(engine: str) -> None:
    events = fit(change(TINY, engine=engine))
    (started,), (ended,) = of(RunStarted, events), of(RunEnded, events)
    assert events[-1] is ended
    assert ended.status == Status.FINISHED
    assert started.steps_per_epoch == 11
    assert (started.dataset.train_images, started.dataset.validation_images) == (340, 60)
    assert started.device.used == "cpu"
    windows = of(Window, events)
    assert [w.first_step for w in windows[:2]] == [1, 2]  # the first point comes after one step
    steps = [w.first_step + i for w in windows for i in range(len(w.step_ms))]
    assert steps == list(range(1, 23))
    rows = [event.row for event in of(EpochEnded, events)]
    assert [row.epoch for row in rows] == [1, 2]
    assert windows[-1].loss == pytest.approx(rows[-1].loss)
    phases = [event.phase for event in of(PhaseChanged, events)]
    assert phases[0] == "loading"
    assert phases[-4:] == ["training", "validating", "training", "validating"]


@pytest.mark.parametrize(
    ("network", "said"),
    [
        pytest.param(
            RnnModel(cell="lstm", recurrent=(4,)), devices.compiler() is not None, id="lstm"
        ),
        pytest.param(TINY.model, None, id="no_sequence"),
    ],
)
def test_a_run_says_whether_compiled_loops_took_the_steps_of_its_sequences(network, said) -> None:
    (started,) = of(RunStarted, fit(change(TINY, model=network, epochs=1)))
    assert started.environment["sequences_compiled"] is said


@pytest.mark.parametrize("engine", ["stock", "fast"])
def test_a_run_says_whether_it_took_subnormal_numbers_as_nought(engine) -> None:
    (started,) = of(RunStarted, fit(change(TINY, engine=engine, epochs=1)))
    assert started.environment["subnormals_flushed"] is (engine == "fast")


@pytest.mark.parametrize("engine", ["stock", "fast"])
def test_a_run_that_keeps_them_says_how_many_there_were_in_the_end(engine, monkeypatch) -> None:
    monkeypatch.setattr("cnnlab.engines.subnormals.LEAST", 1e30)  # any number but nought
    ended = fit(change(TINY, engine=engine, epochs=1))[-1]
    if engine == "fast":
        assert ended.timing.subnormal_share is None
    else:
        assert 0.1 < ended.timing.subnormal_share < 1


def test_the_ledger_adds_up_to_the_wall_clock() -> None:
    began = time.time()
    ended = fit()[-1]
    wall = time.time() - began
    timing = ended.timing
    parts = ("startup", "data", "build", "warmup", "train", "validation", "other")
    seconds = [getattr(timing, f"{part}_seconds") for part in parts]
    assert all(value >= 0 for value in seconds)
    assert sum(seconds) == pytest.approx(timing.total_seconds)
    assert timing.total_seconds == pytest.approx(wall, rel=0.01, abs=0.02)
    assert 0 <= timing.data_wait_ms_mean < timing.step_ms_mean
    assert 0 < timing.gflops <= timing.peak_gflops
    assert 0 < timing.matmul_peak_gflops <= timing.peak_gflops
    assert timing.matmul_peak_arithmetic == "float32"
    assert ended.disturbances.seconds == pytest.approx(timing.fit_seconds, abs=0.5)
    inside = timing.warmup_seconds + timing.train_seconds + timing.validation_seconds
    assert inside == pytest.approx(timing.fit_seconds, rel=0.05, abs=0.05)


def test_the_same_seed_gives_the_same_losses_and_another_seed_others() -> None:
    losses = [
        [event.row.loss for event in of(EpochEnded, fit(change(TINY, seed=seed)))]
        for seed in (3, 3, 4)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_the_article_learns_on_real_pictures(cifar10) -> None:
    spec = change(TINY, dataset=str(cifar10), train_limit=2000, epochs=3, batch_size=64)
    rows = [event.row for event in of(EpochEnded, fit(spec))]
    assert rows[-1].loss < rows[0].loss
    assert rows[-1].val_accuracy > 0.2  # chance is 0.1


def in_phase(phase: str) -> Callable[[list[Event]], bool]:
    return lambda events: [e.phase for e in of(PhaseChanged, events)][-1:] == [phase]


@pytest.mark.parametrize("phase", ["loading", "training", "validating"])
@pytest.mark.parametrize("engine", ["stock", "fast"])
def test_a_stop_acts_in_every_phase(phase: str, engine: str) -> None:
    events = fit(change(TINY, engine=engine, epochs=50), stop=in_phase(phase))
    assert events[-1].status == Status.STOPPED
    assert not of(EpochEnded, events)
    timing = events[-1].timing
    assert timing.total_seconds > 0
    if phase != "loading":  # what was done of the epoch is counted where it belongs
        assert timing.train_seconds > 0 or timing.warmup_seconds > 0
        assert timing.other_seconds < 0.5 * timing.total_seconds


def test_first_steps_leave_the_seeds_of_a_run_alone() -> None:
    before = [event.row.loss for event in of(EpochEnded, fit())]
    first_steps()
    assert [event.row.loss for event in of(EpochEnded, fit())] == before


def test_a_diverging_run_says_so_and_names_the_cure() -> None:
    deep = {"family": "dense", "dense": [64] * 16, "activation": "leaky_relu"}
    with pytest.raises(LabError, match="Lower the learning rate, which is 10,"):
        fit(change(TINY, model=deep, learning_rate=10.0))


def test_a_kernel_larger_than_the_picture_is_refused_before_training() -> None:
    data = TINY.model_dump(mode="json")
    data["model"]["blocks"][1]["convs"][0]["kernel"] = 31
    with pytest.raises(SpecError, match=r"model.blocks.1.convs.0.kernel is 31"):
        fit(change(TINY, model=data["model"]))


def test_a_device_that_is_not_here_is_refused_by_name() -> None:
    with pytest.raises(LabError, match="cuda:99"):
        fit(change(TINY, device="cuda:99"))


def test_a_host_clock_gives_the_times_between_marks_once() -> None:
    clock = clock_for("cpu")
    for _ in range(3):
        clock.mark()
    assert len(clock.read()) == 2
    clock.mark()
    assert len(clock.read()) == 1
    clock.restart()
    clock.mark()
    assert clock.read() == []


def test_on_apples_gpu_each_step_of_a_window_has_its_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device catches up a tenth of a second after it is waited for; no event is used."""
    now = [0.0]

    def catch_up() -> None:
        now[0] += 0.1

    monkeypatch.setattr(torch.mps, "synchronize", catch_up)
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.delattr(torch.mps, "Event")
    clock = clock_for("mps:0")
    clock.mark()
    assert clock.read() == []
    for _ in range(4):
        clock.mark()
    assert clock.read() == pytest.approx([25.0] * 4)
    clock.mark()
    assert clock.read() == pytest.approx([100.0])
    clock.mark()
    clock.restart()
    assert clock.read() == []
    clock.mark()
    clock.mark()
    assert clock.read() == pytest.approx([100.0])


@pytest.mark.parametrize("device", ["cuda:1", "xpu:1"])
def test_a_run_on_the_second_card_makes_it_torchs_current_one(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events are recorded on the current card, whatever card the network is on."""
    current = ["first"]

    @contextmanager
    def made_current(wanted: str) -> Iterator[None]:
        current.append(wanted)
        yield
        current.pop()

    monkeypatch.setattr(getattr(torch, device.partition(":")[0]), "device", made_current)
    monkeypatch.setattr(devices, "resolve", lambda *_: device)
    seen: list[str] = []

    def notice() -> bool:
        seen.append(current[-1])
        return True

    ended = train(TINY, lambda event: None, notice, launched_at=time.monotonic())
    assert ended.status == Status.STOPPED
    assert current == ["first"]
    assert set(seen) == {device}


def test_an_unexpected_error_becomes_one_sentence() -> None:
    said = explain(RuntimeError("first line\nsecond line"))
    assert said == "The training failed with RuntimeError: first line"
    assert explain(RuntimeError()) == "The training failed with RuntimeError: "


def test_a_want_of_memory_on_apples_gpu_has_its_cure() -> None:
    said = explain(RuntimeError("MPS backend out of memory (MPS allocated: 9.05 GiB, other …"))
    assert said.startswith("The accelerator ran out of memory: use a smaller batch")


def test_a_device_too_full_for_its_peak_ends_no_finished_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> float:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 256.00 MiB.")

    monkeypatch.setattr(devices, "peak_beside", full)
    ended = fit()[-1]
    assert ended.status == Status.FINISHED
    assert ended.timing.gflops
    assert ended.timing.peak_gflops is ended.timing.matmul_peak_gflops is None
    assert ended.timing.peak_operation is ended.timing.matmul_peak_arithmetic is None
    assert "Tried to allocate" in caplog.text


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_the_fast_engine_on_the_cpu_asks_no_accelerator(
    optimizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question about its stream opens a context on a card, which holds hundreds of MB of it."""

    def asked(*_: object, **__: object) -> None:
        raise AssertionError("the accelerator was asked")

    for question in ("current_accelerator", "current_stream", "is_available"):
        monkeypatch.setattr(torch.accelerator, question, asked)
    ended = fit(change(TINY, engine="fast", optimizer=optimizer, device="cpu"))[-1]
    assert ended.status == Status.FINISHED


NOTHING_LEAVES_THE_CPU = """
    import keras, time
    from cnnlab.spec import PRESETS, ExperimentSpec, RnnModel, change
    from cnnlab.training import first_steps, train

    try:
        keras.ops.ones(1)
    except AssertionError as error:
        print(error)
    first_steps()
    tiny, lstm = PRESETS["tiny"].spec, RnnModel(cell="lstm", recurrent=(4,)).model_dump()
    dense = PRESETS["dense"].spec.model.model_dump()
    for model in (tiny.model.model_dump(), dense, lstm):
        for engine in ("stock", "fast"):
            spec = change(tiny, model=model, engine=engine, train_limit=100, epochs=1, device="cpu")
            print(train(spec, lambda event: None, bool, launched_at=time.monotonic()).status)
"""


@pytest.mark.skipif(torch.version.cuda is not None, reason="a torch without CUDA refuses it")
def test_a_run_on_the_cpu_puts_nothing_on_the_device_that_keras_prefers() -> None:
    """Keras takes `cuda` for its default; a torch without CUDA fails at the first tensor there."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(NOTHING_LEAVES_THE_CPU)],
        env=os.environ | {"KERAS_BACKEND": "torch", "KERAS_TORCH_DEVICE": "cuda"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    refused, *ends = done.stdout.splitlines()
    assert refused == "Torch not compiled with CUDA enabled"
    assert ends == ["finished"] * 6


WARM, TIMED = 20, 200


class BesideAClock(LabCallback):
    """The lab's callback, and a clock that waits for the device at both ends of the timed steps.

    The first steps are left out, as they are of every median.
    """

    def wait(self) -> float:
        if self.device != "cpu":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
        if batch == WARM:
            self.wall_began = self.wait()
        super().on_train_batch_begin(batch, logs)

    def on_test_begin(self, logs: object = None) -> None:
        self.wall_ms = (self.wait() - self.wall_began) * 1e3
        super().on_test_begin(logs)


@pytest.mark.parametrize("engine", ["stock", "fast"])
@pytest.mark.parametrize(
    ("device", "preset"),
    [("cpu", "tiny"), pytest.param("cuda:0", "article", marks=pytest.mark.gpu)],
)
def test_the_times_of_steps_add_up_to_a_synchronised_wall_clock(
    device: str, preset: str, engine: str
) -> None:
    chance = np.random.default_rng(0)
    steps = WARM + TIMED
    count = 32 * steps + 64
    images = chance.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    data = Pictures(images, chance.integers(0, 100, count).astype(np.int32), 100)
    spec = change(PRESETS[preset].spec, engine=engine, validation_split=64 / count)
    callback = BesideAClock(spec, device, lambda event: None, lambda: False)
    with on(device):
        job, _ = build(spec, data)
        job.model.fit(**job.fit, epochs=1, callbacks=job.callbacks(callback))
    assert len(callback.step_ms) == steps
    assert sum(callback.step_ms[WARM:]) == pytest.approx(callback.wall_ms, rel=0.02)
