"""What a step leaves out, and what may not change by it."""

import keras
import numpy as np
import pytest
import torch

from bench.equality import StepLosses, run
from cnnlab.devices import compiler
from cnnlab.engines import ENGINES, Pictures, Start, Watcher, initial_weights
from cnnlab.engines.kernels import Autograd, relu_after_pooling
from cnnlab.engines.recurrent import OnednnLstm
from cnnlab.engines.unrolled import CpuGru, CpuLstm, CpuSimple
from cnnlab.spec import PRESETS, DenseModel, ExperimentSpec, RnnModel, change
from cnnlab.training.run import on

DENSE = ExperimentSpec(model=DenseModel(dense=(24,)), batch_size=8)
OF_LSTM = CpuLstm if compiler() else OnednnLstm if OnednnLstm.ONEDNN else Autograd
PRESET_NETWORKS = {
    "tiny": PRESETS["tiny"].spec,
    "dense": PRESETS["dense"].spec,
    "lstm": PRESETS["lstm"].spec,
    "gru": PRESETS["gru"].spec,
    "simple": change(PRESETS["gru"].spec, model=RnnModel(cell="simple", recurrent=(48,))),
}


def digits(count=100, shape=(8, 8, 1)):
    """Noise around a pattern for each class: on what cannot be learnt, training is chaos, and parts
    any two engines by what they round differently.
    """
    random = np.random.default_rng(0)
    labels = random.integers(0, 5, count).astype(np.int32)
    patterns = random.integers(0, 256, (5, *shape))
    images = patterns[labels] + random.normal(0, 60, (count, *shape))
    return Pictures(np.clip(images, 0, 255).astype(np.uint8), labels, 5)


def job_of(spec, data=None):
    data = data or digits()
    with on("cpu"):
        weights = initial_weights(spec, data.images.shape[1:], data.classes)
        return ENGINES[spec.engine](spec, data, Start(weights))


def fit(job, callback, epochs=1):
    with on("cpu"):
        return job.model.fit(**job.fit, epochs=epochs, callbacks=job.callbacks(callback))


@pytest.mark.parametrize("name", PRESET_NETWORKS)
def test_200_steps_of_a_preset_have_the_losses_of_stock(name):
    """Networks as they are trained, on fewer pictures of fewer rows: the figures are the same."""
    shape = (20, 3, 1) if PRESET_NETWORKS[name].model.family == "rnn" else (16, 16, 1)
    spec = change(PRESET_NETWORKS[name], batch_size=16, epochs=1, learning_rate=0.001)
    data = digits(3800, shape)
    stock, fast = (run(change(spec, engine=engine), data) for engine in ("stock", "fast"))
    assert len(stock.losses) >= 200
    # Convolutions magnify what is rounded otherwise: losses of a hundredth are held to 1e-4 itself.
    least = 1e-4 if name == "tiny" else 1e-6
    np.testing.assert_allclose(fast.losses, stock.losses, rtol=1e-4, atol=least)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_relu_after_pooling_instead_of_before_changes_no_digit(batch_norm, monkeypatch):
    network = PRESETS["tiny"].spec.model.model_copy(update={"batch_norm": batch_norm})
    spec, losses = change(DENSE, model=network), []
    for way in (relu_after_pooling, lambda kernels: None):
        monkeypatch.setattr("cnnlab.engines.chain.relu_after_pooling", way)
        job, steps = job_of(spec, digits(100, (16, 16, 3))), StepLosses(spec)
        taken = [k.activation.relu for k in job.model._stepper.chain.kernels if hasattr(k, "size")]
        assert taken == [way is relu_after_pooling] * 2
        fit(job, steps)
        losses.append(steps.losses)
    assert len(losses[0]) > 9
    assert losses[0] == losses[1]


class Diary(Watcher):
    def __init__(self):
        super().__init__()
        self.told = []

    def on_epoch_begin(self, epoch, logs=None):
        self.told.append("epoch")

    def on_train_batch_begin(self, batch, logs=None):
        self.told.append(batch)

    def on_step_taken(self):
        self.told.append("taken")

    def on_test_begin(self, logs=None):
        self.told.append("test")


def test_keras_is_called_once_an_epoch_and_the_callback_is_told_of_every_step(monkeypatch):
    job, diary, calls = job_of(DENSE), Diary(), []
    step = job.model.train_step
    monkeypatch.setattr(job.model, "train_step", lambda data: (calls.append(1), step(data))[1])
    fit(job, diary, epochs=2)
    steps = [told for batch in range(11) for told in (batch, "taken")]
    assert diary.told == ["epoch", *steps, "test"] * 2
    assert len(calls) == 2


def test_a_callback_of_keras_ends_the_training_between_two_steps():
    class Enough(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.steps = batch
            self.model.stop_training = batch == 3

    enough = Enough()
    fit(job_of(DENSE), enough, epochs=5)
    assert enough.steps == 3


def test_no_step_of_the_lab_goes_through_autograd(monkeypatch):
    """But for what it has no kernel for: cropping, or an LSTM where torch has no oneDNN."""

    def asked(*_, **__):
        raise AssertionError("autograd was asked")

    monkeypatch.setattr(torch.autograd, "grad", asked)
    monkeypatch.setattr(torch.Tensor, "backward", asked)
    cells = ("gru", "simple", "lstm") if OF_LSTM is not Autograd else ("gru", "simple")
    recurrent = [RnnModel(cell=cell, recurrent=(4,)) for cell in cells]
    for model in (PRESETS["tiny"].spec.model, DENSE.model, *recurrent):
        fit(job_of(change(DENSE, model=model), digits(40, (16, 16, 3))), StepLosses(DENSE))


@pytest.mark.parametrize(
    ("cell", "kernel"),
    [
        ("gru", CpuGru),
        ("simple", CpuSimple),
        pytest.param(
            "lstm", OF_LSTM, marks=pytest.mark.skipif(OF_LSTM is Autograd, reason="no oneDNN here")
        ),
    ],
)
def test_half_precision_leaves_a_recurrent_layer_to_torch(cell, kernel):
    kinds = {}
    for precision in ("float32", "mixed_bfloat16"):
        spec = change(DENSE, model=RnnModel(cell=cell, recurrent=(4,)), precision=precision)
        kinds[precision] = {type(each) for each in job_of(spec).model._stepper.chain.kernels}
    assert kernel in kinds["float32"]
    assert Autograd in kinds["mixed_bfloat16"]
    assert kernel not in kinds["mixed_bfloat16"]


def test_a_mixed_precision_goes_through_the_same_kernels_on_halves_cast_once_a_step():
    spec = change(DENSE, model=DenseModel(dense=(24, 16)), precision="mixed_bfloat16")
    chain = job_of(spec).model._stepper.chain
    assert not any(isinstance(kernel, Autograd) for kernel in chain.kernels)
    dtypes = [weight.dtype for kernel in chain.kernels for weight in kernel.weights]
    assert dtypes == [torch.bfloat16] * 4 + [torch.float32] * 2
    assert {parameter.dtype for parameter in chain.parameters} == {torch.float32}


def test_weights_and_state_of_a_convolution_lie_as_its_kernel_reads_them():
    job = job_of(change(DENSE, model=PRESETS["tiny"].spec.model), digits(40, (16, 16, 3)))
    fit(job, StepLosses(DENSE))
    layer = job.model.layers[1]
    for tensor in (layer.kernel.value, *(v.value for v in job.model.optimizer.variables[2:4])):
        filters_first = tensor.permute(3, 2, 0, 1)
        assert filters_first.is_contiguous(memory_format=torch.channels_last)
    assert layer.kernel.shape == (5, 5, 3, 16)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
def test_a_step_whose_gradients_are_not_finite_moves_nothing_in_float16(optimizer):
    spec = change(DENSE, precision="mixed_float16", optimizer=optimizer)
    model = job_of(spec).model
    update = model._stepper.update
    before = [w.copy() for w in model.get_weights()], float(update.scale)
    broken = [torch.full_like(parameter, torch.inf) for parameter in update.parameters]
    with torch.no_grad():
        update.move(broken)
        for now, then in zip(model.get_weights(), before[0], strict=True):
            np.testing.assert_array_equal(now, then)
        assert float(update.scale) == before[1] / 2
        update.move([torch.ones_like(parameter) for parameter in update.parameters])
    model.count_steps()
    assert int(model.optimizer.iterations.numpy()) == 1
    assert int(model.optimizer.step_counter.numpy()) == 1
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert (model.get_weights()[0] != before[0][0]).any()


WITH_COMPILER = pytest.mark.skipif(compiler() is None, reason="torch.compile needs a C++ compiler")


@WITH_COMPILER
def test_compiled_steps_have_the_same_losses_and_are_compiled_once():
    """An epoch's last batch is a partial one, and each epoch is validated: neither is compiled."""
    losses = {}
    for compiled in (False, True):
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        job, graphs = job_of(change(DENSE, compile=compiled, seed=1)), []
        steps = StepLosses(DENSE)
        for _ in range(2):
            fit(job, steps)
            graphs.append(torch._dynamo.utils.counters["stats"]["unique_graphs"])
        losses[compiled] = steps.losses
        assert graphs == ([1, 1] if compiled else [0, 0])
    np.testing.assert_allclose(losses[True], losses[False], rtol=1e-4)


@WITH_COMPILER
def test_an_activation_without_a_kernel_of_its_own_trains_compiled():
    network = DenseModel(dense=(6,), activation="elu")
    losses = []
    for compiled in (False, True):
        torch._dynamo.reset()
        spec = change(DENSE, model=network, compile=compiled)
        steps = StepLosses(spec)
        fit(job_of(spec, digits(20)), steps)
        losses.append(steps.losses)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
