"""The published figures: complete, consistent with each other, and nothing made up."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from cnnlab import words
from cnnlab.models import layer_table, parameters
from cnnlab.published import REFERENCES
from cnnlab.spec import PRESETS


@pytest.mark.parametrize("reference", REFERENCES.values(), ids=REFERENCES)
def test_the_figures_of_a_run_fit_each_other(reference):
    low, high = reference.epoch_seconds
    assert low * reference.epochs <= reference.fit_seconds * 1.01
    assert reference.fit_seconds <= (high + 1) * reference.epochs  # given in whole seconds
    steps = 1329
    assert low * 0.9 <= reference.step_ms[0] * steps / 1e3 <= high
    assert all(1 <= point.epoch <= reference.epochs for point in reference.points)
    assert reference.points[-1].epoch == reference.epochs


def test_the_gpu_is_published_as_fifteen_times_as_fast():
    gpu, cpu = REFERENCES["article-gpu-20"], REFERENCES["article-cpu-20"]
    assert cpu.fit_seconds / gpu.fit_seconds == pytest.approx(15, rel=0.02)
    assert words.duration(gpu.fit_seconds) == "7 min 35 s"
    assert words.duration(cpu.fit_seconds) == "1 h 54 min 22 s"
    assert (gpu.kind, cpu.kind) == ("accelerator", "cpu")


def test_what_was_not_published_is_null():
    first = REFERENCES["article-gpu-20"].points[0]
    assert (first.epoch, first.loss, first.val_loss) == (1, None, None)
    assert [point.epoch for point in REFERENCES["article-gpu-50"].points] == [50]


def test_a_reference_cannot_be_changed():
    with pytest.raises(ValidationError):
        REFERENCES["article-gpu-20"].fit_seconds = 1.0


def test_the_preset_is_the_network_that_was_published():
    layers = layer_table(PRESETS["article"].spec.model, (32, 32, 3), 100)
    assert parameters(layers) == 975_692
