"""No preset, on either engine, is said to do more than its device can."""

from __future__ import annotations

import time

import pytest

from cnnlab import models
from cnnlab.spec import PRESETS, RunStarted, change
from cnnlab.training import train


@pytest.mark.parametrize("engine", ["fast", "stock"])
@pytest.mark.parametrize("preset", PRESETS)
def test_a_step_stays_under_its_peak(preset, engine):
    spec = PRESETS[preset].spec
    dataset = "waves" if spec.model.family == "rnn" else "shapes"
    where = {"device": "cpu", "engine": engine, "dataset": dataset}
    spec = change(spec, epochs=1, batch_size=8, train_limit=64, **where)
    events = []
    ended = train(spec, events.append, lambda: False, launched_at=time.monotonic())
    (started,) = (event for event in events if isinstance(event, RunStarted))
    layers = models.layer_table(spec.model, started.dataset.image_shape, started.dataset.classes)
    assert started.model.training_flops_per_image == models.training_flops_per_image(layers)
    assert 0 < ended.timing.gflops <= ended.timing.peak_gflops
    assert ended.timing.matmul_peak_arithmetic == "float32"
