"""Networks rebuilt from what a run left, and questions answered with them."""

from __future__ import annotations

from functools import lru_cache
from math import prod

import keras
import numpy as np
import torch

from cnnlab import learned, models
from cnnlab.insight import looking
from cnnlab.insight.questions import Foresee, Look, Network, Question
from cnnlab.spec import LabError, change

MOST_NETWORKS = 4
"""That are kept ready: of two runs side by side, at this epoch and the one before."""


def answer(question: Question, input_: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays that answer a question.

    Raises:
        LabError: the weights are gone, do not fit the network, or the picture does not.
    """
    torch.set_num_threads(1)
    wanted = question.network.image_shape
    with keras.device("cpu"):
        network = _network(question.network)
        match question:
            case Look():
                _check(input_.shape, wanted)
                return looking.look(network, looking.scaled(input_), question.target)
            case Foresee():
                _check(input_.shape[1:], wanted)
                return {"probabilities": looking.foresee(network, input_).astype(np.float16)}


def _check(shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if shape != wanted:
        raise LabError(f"The network sees {wanted}, and was shown {shape}.")


@lru_cache(maxsize=MOST_NETWORKS)
def _network(asked: Network) -> keras.Model:
    """The network with its weights, in float32, channels last."""
    kept = learned.open_run(asked.run_id).weights(asked.at)
    return rebuilt(asked, list(kept.values()))


def rebuilt(asked: Network, weights: list[np.ndarray]) -> keras.Model:
    """The network of a spec with weights in Keras's order.

    Raises:
        LabError: the weights are those of another network.
    """
    spec = change(asked.spec, precision="float32")
    layers = models.layer_table(spec.model, asked.image_shape, asked.classes)
    # Compared before it is built: a spec may describe more than there is room for.
    if models.parameters(layers) != sum(prod(array.shape) for array in weights):
        raise _foreign(asked)
    model = models.build_model(spec, asked.image_shape, asked.classes)
    if [tuple(item.shape) for item in model.weights] != [array.shape for array in weights]:
        raise _foreign(asked)
    model.set_weights(weights)
    return model


def _foreign(asked: Network) -> LabError:
    return LabError(
        f"The weights that the run {asked.run_id} left do not fit its network; train it again."
    )
