"""What a race rests on: lanes of one network learn alike."""

from __future__ import annotations

import numpy as np
import pytest

from bench.equality import HALF_A_BIT, run
from cnnlab import datasets
from cnnlab.engines import Pictures
from cnnlab.spec import ExperimentSpec, change
from tests.example_runs import TINY

# Fifty batches of the preset `tiny` in whole float32, and without the kink of its relu: beyond that
# two lanes may part by 1e-3, as one does from itself once its first weights are moved by 1e-5.
ALIKE = change(
    TINY,
    train_limit=1900,
    epochs=1,
    tf32="off",
    model=TINY.model.model_copy(update={"activation": "elu"}).model_dump(),
)


def losses_of(spec: ExperimentSpec, moved: float = 0.0) -> list[float]:
    """The loss of each batch alone, with the weights and the batches of a run of the spec."""
    found = datasets.load(spec.dataset, spec.train_limit, validation_split=spec.validation_split)
    data = Pictures(found.images, found.labels, len(found.class_names))
    return run(spec, data, spec.device, moved).losses


def test_the_lanes_first_losses_are_not_decided_by_what_is_rounded() -> None:
    """What a race's lanes may differ in, on the CPU alone: half of the last bit of each weight."""
    moved = losses_of(change(ALIKE, device="cpu"), HALF_A_BIT)
    plain = losses_of(change(ALIKE, device="cpu"))
    assert moved != plain
    np.testing.assert_allclose(moved, plain, rtol=1e-4)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda:0", marks=pytest.mark.gpu)])
def test_both_lanes_learn_alike_over_their_first_steps(device: str) -> None:
    """On a machine without a card the CPU races itself, which shows that the batches are one's."""
    first, second = (losses_of(change(ALIKE, device=lane)) for lane in ("cpu", device))
    assert len(first) == 50
    np.testing.assert_allclose(second, first, rtol=1e-4)
