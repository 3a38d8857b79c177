from __future__ import annotations

from collections.abc import Callable, Iterator

import keras
import numpy as np
import pytest
import torch

from bench.equality import StepLosses, run
from cnnlab.devices import use_tf32
from cnnlab.engines import (
    DEFAULT_THREADS,
    ENGINES,
    Batches,
    Pictures,
    Start,
    fingerprint,
    initial_weights,
    loops,
    threads_for,
)
from cnnlab.engines.chain import as_call
from cnnlab.engines.kernels import Autograd, kernel_of
from cnnlab.engines.loops import compiled
from cnnlab.engines.loops.by_torch import ByTorch
from cnnlab.spec import (
    PRESETS,
    Block,
    CnnModel,
    Conv,
    DenseModel,
    ExperimentSpec,
    ModelSpec,
    RnnModel,
    change,
)

CNN = CnnModel(
    blocks=(
        Block(convs=(Conv(filters=8, kernel=5),), pool=2),
        Block(convs=(Conv(filters=12, kernel=3),), pool=0),
    ),
    dense=(16,),
    dropout=0.0,
)


def pictures(count: int = 500, shape: tuple[int, ...] = (16, 16, 3), classes: int = 7) -> Pictures:
    """Noise around one pattern per class: learnable, so that losses move."""
    random = np.random.default_rng(1)
    labels = random.integers(0, classes, count).astype(np.int32)
    patterns = random.integers(0, 256, (classes, *shape))
    noise = random.normal(0, 60, (count, *shape))
    return Pictures(np.clip(patterns[labels] + noise, 0, 255).astype(np.uint8), labels, classes)


def sequences(count: int = 300, steps: int = 20, classes: int = 4) -> Pictures:
    """Waves of a period that names the class, as a read-only view: what a CSV file gives."""
    random = np.random.default_rng(1)
    labels = random.integers(0, classes, count).astype(np.int32)
    phase = random.uniform(0, 6, (count, 1, 3))
    time = np.arange(steps)[None, :, None] / (2 + labels[:, None, None])
    values = (np.sin(time + phase) + random.normal(0, 0.3, (count, steps, 3)))[..., None]
    values = values.astype(np.float32)
    return Pictures(np.broadcast_to(values, values.shape), labels, classes)


def both(
    spec: ExperimentSpec, data: Pictures, device: str = "cpu"
) -> tuple[StepLosses, StepLosses]:
    return tuple(
        run(spec.model_copy(update={"engine": name}), data, device) for name in ("stock", "fast")
    )


@pytest.fixture
def ieee() -> Iterator[None]:
    """Whole float32 on a card too: TF32 rounds to ten bits, further than these tests allow."""
    use_tf32("off")
    yield
    use_tf32("default")


ALIKE = 1e-5
"""How far arrays may be apart, of their length: what one engine does by other kernels."""
ON_BOTH = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda:0", marks=pytest.mark.gpu)])


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(CNN, id="cnn"),
        pytest.param(CNN.model_copy(update={"head": "flatten"}), id="flatten"),
        pytest.param(CNN.model_copy(update={"batch_norm": True}), id="batch_norm"),
        pytest.param(CNN.model_copy(update={"dropout": 0.5}), id="dropout"),
        pytest.param(CNN.model_copy(update={"padding": "same"}), id="same"),
        pytest.param(DenseModel(dense=(24,)), id="dense"),
        pytest.param(RnnModel(cell="lstm", recurrent=(12,)), id="lstm"),
        pytest.param(RnnModel(cell="gru", recurrent=(12, 8)), id="gru"),
        pytest.param(RnnModel(cell="simple", recurrent=(12, 8)), id="simple"),
        pytest.param(RnnModel(cell="gru", recurrent=(9,), sequence_length=5), id="last_steps"),
    ],
)
def test_fast_and_stock_agree_step_by_step(network: ModelSpec) -> None:
    spec = ExperimentSpec(model=network, epochs=2, batch_size=32)
    stock, fast = both(spec, pictures())
    np.testing.assert_allclose(fast.losses, stock.losses, rtol=1e-4)
    np.testing.assert_allclose(fast.epochs, stock.epochs, rtol=1e-3)


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(RnnModel(cell="simple", recurrent=(12,)), id="simple"),
        pytest.param(RnnModel(cell="lstm", recurrent=(12, 8), dense=(6,), dropout=0.3), id="lstm"),
        pytest.param(RnnModel(cell="gru", recurrent=(12,)), id="gru"),
        pytest.param(DenseModel(dense=(24,)), id="dense"),
    ],
)
def test_both_engines_take_sequences_as_they_are(network: ModelSpec) -> None:
    spec = ExperimentSpec(dataset="waves", model=network, epochs=4, learning_rate=0.01)
    stock, fast = both(spec, sequences())
    np.testing.assert_allclose(fast.losses, stock.losses, rtol=1e-4)
    np.testing.assert_allclose(fast.epochs, stock.epochs, rtol=1e-3)
    assert np.mean(fast.losses[-5:]) < np.mean(fast.losses[:5])


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("network", "data"),
    [
        pytest.param(CNN, pictures, id="cnn"),
        pytest.param(CNN.model_copy(update={"batch_norm": True}), pictures, id="batch_norm"),
        pytest.param(CNN.model_copy(update={"dropout": 0.5}), pictures, id="dropout"),
        pytest.param(CNN.model_copy(update={"padding": "same"}), pictures, id="same"),
        pytest.param(DenseModel(dense=(24,)), pictures, id="dense"),
        pytest.param(RnnModel(cell="lstm", recurrent=(12, 8)), sequences, id="lstm"),
        pytest.param(RnnModel(cell="gru", recurrent=(12,)), sequences, id="gru"),
        pytest.param(RnnModel(cell="simple", recurrent=(12,)), sequences, id="simple"),
    ],
)
def test_fast_and_stock_agree_step_by_step_on_a_card(
    network: ModelSpec, data: Callable[[], Pictures]
) -> None:
    """Without the kink of relu, at which what kernels round differently decides a gradient: on one
    engine, first weights moved by 1e-5 part the losses of `cnn` by 2e-3 with relu, by 1e-5 without.
    """
    smooth = network.model_copy(update={"activation": "elu"})
    spec = ExperimentSpec(model=smooth, epochs=2, tf32="off")
    stock, fast = both(spec, data(), "cuda:0")
    np.testing.assert_allclose(fast.losses, stock.losses, rtol=1e-4)
    np.testing.assert_allclose(fast.epochs, stock.epochs, rtol=1e-3)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
def test_every_optimizer_steps_alike_over_200_steps(optimizer: str) -> None:
    """Without the kink of relu, as on a card: some processors' kernels round so that the losses of
    one optimizer part by 1e-3 there.
    """
    smooth = CNN.model_copy(update={"activation": "elu"})
    spec = ExperimentSpec(model=smooth, epochs=8, batch_size=16, optimizer=optimizer)
    stock, fast = both(spec, pictures())
    assert len(stock.losses) >= 200
    np.testing.assert_allclose(fast.losses, stock.losses, rtol=1e-4)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_a_mixed_precision_learns_on_both_engines(precision: str) -> None:
    spec = ExperimentSpec(model=CNN, epochs=3, batch_size=32, precision=precision)
    for result in both(spec, pictures()):
        assert np.isfinite(result.losses).all()
        assert np.mean(result.losses[-5:]) < np.mean(result.losses[:5])


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
@pytest.mark.parametrize("engine", ["stock", "fast"])
def test_small_gradients_do_not_vanish_in_float16(engine: str, optimizer: str) -> None:
    """The hidden layer's are about 1e-9, and the smallest number of float16 is 6e-8."""
    spec = ExperimentSpec(
        model=DenseModel(dense=(24,), dropout=0.0),
        precision="mixed_float16",
        engine=engine,
        optimizer=optimizer,
        learning_rate=10.0 if optimizer == "sgd" else 0.001,
    )
    data = pictures(32)  # one step, for the last layer's weights grow with it
    *hidden, last, bias = initial_weights(spec, data.images.shape[1:], data.classes)
    job = ENGINES[engine](spec, data, Start([*hidden, 1e-7 * last, bias]))
    job.model.fit(**job.fit, epochs=1, callbacks=job.callbacks(StepLosses(spec)))
    moved = job.model.get_weights()[0] != hidden[0]
    assert moved.mean() > 0.5


@ON_BOTH
@pytest.mark.usefixtures("ieee")
def test_the_keras_optimizer_holds_the_state_of_the_fused_one(device: str) -> None:
    spec = ExperimentSpec(model=CNN, epochs=1)
    data = pictures()
    states = []
    for engine in ("stock", "fast"):
        weights = initial_weights(spec, data.images.shape[1:], data.classes)
        with keras.device(device):
            job = ENGINES[engine](spec, data, Start(weights))
            callback = StepLosses(spec)
            job.model.fit(**job.fit, epochs=1, callbacks=job.callbacks(callback))
        states.append([v.numpy() for v in job.model.optimizer.variables if "_momentum" in v.path])
    for stock, fast in zip(*states, strict=True):
        np.testing.assert_allclose(fast, stock, atol=1e-4 * np.abs(stock).max())


def test_initial_weights_depend_on_the_seed_alone() -> None:
    spec = ExperimentSpec(model=CNN)
    same = [fingerprint(initial_weights(spec, (16, 16, 3), 7)) for _ in range(2)]
    other = initial_weights(spec.model_copy(update={"seed": 1}), (16, 16, 3), 7)
    assert same[0] == same[1]
    assert fingerprint(other) != same[0]


def test_batches_hold_every_picture_once_scaled_to_one() -> None:
    data = pictures(70)
    batches = Batches(data, 32, torch.device("cpu"), shuffle=True, channels_first=True)
    seen = list(batches)
    assert [len(y) for _, y in seen] == [32, 32, 6]
    assert len(batches) == 3
    together = torch.cat([x for x, _ in seen]).permute(0, 2, 3, 1).numpy()
    expected = data.images.astype(np.float32) / 255
    assert sorted(map(bytes, together.copy())) == sorted(map(bytes, expected))


def test_an_epoch_is_in_the_order_of_keras_and_no_picture_is_asked_for_alone(monkeypatch):
    batches = Batches(pictures(50), 8, torch.device("cpu"), shuffle=True, channels_first=True)
    torch.manual_seed(3)
    (expected,) = next(iter(torch.utils.data.DataLoader(batches.dataset, 50, shuffle=True)))
    monkeypatch.delattr(torch.utils.data.TensorDataset, "__getitem__")
    torch.manual_seed(3)
    assert torch.equal(batches.order(), expected)


def check_alike(layer: keras.Layer, shape: tuple[int, ...], device: str) -> None:
    """Outputs and gradients of a layer's own call and of the engine's, for five inputs.

    From weights that are not the first ones: biases are not nought. Small ones: where tanh comes
    close to 1, its slope of 1 - tanh² magnifies what kernels round differently. A gradient is held
    against its own length: its smallest numbers are what is left of large ones.
    """
    layer.build((None, *shape))
    random = np.random.default_rng(0)
    layer.set_weights([random.normal(0, 0.2, w.shape) for w in layer.get_weights()])
    x = torch.tensor(random.normal(0, 1, (5, *shape)), dtype=torch.float32, device=device)
    parameters = [variable.value for variable in layer.trainable_variables]
    results = []
    for call in (layer.call, as_call(layer, kernel_of(layer))):
        out = call(x)
        results.append([out, *torch.autograd.grad((out**2).sum(), parameters)])
    for keras_own, ours in zip(*results, strict=True):
        assert ours.shape == keras_own.shape
        assert bool((ours - keras_own).norm() <= ALIKE * keras_own.norm())


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("cell", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("walk", [loops.quickest, ByTorch])
@ON_BOTH
@pytest.mark.usefixtures("ieee")
def test_a_recurrent_layer_does_what_keras_has_it_do(device, walk, cell, whole, monkeypatch):
    monkeypatch.setattr(loops, "quickest", walk)
    with keras.device(device):
        layer = getattr(keras.layers, cell)(7, return_sequences=whole)
        check_alike(layer, (11, 3), device)


@ON_BOTH
@pytest.mark.usefixtures("ieee")
@pytest.mark.parametrize("activation", ["relu", "gelu", None])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("kernel", [1, 2, 5])
def test_one_call_of_torch_does_what_a_convolution_does(device, activation, padding, kernel):
    with keras.device(device):
        settings = {"padding": padding, "activation": activation, "data_format": "channels_first"}
        layer = keras.layers.Conv2D(4, kernel, **settings)
        check_alike(layer, (3, 9, 8), device)


def test_other_layers_go_through_autograd() -> None:
    last = keras.layers.Conv2D(4, 3, data_format="channels_last")
    last.build((None, 9, 9, 3))
    assert isinstance(kernel_of(last), Autograd)
    assert isinstance(kernel_of(keras.layers.Cropping1D(2)), Autograd)


def test_batches_of_sequences_are_not_scaled() -> None:
    data = sequences(40)
    seen = next(iter(Batches(data, 40, torch.device("cpu"), shuffle=False, channels_first=False)))
    np.testing.assert_array_equal(seen[0].numpy(), data.images)


def test_a_model_of_either_engine_exports_ordinary_weights() -> None:
    spec = ExperimentSpec(model=CNN, epochs=1)
    data = pictures(80)
    weights = initial_weights(spec, data.images.shape[1:], data.classes)
    shapes = [
        [w.shape for w in ENGINES[name](spec, data, Start(weights)).model.get_weights()]
        for name in ENGINES
    ]
    assert shapes[0] == shapes[1] == [w.shape for w in weights]


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple"])
def test_runs_of_one_seed_start_alike_whatever_their_threads(cell) -> None:
    spec = ExperimentSpec(model=RnnModel(cell=cell, recurrent=(48, 64)))
    had, found = torch.get_num_threads(), set()
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            found.add(fingerprint(initial_weights(spec, (128, 3, 1), 6)))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(had)
    assert len(found) == 1


def test_a_small_step_has_one_thread_unless_it_is_stock_or_the_spec_says_otherwise() -> None:
    small, large = 1_000, 100_000_000
    tiny = PRESETS["tiny"].spec
    shape = (32, 32, 3)
    assert threads_for(tiny, small, shape) == 1
    assert threads_for(tiny, large, shape) == DEFAULT_THREADS
    assert threads_for(change(tiny, engine="stock"), small, shape) == DEFAULT_THREADS
    assert threads_for(change(tiny, threads=3), small, shape) == 3


def test_a_sequence_has_one_thread_where_each_of_its_calls_is_small(monkeypatch) -> None:
    """Where its steps are calls of torch."""
    monkeypatch.setattr("cnnlab.engines.job.DEFAULT_THREADS", 8)
    monkeypatch.setattr(compiled, "library", lambda: None)
    gru, flops = PRESETS["gru"].spec, 8_000_000  # a batch of 64: 512 MFLOP
    assert threads_for(gru, flops, (128, 3, 1)) == 1
    assert threads_for(gru, flops, (16, 3, 1)) == 8
    short = change(gru, model={**gru.model.model_dump(), "sequence_length": 16})
    assert threads_for(short, flops, (128, 3, 1)) == 8
    assert threads_for(change(gru, engine="stock"), flops, (128, 3, 1)) == 8
    assert threads_for(PRESETS["lstm"].spec, flops, (128, 3, 1)) == 8  # all steps in one call


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (8, 7)])
@pytest.mark.parametrize("cell", ["lstm", "gru", "simple"])
def test_compiled_loops_leave_a_core_to_whoever_watches(cell, cores, threads, monkeypatch) -> None:
    monkeypatch.setattr("cnnlab.engines.job.DEFAULT_THREADS", cores)
    monkeypatch.setattr(compiled, "library", object)
    spec = change(PRESETS["gru"].spec, model=RnnModel(cell=cell))
    assert threads_for(spec, 8_000_000, (128, 3, 1)) == threads
    assert threads_for(spec, 1000, (128, 3, 1)) == 1
    assert threads_for(change(spec, threads=2), 8_000_000, (128, 3, 1)) == 2
