"""FLOPs are those that torch counts, forward and backward, of every layer and every preset."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cnnlab import models
from cnnlab.engines import ENGINES, Pictures, Start, initial_weights
from cnnlab.models import Shape
from cnnlab.spec import (
    PRESETS,
    Block,
    CnnModel,
    Conv,
    DenseModel,
    ExperimentSpec,
    RnnModel,
    change,
)

BATCH = 3
CIFAR100, MNIST, WAVES = ((32, 32, 3), 100), ((28, 28, 1), 10), ((128, 3, 1), 6)
CNN = CnnModel(blocks=(Block(convs=(Conv(filters=4, kernel=5), Conv(filters=6)), pool=2),))

KINDS = {
    "convolution, valid": (CNN, (12, 12, 3)),
    "convolution, same": (CNN.model_copy(update={"padding": "same"}), (12, 11, 3)),
    "batch norm": (CNN.model_copy(update={"batch_norm": True}), (12, 12, 3)),
    "flatten head": (CNN.model_copy(update={"head": "flatten"}), (12, 12, 3)),
    "no hidden layer": (DenseModel(dense=()), (7, 5, 1)),
    "dense": (DenseModel(dense=(9, 8), batch_norm=True, dropout=0.5), (7, 5, 1)),
    "SimpleRNN": (RnnModel(cell="simple", recurrent=(5,)), (6, 3, 1)),
    "LSTM": (RnnModel(cell="lstm", recurrent=(5,), dense=(4,)), (6, 3, 1)),
    "GRU": (RnnModel(cell="gru", recurrent=(5,)), (6, 3, 1)),
    "stacked, cropped": (RnnModel(cell="lstm", recurrent=(5, 4), sequence_length=4), (6, 3, 1)),
}

KERAS_WALKS_AGAIN = {"SimpleRNN": 2 * 5 * (3 + 5)}
"""Operations of one step, which Keras's own loop takes twice, to learn the shape of an output."""


def counted(spec: ExperimentSpec, shape: Shape, classes: int) -> tuple[int, int]:
    """What torch counts in the Keras model: forward for one picture, forward and backward."""
    model = models.build_model(spec, shape, classes)
    with FlopCounterMode(display=False) as counter:
        outputs = model(torch.rand(BATCH, *shape), training=True)
        forward = counter.get_total_flops()
        outputs.sum().backward()
    return forward // BATCH, counter.get_total_flops() // BATCH


def said(spec: ExperimentSpec, shape: Shape, classes: int) -> tuple[int, int]:
    layers = models.layer_table(spec.model, shape, classes)
    return models.flops_per_image(layers), models.training_flops_per_image(layers)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_layer(kind):
    network, shape = KINDS[kind]
    spec = ExperimentSpec(model=network, device="cpu")
    forward, training = counted(spec, shape, 5)
    again = KERAS_WALKS_AGAIN.get(kind, 0)
    assert said(spec, shape, 5) == (forward - again, training - again)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset(preset):
    spec = PRESETS[preset].spec
    shape, classes = {"cnn": CIFAR100, "dense": MNIST, "rnn": WAVES}[spec.model.family]
    assert said(spec, shape, classes) == counted(spec, shape, classes)


@pytest.mark.parametrize("preset", ["tiny", "dense"])
def test_a_step_of_the_fast_engine_does_no_more(preset):
    spec = change(PRESETS[preset].spec, batch_size=BATCH, device="cpu")
    shape, classes = MNIST if preset == "dense" else CIFAR100
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (10, *shape), dtype=np.uint8)
    data = Pictures(images, random.integers(0, classes, 10).astype(np.int32), classes)
    job = ENGINES["fast"](spec, data, Start(initial_weights(spec, shape, classes)))
    (batches,) = job.fit["x"]
    x, y = next(iter(batches))
    with FlopCounterMode(display=False) as counter:
        job.model.train_step((x, y))
    assert counter.get_total_flops() == BATCH * said(spec, shape, classes)[1]


def test_the_first_layer_that_learns_hands_no_gradient_on():
    layers = models.layer_table(PRESETS["dense"].spec.model, *MNIST)
    first, second = (layer for layer in layers if layer.kind == "Dense" and layer.flops > 10_000)
    assert first.backward_flops == first.flops
    assert second.backward_flops == 2 * second.flops
