"""The network of a run as a plain Keras model, and pictures to ask it about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from cnnlab.models import build_model
from cnnlab.spec import LabError
from cnnlab.takeaway.order import About

if TYPE_CHECKING:
    import keras

ASKED = 5
"""Pictures, or sequences, that a file is asked about: as one batch, and the first alone."""


def empty_model(about: About) -> keras.Model:
    """The network in float32 with the layers' names that Keras gives in a fresh program."""
    import keras

    keras.utils.clear_session(free_memory=False)
    spec = about.spec.model_copy(update={"precision": "float32"})
    return build_model(spec, about.input_shape, len(about.classes))


def model_of(about: About, weights: Mapping[str, np.ndarray]) -> keras.Model:
    """The network with what was learnt.

    Args:
        weights: in the order that `keras.Model.set_weights` takes them.

    Raises:
        LabError: they are no numbers, or those of another network.
    """
    broken = [name for name, array in weights.items() if not np.isfinite(array).all()]
    if broken:
        raise LabError(
            f"The weights of {about.name} are no numbers ({broken[0]}), for its training diverged: "
            "export another run, or train it with a smaller learning rate."
        )
    model = empty_model(about)
    try:
        model.set_weights([array.astype(np.float32) for array in weights.values()])
    except ValueError as error:
        raise LabError(
            f"The weights that are kept of {about.name} do not fit its network: train it again."
        ) from error
    return model


def questions(about: About) -> np.ndarray:
    """Made-up input, float32 (`ASKED`, *input_shape), in the range of a picture's or a sequence's
    values, darker and brighter ones.
    """
    random = np.random.default_rng(0)
    shape = (ASKED, *about.input_shape)
    contrast = np.linspace(0.2, 1.0, ASKED).reshape(-1, 1, 1, 1)
    return (random.random(shape) * contrast).astype(np.float32)
