"""What goes on in a network that sees a picture or a sequence.

The networks of `models.build_model` are chains, so they are walked layer by layer: what a layer
makes is at hand, and torch knows the way back from the answer to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import torch

CHANNELS = 24
"""Of a layer's feature maps that are handed over."""
BATCH = 64


@dataclass(eq=False)
class _Walk:
    """What the layers made on the way, by the layer's number."""

    maps: dict[int, torch.Tensor] = field(default_factory=dict)
    """(1, height, width, channels) after activation, or after pooling."""
    last_convolution: torch.Tensor | None = None
    """The maps that Grad-CAM weighs: pooling behind them would only thin them out."""
    states: dict[int, torch.Tensor] = field(default_factory=dict)
    """(1, steps, units)."""
    logits: torch.Tensor | None = None
    """(n, classes), before the softmax."""


def scaled(pictures: np.ndarray) -> torch.Tensor:
    """Pictures or sequences as the engines hand them to a network, float32, a batch of one where
    it is one: pictures divided by 255, sequences as they are.
    """
    values = pictures.astype(np.float32)
    if pictures.dtype == np.uint8:
        values /= 255
    return torch.from_numpy(values if values.ndim == 4 else values[None])


def look(model: keras.Model, x: torch.Tensor, target: int | None) -> dict[str, np.ndarray]:
    """See `questions.Look`.

    Args:
        x: as `scaled` gives it, a batch of one.
    """
    x.requires_grad_(True)
    walk = walked(model, x)
    assert walk.logits is not None
    probabilities = torch.softmax(walk.logits[0], dim=0)
    aim = int(probabilities.argmax()) if target is None else target
    found = {"probabilities": _plain(probabilities), "heat": heat(walk, x, aim)}
    for number, maps in walk.maps.items():
        kept = maps[0, :, :, :CHANNELS].permute(2, 0, 1)
        found[f"maps/{number:03d}/{_title(model.layers[number])}"] = _plain(kept, np.float16)
    for number, states in walk.states.items():
        title = _title(model.layers[number])
        found[f"states/{number:03d}/{title}"] = _plain(states[0], np.float16)
    return found


@torch.no_grad()
def foresee(model: keras.Model, pictures: np.ndarray) -> np.ndarray:
    """The probabilities of each class for each of some pictures, float32 (n, classes)."""
    batches = range(0, len(pictures), BATCH)
    found = [walked(model, scaled(pictures[begin : begin + BATCH])).logits for begin in batches]
    return _plain(torch.softmax(torch.cat([part for part in found if part is not None]), dim=1))


def walked(model: keras.Model, x: torch.Tensor) -> _Walk:
    """Send a batch through the layers, one after the other, as when it is evaluated."""
    walk = _Walk()
    *inner, last = list(enumerate(model.layers))[1:]
    for number, layer in inner:
        x = _through(layer, x)
        if isinstance(layer, keras.layers.RNN):
            walk.states[number] = x
            x = x if _hands_on(model, number) else x[:, -1]
        elif _shows(model, number):
            walk.maps[number] = x
            if not isinstance(layer, keras.layers.MaxPooling2D):
                walk.last_convolution = x
    kernel, bias = last[1].kernel.value, last[1].bias.value
    walk.logits = x @ kernel + bias
    return walk


def _through(layer: keras.Layer, x: torch.Tensor) -> torch.Tensor:
    if isinstance(layer, keras.layers.RNN):
        layer.return_sequences = True  # the last one too, for every state is to be seen
    return layer(x, training=False)


def _hands_on(model: keras.Model, number: int) -> bool:
    """Whether another recurrent layer reads all the states of this one."""
    return isinstance(model.layers[number + 1], keras.layers.RNN)


def _shows(model: keras.Model, number: int) -> bool:
    """Whether a layer makes maps worth a look: after its activation, and those of a pooling."""
    layers = keras.layers
    kinds = (layers.Conv2D, layers.Activation, layers.MaxPooling2D)
    layer, following = model.layers[number : number + 2]
    bare = isinstance(following, layers.BatchNormalization)
    return isinstance(layer, kinds) and len(layer.output.shape) == 4 and not bare


def heat(walk: _Walk, x: torch.Tensor, target: int) -> np.ndarray:
    """Where the input speaks for a class; see `questions.Look`."""
    assert walk.logits is not None
    score = walk.logits[0, target]
    if walk.last_convolution is not None:
        return grad_cam(score, walk.last_convolution)
    (gradient,) = torch.autograd.grad(score, x)
    return _plain(gradient[0].abs().sum(dim=-1))


def grad_cam(score: torch.Tensor, maps: torch.Tensor) -> np.ndarray:
    """Grad-CAM (Selvaraju et al., ICCV 2017, equations 1 and 2), float32 (height, width), not
    scaled: the maps of a layer, weighed by the mean gradient of a class's score, before the
    softmax, with respect to each; what speaks against the class is cut off.

    Args:
        maps: (1, height, width, channels), on the way to `score`.
    """
    (gradient,) = torch.autograd.grad(score, maps)
    weights = gradient.mean(dim=(1, 2), keepdim=True)
    return _plain(torch.relu((weights * maps).sum(dim=-1))[0])


def _title(layer: keras.Layer) -> str:
    """A layer in words: "Conv2D 128 7x7"."""
    return " ".join([type(layer).__name__, *_details(layer)])


def _details(layer: Any) -> Iterator[str]:
    match layer:
        case keras.layers.Conv2D():
            yield f"{layer.filters} {'x'.join(map(str, layer.kernel_size))}"
        case keras.layers.MaxPooling2D():
            yield "x".join(map(str, layer.pool_size))
        case keras.layers.RNN():
            yield str(layer.units)


def _plain(tensor: torch.Tensor, dtype: type = np.float32) -> np.ndarray:
    return tensor.detach().cpu().numpy().astype(dtype)
