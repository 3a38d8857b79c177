"""What a network is seen to do: held against torch by hand, Keras itself and finite differences."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import torch

from cnnlab import models
from cnnlab.insight import looking
from cnnlab.insight.networks import rebuilt
from cnnlab.insight.questions import Network
from cnnlab.spec import CnnModel, DenseModel, ExperimentSpec, LabError, RnnModel
from tests.insight.by_hand import CNN, grad_cam

SHAPE, CLASSES = (24, 20, 3), 4
DENSE = DenseModel(dense=(12, 7), dropout=0.2)


def built(model, shape=SHAPE) -> keras.Model:
    """A network whose biases and moving statistics are no longer what they began as."""
    with keras.device("cpu"):
        keras.utils.set_random_seed(7)
        network = models.build_model(ExperimentSpec(model=model), shape, CLASSES)
        rng = np.random.default_rng(3)
        network.set_weights(
            [w + rng.uniform(0, 0.2, w.shape).astype("f4") for w in network.get_weights()]
        )
    return network


def picture(seed: int = 0, shape=SHAPE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def seen(network: keras.Model, shown: np.ndarray, target: int | None = None):
    with keras.device("cpu"):
        return looking.look(network, looking.scaled(shown), target)


@pytest.mark.parametrize("target", range(CLASSES))
def test_grad_cam_is_that_of_a_few_lines_of_torch(target: int):
    network, shown = built(CNN), picture(target)
    heat = seen(network, shown, target)["heat"]
    expected = grad_cam(network.get_weights(), shown, target)
    assert heat.shape == expected.shape
    assert heat.max() > 0 or expected.max() == 0
    np.testing.assert_allclose(heat, expected, atol=1e-4 * max(expected.max(), 1e-3))


@pytest.mark.parametrize(
    "model",
    [
        CNN,
        CnnModel(blocks=CNN.blocks[:1], batch_norm=True, padding="same", head="flatten"),
        DENSE,
        DenseModel(dense=(), batch_norm=False),
        RnnModel(cell="gru", recurrent=(5, 6), dense=(4,), sequence_length=10),
        RnnModel(cell="simple", recurrent=(5,)),
    ],
)
def test_what_is_said_is_what_keras_says(model):
    network = built(model)
    shown = np.stack([picture(seed) for seed in range(70)])
    with keras.device("cpu"):
        expected = network(torch.from_numpy(shown.astype("f4") / 255), training=False)
        found = looking.foresee(network, shown)
    np.testing.assert_allclose(found, expected.detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(seen(network, shown[3])["probabilities"], found[3], atol=1e-5)


def test_maps_are_those_after_activation_and_pooling_in_the_layers_order():
    network = built(CNN)
    found = seen(network, picture())
    titles = [name.split("/")[2] for name in found if name.startswith("maps/")]
    assert titles == ["Conv2D 6 5x5", "MaxPooling2D 2x2", "Conv2D 8 3x3", "Conv2D 7 2x2", titles[1]]
    with keras.device("cpu"):
        first = keras.Model(network.inputs, network.layers[1].output)
        expected = first(torch.from_numpy(picture().astype("f4") / 255)[None])[0]
    maps = next(found[name] for name in found if name.startswith("maps/"))
    np.testing.assert_allclose(maps, expected.detach().numpy().transpose(2, 0, 1), rtol=1e-3)
    assert maps.min() >= 0


def test_behind_a_normalisation_the_maps_are_those_of_the_activation():
    network = built(CnnModel(blocks=CNN.blocks[:1], batch_norm=True))
    titles = [name.split("/")[2] for name in seen(network, picture()) if name.startswith("maps/")]
    assert titles == ["Activation", "MaxPooling2D 2x2"]


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple"])
def test_the_hidden_state_of_each_step_is_what_keras_hands_on(cell: str):
    shape = (9, 3, 1)
    network = built(RnnModel(cell=cell, recurrent=(5, 6)), shape)
    sequence = np.random.default_rng(1).normal(size=shape).astype("f4")
    found = seen(network, sequence)
    first, last = (found[name] for name in found if name.startswith("states/"))
    assert first.shape == (9, 5)
    assert last.shape == (9, 6)
    with keras.device("cpu"):
        state = torch.from_numpy(sequence[None, :, :, 0])
        for layer in network.layers[2:4]:
            layer.return_sequences = True
            state = layer(state)
    np.testing.assert_allclose(last, state[0].detach().numpy(), atol=1e-3)


@pytest.mark.parametrize("model", [DENSE, RnnModel(cell="gru", recurrent=(6,))])
def test_the_gradient_is_what_a_small_change_does(model):
    shape = (9, 3, 1)
    network = built(model, shape)
    sequence = np.random.default_rng(5).normal(size=shape).astype("f4")
    heat = seen(network, sequence, target=2)["heat"]
    assert heat.shape == shape[:2]
    with keras.device("cpu"):
        for step, feature in ((0, 0), (4, 1), (8, 2)):
            moved = np.stack([sequence, sequence])
            moved[0, step, feature], moved[1, step, feature] = (
                sequence[step, feature] - 1e-2,
                sequence[step, feature] + 1e-2,
            )
            low, high = looking.walked(network, looking.scaled(moved)).logits[:, 2].tolist()
            assert heat[step, feature] == pytest.approx(abs(high - low) / 2e-2, rel=0.05, abs=1e-3)


# --- weights --------------------------------------------------------------------------------


def asked(model=CNN) -> Network:
    return Network(
        run_id="abc", spec=ExperimentSpec(model=model), image_shape=SHAPE, classes=CLASSES
    )


def test_a_network_is_rebuilt_from_its_weights_in_plain_precision():
    network = built(CNN)
    spec = ExperimentSpec(model=CNN, precision="mixed_bfloat16")
    again = rebuilt(asked().model_copy(update={"spec": spec}), network.get_weights())
    np.testing.assert_allclose(
        looking.foresee(again, picture()[None]), looking.foresee(network, picture()[None])
    )


def test_weights_of_another_network_are_refused():
    with pytest.raises(LabError, match="abc left do not fit"):
        rebuilt(asked(), built(DENSE).get_weights())


def test_a_network_that_would_not_fit_into_memory_is_refused_before_it_is_built():
    vast = DenseModel(dense=(16_384,) * 16)
    with pytest.raises(LabError, match="do not fit"):
        rebuilt(asked(vast), built(DENSE).get_weights())
