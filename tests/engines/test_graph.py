"""A step that is recorded once and replayed trains as one whose every call is made anew."""

import sys

import numpy as np
import pytest
import torch

from bench.equality import StepLosses
from cnnlab.engines import ENGINES, Start, initial_weights
from cnnlab.spec import PRESETS, change
from cnnlab.training.run import on
from tests.engines.test_floor import DENSE, digits, fit, job_of

FAST = sys.modules["cnnlab.engines.fast"]  # the package has a function of that name
SPECS = {
    "float32": change(DENSE, seed=3),
    "bfloat16": change(DENSE, seed=3, precision="mixed_bfloat16"),
    "float16": change(DENSE, seed=3, precision="mixed_float16"),
    "dropout": change(DENSE, seed=3, model={"family": "dense", "dense": [24], "dropout": 0.5}),
    "tiny": change(PRESETS["tiny"].spec, batch_size=8, seed=3),
    "sgd": change(DENSE, seed=3, optimizer="sgd"),
    "rmsprop": change(DENSE, seed=3, optimizer="rmsprop"),
}
BROKEN = {
    "refuses": ("operation not permitted when stream is capturing", "not permitted"),
    "does nothing": ("", "a replayed step parts from the step itself"),
}


def made_anew(work):
    """A recorder for a device that has none: its replay does the work again."""
    return work


def steps_counted(model):
    model.count_steps()
    counts = [v for v in model.optimizer.variables if v.path.endswith("iteration")]
    return [int(count.numpy()) for count in counts]


def losses_of(job, spec):
    steps = StepLosses(spec)
    fit(job, steps, epochs=2)
    return steps.losses


@pytest.mark.parametrize("name", SPECS)
def test_replayed_steps_have_the_losses_of_the_steps_themselves(name, monkeypatch):
    """Partial batches come in between, and each epoch is validated."""
    spec = SPECS[name]
    data = digits(100, (16, 16, 3)) if name == "tiny" else digits()
    plain = job_of(spec, data)
    torch.manual_seed(9)
    expected = losses_of(plain, spec)
    monkeypatch.setattr(FAST, "recorder_for", lambda device: made_anew)
    replayed = job_of(spec, data)
    assert replayed.model.recording == {"steps_recorded": True, "steps_not_recorded_because": None}
    torch.manual_seed(9)
    np.testing.assert_allclose(losses_of(replayed, spec), expected, rtol=2e-5)
    counts = [steps_counted(job.model) for job in (plain, replayed)]
    assert counts[0] == counts[1]
    assert max(counts[0]) == 2 * 11


def test_recording_leaves_weights_state_and_chance_as_they_were(monkeypatch):
    monkeypatch.setattr(FAST, "recorder_for", lambda device: made_anew)
    spec, data = SPECS["dropout"], digits()
    weights = initial_weights(spec, data.images.shape[1:], data.classes)
    torch.manual_seed(5)
    drawn = torch.rand(3)
    torch.manual_seed(5)
    with on("cpu"):
        job = ENGINES["fast"](spec, data, Start(weights))
    assert torch.equal(torch.rand(3), drawn)
    for ours, theirs in zip(job.model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not any(np.any(variable.numpy()) for variable in job.model.optimizer.variables[2:])
    assert job.model.get_metrics_result()["loss"] == 0.0


@pytest.mark.parametrize("how", BROKEN)
def test_a_step_that_cannot_be_recorded_is_taken_as_it_is_and_says_why(how, monkeypatch):
    message, said = BROKEN[how]

    def recorder(work):
        if message:
            raise RuntimeError(message)
        return lambda: None

    expected = losses_of(job_of(SPECS["float32"]), SPECS["float32"])
    monkeypatch.setattr(FAST, "recorder_for", lambda device: recorder)
    job = job_of(SPECS["float32"])
    assert job.model.recording["steps_recorded"] is False
    assert said in job.model.recording["steps_not_recorded_because"]
    np.testing.assert_allclose(losses_of(job, SPECS["float32"]), expected, rtol=1e-5)


def test_fewer_pictures_than_a_batch_are_not_recorded(monkeypatch):
    monkeypatch.setattr(FAST, "recorder_for", lambda device: made_anew)
    spec = change(DENSE, batch_size=512)
    job = job_of(spec)
    assert job.model.recording["steps_not_recorded_because"] == "no batch is whole"
    assert np.isfinite(losses_of(job, spec)).all()


# --- on a card ------------------------------------------------------------------------------


def on_card(spec, data, **changes):
    with on("cuda:0"):
        weights = initial_weights(spec, data.images.shape[1:], data.classes)
        return ENGINES["fast"](change(spec, **changes), data, Start(weights))


def train_on_card(job, spec, epochs=2):
    steps = StepLosses(spec)
    with on("cuda:0"):
        job.model.fit(**job.fit, epochs=epochs, callbacks=job.callbacks(steps))
    return steps.losses


@pytest.mark.gpu
@pytest.mark.parametrize("name", SPECS)
def test_a_cuda_graph_trains_as_its_calls_do(name, monkeypatch):
    spec = SPECS[name]
    data = digits(100, (16, 16, 3)) if name == "tiny" else digits()
    graphed = on_card(spec, data)
    assert graphed.model.recording["steps_recorded"], graphed.model.recording
    found = train_on_card(graphed, spec)
    monkeypatch.setattr(FAST, "recorder_for", lambda device: None)
    expected = train_on_card(on_card(spec, data), spec)
    rtol = 1e-4 if spec.precision == "float32" else 2e-2
    np.testing.assert_allclose(found, expected, rtol=rtol)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["float32", "tiny"])
def test_a_replayed_step_is_two_launches_and_waits_for_nothing(name):
    spec = SPECS[name]
    data = digits(100, (16, 16, 3)) if name == "tiny" else digits()
    model = on_card(spec, data).model
    stepper, index = model._stepper, torch.arange(spec.batch_size, device="cuda:0")
    stepper.replayed(index)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            for _ in range(10):
                stepper.replayed(index)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    calls = {event.key: event.count for event in profile.key_averages()}
    assert calls.get("cudaGraphLaunch", 0) == 10
    assert calls.get("cudaLaunchKernel", 0) == 0
