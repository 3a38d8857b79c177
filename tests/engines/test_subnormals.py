"""Subnormal numbers, which `fast` takes as nought on every thread and `stock` as they are."""

import sys

import keras
import numpy as np
import pytest
import torch

from cnnlab.engines.subnormals import flush_subnormals, share_of_subnormals
from cnnlab.spec import DenseModel, ExperimentSpec, change
from tests.engines.test_floor import digits, fit, job_of

BITS = 0x116C2
"""Of 1e-40: written as a number it would be flushed on the way."""
SPEC = ExperimentSpec(model=DenseModel(dense=(256,)), batch_size=8)
FLUSHES = pytest.mark.skipif(not torch.set_flush_denormal(False), reason="it always keeps them")


def left(numbers):
    """How many are no nought, by their bits."""
    return int((numbers.view(torch.int32) != 0).sum())


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    if request.param > 1 and sys.platform != "linux":
        pytest.skip("torch's other threads are reached on Linux alone")
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    flush_subnormals(False)  # other tests' runs may have left it on in some of the threads
    yield request.param
    flush_subnormals(False)
    torch.set_num_threads(before)


@FLUSHES
def test_all_threads_flush_them_or_none_does(threads):
    # So many that all threads have a part in them.
    numbers = torch.full((1 << 20,), BITS, dtype=torch.int32).view(torch.float32)
    assert left(numbers * 1.0) == len(numbers)  # the threads are there already
    assert flush_subnormals(True)
    assert left(numbers * 1.0) == 0
    assert flush_subnormals(False)
    assert left(numbers * 1.0) == len(numbers)


def test_those_of_an_optimizer_are_counted():
    numbers = np.array([0.0, 1.0, -1e-40, 1e-45, 1.2e-38, np.nan, -np.inf, 5.0], np.float32)
    kept = [keras.Variable(numbers), keras.Variable(7, dtype="int32", trainable=False)]
    assert share_of_subnormals(kept) == 2 / 8
    assert share_of_subnormals([]) == 0


@FLUSHES
@pytest.mark.parametrize("engine", ["stock", "fast"])
def test_averages_of_a_weight_without_gradient_end_as_nought_in_fast_alone(engine, threads):
    pictures = digits(40, (32, 32, 1))
    pictures.images[:, :16] = 0  # half of the weights have no gradient
    job = job_of(change(SPEC, engine=engine), pictures)
    optimizer = job.model.optimizer
    if not optimizer.built:
        optimizer.build(job.model.trainable_variables)
    momentum = next(v for v in optimizer.variables if v.shape == (1024, 256))
    momentum.value.detach().view(torch.int32).fill_(BITS)
    fit(job, keras.callbacks.Callback())
    dead = momentum.value.detach()[: 16 * 32]
    assert left(dead) == (0 if engine == "fast" else dead.numel())
