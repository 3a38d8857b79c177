"""Throughput counts pictures that were really trained on: a partial batch as what it is."""

from __future__ import annotations

import time

import numpy as np
import pytest

from cnnlab.analysis import Series, throughput
from cnnlab.analysis.series import images_of
from cnnlab.spec import PRESETS, DatasetFacts, RunEnded, Window, change
from cnnlab.training import train

# 850 of 1,000 pictures train, in two steps: one of 512 and one of 338.
HALF_FULL = change(PRESETS["tiny"].spec, train_limit=1000, batch_size=512, epochs=6, device="cpu")
FACTS = DatasetFacts(
    name="shapes", train_images=850, validation_images=150, classes=8, image_shape=(32, 32, 3)
)


def test_the_last_step_of_every_epoch_holds_what_is_left():
    assert [FACTS.images_in_step(step, 512) for step in (1, 2, 3, 4)] == [512, 338, 512, 338]
    assert FACTS.images_in_step(np.array([1, 2]), 512).tolist() == [512, 338]
    assert FACTS.images_in_step(1, 1000) == 850
    whole = FACTS.model_copy(update={"train_images": 1024})
    assert [whole.images_in_step(step, 512) for step in (1, 2, 3)] == [512, 512, 512]


def test_a_run_reports_the_pictures_that_its_steps_trained_on():
    events = []
    ended = train(HALF_FULL, events.append, lambda: False, launched_at=time.monotonic())
    assert isinstance(ended, RunEnded)
    ms = [ms for event in events if isinstance(event, Window) for ms in event.step_ms]
    assert len(ms) == 12
    images = [512, 338] * 6
    expected = sum(images[5:]) * 1e3 / sum(ms[5:])  # without the warm-up, five steps
    assert ended.timing.images_per_second == pytest.approx(expected)


def series(count: int, ms: float) -> Series:
    step = np.arange(1.0, count + 1)
    gaps = np.full(count, np.nan)
    return Series(step, np.ceil(step / 2), step * ms / 1e3, np.full(count, ms), gaps, gaps)


def test_the_chart_of_the_rate_counts_them_too():
    steps = series(16, ms=100.0)
    frame = throughput(steps, images_of(steps, FACTS, 512))
    assert frame["images_per_second"].to_numpy() == pytest.approx(4250)  # not 5,120


def test_of_a_run_whose_data_are_not_known_every_batch_is_taken_as_full():
    steps = series(4, ms=100.0)
    assert images_of(steps, None, 512).tolist() == [512] * 4
