"""A step put together from an engine's parts is the step that the engine takes."""

import keras
import numpy as np
import pytest
import torch

from cnnlab.engines import ENGINES, LOSS, OPTIMIZER, Pictures, Start, initial_weights
from cnnlab.spec import PRESETS, change

NETWORKS = {
    "tiny": (PRESETS["tiny"].spec, (32, 32, 3)),
    "dense": (PRESETS["dense"].spec, (28, 28, 1)),
    "lstm": (PRESETS["lstm"].spec, (24, 3, 1)),
}
CHOICES = (
    {"engine": "stock"},
    {"engine": "fast"},
    {"engine": "fast", "optimizer": "rmsprop"},
    {"engine": "fast", "precision": "mixed_bfloat16"},
    {"engine": "fast", "precision": "mixed_float16"},
    {"engine": "stock", "precision": "mixed_float16"},
)


def job_of(spec, shape):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (40, *shape)).astype(np.uint8)
    pictures = Pictures(images, random.integers(0, 10, 40).astype(np.int32), 10)
    with keras.device("cpu"):
        weights = initial_weights(spec, shape, 10)
        return ENGINES[spec.engine](spec, pictures, Start(weights))


def take_step(parts, x, y):
    parts.clear()
    for _, call in parts.layers:
        x = call(x)
    parts.loss(x, y).backward()
    parts.update()


@pytest.mark.parametrize("fields", CHOICES, ids=lambda fields: "-".join(fields.values()))
@pytest.mark.parametrize("name", NETWORKS)
def test_the_parts_of_a_step_move_the_weights_as_the_whole_step_does(name, fields):
    spec, shape = NETWORKS[name]
    spec = change(spec, batch_size=8, **fields)
    with keras.device("cpu"):
        whole, apart = job_of(spec, shape), job_of(spec, shape)
        batches = list(apart.parts().batches())[:3]
        for x, y in batches:
            whole.model.train_step((x, y))
            take_step(apart.parts(), x, y)
    for mine, its in zip(apart.model.weights, whole.model.weights, strict=True):
        np.testing.assert_allclose(mine.numpy(), its.numpy(), rtol=1e-4, atol=1e-5)
    assert len(apart.parts().layers) == len(apart.model.layers) - 1


@pytest.mark.parametrize("engine", ["stock", "fast"])
def test_the_batches_of_the_parts_cover_the_training_pictures_once(engine):
    spec, shape = NETWORKS["dense"]
    spec = change(spec, batch_size=8, engine=engine, validation_split=0.25)
    batches = list(job_of(spec, shape).parts().batches())
    assert [len(labels) for _, labels in batches] == [8, 8, 8, 6]
    assert all(x.dtype == torch.float32 and float(x.max()) <= 1 for x, _ in batches)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_engines_own_marked_step_is_its_step_and_marks_every_layer(name):
    spec, shape = NETWORKS[name]
    spec = change(spec, batch_size=8)
    marks = []
    with keras.device("cpu"):
        whole, apart = job_of(spec, shape), job_of(spec, shape)
        parts = apart.parts()
        before = [weight.numpy().copy() for weight in apart.model.weights]
        for x, y in list(parts.batches())[:3]:
            parts.own(x, y, lambda part: None, False)
        for old, new in zip(before, apart.model.weights, strict=True):
            np.testing.assert_array_equal(old, new.numpy())
        for x, y in list(parts.batches())[:3]:
            whole.model.train_step((x, y))
            marks.clear()
            parts.own(x, y, marks.append, True)
    for mine, its in zip(apart.model.weights, whole.model.weights, strict=True):
        np.testing.assert_allclose(mine.numpy(), its.numpy(), rtol=1e-5, atol=1e-6)
    count = len(parts.layers)
    assert marks[:count] == [("forward", number) for number in range(count)]
    assert marks[count] == LOSS
    assert marks[-2:] == [LOSS, OPTIMIZER]
    backward = [number for way, number in marks if way == "backward"]
    assert backward == list(reversed(range(count)))[: len(backward)]
