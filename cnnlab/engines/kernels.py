"""Layers of Keras by torch's own kernels, forward and backward, with the same weights and
mathematics.

A step of a small network takes less time in its arithmetic than in what surrounds it: Keras's
`Layer.__call__`, and autograd, which notes every call to find its way back. The lab's networks are
chains, so the way back is known: each kernel here says what its backward pass is, as autograd would
take it, and `cnnlab.engines.chain` walks through them. A layer without a kernel of its own goes
through autograd, on its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Protocol

import keras
import torch

from cnnlab.engines import loops
from cnnlab.engines.job import called
from cnnlab.engines.loops.compiled import Compiled
from cnnlab.engines.products import product
from cnnlab.engines.recurrent import OnednnLstm, recurrent_call
from cnnlab.engines.unrolled import CpuGru, CpuLstm, CpuSimple

aten = torch.ops.aten
Gradients = tuple[torch.Tensor, ...]


class Kernel(Protocol):
    """One layer, forward and backward.

    `weights` are its parameters in the layer's own arithmetic, in Keras's order.
    """

    weights: list[torch.Tensor]

    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, Any]:
        """The layer's output, and what its backward pass wants to have kept."""
        ...

    def backward(
        self, kept: Any, dy: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        """The gradients of the input, if it is wanted, and of the weights, from the output's."""
        ...


class _Activation:
    """An activation of Keras's: relu by its own kernel, any other through autograd."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.function = function
        self.relu = function is keras.activations.relu
        # The loss takes the softmax together with the logarithm.
        self.none = function in (keras.activations.linear, keras.activations.softmax)

    def forward(self, z: torch.Tensor) -> tuple[torch.Tensor, Any]:
        """May write over `z`, unless it is no relu."""
        if self.none:
            return z, None
        if self.relu:
            y = torch.relu_(z)
            return y, y
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            y = self.function(z)
        return y.detach(), (z, y)

    def backward(self, kept: Any, dy: torch.Tensor) -> torch.Tensor:
        if self.none:
            return dy
        if self.relu:
            return aten.threshold_backward(dy, kept, 0)
        z, y = kept
        return torch.autograd.grad(y, z, dy)[0]


class _ActivationLayer:
    def __init__(self, layer: keras.layers.Activation) -> None:
        self.weights: list[torch.Tensor] = []
        self.activation = _Activation(layer.activation)

    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, Any]:
        return self.activation.forward(x)

    def backward(
        self, kept: Any, dy: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        return self.activation.backward(kept, dy), ()


class _Dense:
    """(batch, inputs) to (batch, units)."""

    def __init__(self, layer: keras.layers.Dense) -> None:
        self.weights = [layer.kernel.value, layer.bias.value]
        self.activation = _Activation(layer.activation)

    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, Any]:
        kernel, bias = self.weights
        if self.activation.relu:
            y = product(x, kernel, bias, relu=True)
            return y, (x, y)
        y, kept = self.activation.forward(product(x, kernel, bias))
        return y, (x, kept)

    def backward(
        self, kept: Any, dy: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        x, output = kept
        dz = self.activation.backward(output, dy)
        dx = product(dz, self.weights[0].t()) if wanted else None
        return dx, (product(x.t(), dz), dz.sum(0))


class _Conv:
    """(batch, channels, height, width), channels first in shape, and best last in memory.

    Keras's kernel (height, width, inputs, filters) keeps its shape, and is laid out in memory as
    convolutions read it, filter by filter with the inputs last: else it would be copied each step.
    """

    def __init__(self, layer: keras.layers.Conv2D) -> None:
        kernel = layer.kernel.value
        kernel.data = kernel.data.permute(3, 0, 1, 2).contiguous().permute(1, 2, 3, 0)
        self.weights = [layer.kernel.value, layer.bias.value]
        self.activation = _Activation(layer.activation)
        same = layer.padding == "same"
        self.padding = [(size - 1) // 2 if same else 0 for size in layer.kernel_size]

    def _arguments(self) -> tuple[Any, ...]:
        return [1, 1], self.padding, [1, 1], False, [0, 0], 1

    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, Any]:
        kernel, bias = self.weights
        z = torch.convolution(x, kernel.permute(3, 2, 0, 1), bias, *self._arguments())
        y, kept = self.activation.forward(z)
        return y, (x, kept)

    def backward(
        self, kept: Any, dy: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        x, output = kept
        dz = self.activation.backward(output, dy)
        kernel, bias = self.weights
        dx, dw, db = aten.convolution_backward(
            dz,
            x,
            kernel.permute(3, 2, 0, 1),
            bias.shape,
            *self._arguments(),
            [wanted, True, True],
        )
        return dx, (dw.permute(2, 3, 1, 0), db)


class _MaxPooling:
    """With the relu of the layer before it, where there is one (see `relu_after_pooling`)."""

    def __init__(self, layer: keras.layers.MaxPooling2D) -> None:
        self.weights: list[torch.Tensor] = []
        self.size = list(layer.pool_size)
        self.activation = _Activation(keras.activations.linear)

    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, Any]:
        z, places = aten.max_pool2d_with_indices(x, self.size, self.size)
        y, output = self.activation.forward(z)
        return y, (x, places, output)

    def backward(
        self, kept: Any, dy: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        x, places, output = kept
        size, dz = self.size, self.activation.backward(output, dy)
        return aten.max_pool2d_with_indices_backward(
            dz, x, size, size, [0, 0], [1, 1], False, places
        ), ()


def relu_after_pooling(kernels: Sequence[Kernel]) -> None:
    """Let max poolings take the relu of the layers before them, of a quarter of the values.

    That is exact: the largest of some values is the same before or after, and where none of them is
    above nought no gradient passes either way.
    """
    for before, pooling in pairwise(kernels):
        if not isinstance(pooling, _MaxPooling) or not isinstance(before, _Conv | _ActivationLayer):
            continue
        if before.activation.relu:
            pooling.activation, before.activation = before.activation, pooling.activation


class _GlobalAverage:
    """(batch, channels, height, width) to (batch, channels)."""

    def __init__(self, layer: keras.layers.GlobalAveragePooling2D) -> None:
        self.weights: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, Any]:
        return x.mean((2, 3)), x

    def backward(
        self, kept: Any, dy: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        share = dy / (kept.shape[2] * kept.shape[3])
        # In the memory order of what came in, as the convolution before wants it.
        return torch.empty_like(kept).copy_(share[:, :, None, None].expand_as(kept)), ()


class _Flatten:
    def __init__(self, layer: keras.layers.Flatten) -> None:
        self.weights: list[torch.Tensor] = []
        self.channels_first = layer.data_format == "channels_first"

    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, Any]:
        if self.channels_first and x.ndim == 4:
            x = x.permute(0, 2, 3, 1)  # Keras flattens every picture with its channels last
        return x.flatten(1), x.shape

    def backward(
        self, kept: Any, dy: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        dx = dy.view(kept)
        return (dx.permute(0, 3, 1, 2) if self.channels_first and dx.ndim == 4 else dx), ()


class _Reshape:
    """The rows of a picture, or the steps of a sequence: the first layer of a recurrent network."""

    def __init__(self, layer: keras.layers.Reshape) -> None:
        self.weights: list[torch.Tensor] = []
        self.shape = layer.target_shape

    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, Any]:
        return x.reshape(len(x), *self.shape), x.shape

    def backward(
        self, kept: Any, dy: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        return dy.reshape(kept), ()


class _Dropout:
    """As torch draws it on each device, which is how Keras draws it where no seed is given."""

    def __init__(self, layer: keras.layers.Dropout) -> None:
        self.weights: list[torch.Tensor] = []
        self.rate = layer.rate

    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, Any]:
        if not training or not self.rate:
            return x, None
        if x.device.type == "cuda":
            return torch.native_dropout(x, self.rate, True)
        left = 1.0 - self.rate
        noise = torch.empty_like(x).bernoulli_(left).div_(left)
        return x * noise, noise

    def backward(
        self, kept: Any, dy: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        if kept is None:
            return dy, ()
        if dy.device.type == "cuda":
            return aten.native_dropout_backward(dy, kept, 1.0 / (1.0 - self.rate)), ()
        return dy * kept, ()


class _BatchNorm:
    """In one kernel. Keras keeps the variance of the batch itself, torch an estimate of that of
    all data: so the moving figures are kept here.
    """

    def __init__(self, layer: keras.layers.BatchNormalization) -> None:
        self.weights = [layer.gamma.value, layer.beta.value]
        self.moving = [layer.moving_mean.value.detach(), layer.moving_variance.value.detach()]
        self.rest, self.epsilon = 1.0 - layer.momentum, layer.epsilon

    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, Any]:
        if not training:
            settings = *self.weights, *self.moving, False, 0.0, self.epsilon
            return aten.native_batch_norm(x, *settings)[0], None
        settings = *self.weights, None, None, True, 0.0, self.epsilon
        y, mean, scale = aten.native_batch_norm(x, *settings)
        variance = scale.pow(-2).sub_(self.epsilon)
        self.moving[0].lerp_(mean, self.rest)
        self.moving[1].lerp_(variance, self.rest)
        return y, (x, mean, scale)

    def backward(
        self, kept: Any, dy: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        x, mean, scale = kept
        dx, *gradients = aten.native_batch_norm_backward(
            dy, x, self.weights[0], None, None, mean, scale, True, self.epsilon, [True] * 3
        )
        return dx, tuple(gradients)


class Autograd:
    """Any other layer, as Keras calls it, or torch's own call of it, by way of autograd."""

    def __init__(
        self, layer: keras.Layer, call: Callable[[torch.Tensor], torch.Tensor] | None = None
    ) -> None:
        self.weights = [variable.value for variable in layer.trainable_variables]
        self.training = call or called(layer, training=True)
        self.inference = call or called(layer, training=False)

    @torch.compiler.disable
    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, Any]:
        if not training:
            return self.inference(x), None
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            y = self.training(x)
        return y.detach(), (x, y)

    @torch.compiler.disable
    def backward(
        self, kept: Any, dy: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        x, y = kept
        dx, *gradients = torch.autograd.grad(y, [x, *self.weights], dy)
        return dx, tuple(gradients)


# --- which layer has which ------------------------------------------------------------------

DEVICES = ("cpu", "cuda")
"""Where torch's kernels are known to do what Keras's layers do."""

OWN_ARITHMETIC = (Autograd, _BatchNorm)
"""Their weights stay in float32 under a mixed precision: they cast, or compute, by themselves."""


def kernel_of(layer: keras.Layer, dtype: torch.dtype = torch.float32) -> Kernel:
    """The kernel of a layer as `cnnlab.models` builds it, for an arithmetic; it has its weights."""
    known = _KERNELS.get(type(layer))
    places = [variable.value.device.type for variable in layer.variables]
    if known is None or not set(places) <= set(DEVICES):
        return Autograd(layer)
    return known(layer, dtype)


def _conv(layer: keras.layers.Conv2D, _: torch.dtype) -> Kernel:
    uneven = layer.padding == "same" and any(size % 2 == 0 for size in layer.kernel_size)
    if uneven or layer.data_format != "channels_first":
        return Autograd(layer)  # padded on one side more, or turned around before and after
    return _Conv(layer)


def _recurrent(layer: Any, dtype: torch.dtype) -> Kernel:
    on_cpu = _ON_CPU.get(type(layer))
    here = layer.cell.kernel.value.device.type == "cpu"
    if on_cpu is not None and here and dtype == torch.float32:
        return on_cpu(layer)
    return Autograd(layer, recurrent_call(layer))


def _lstm_on_cpu(layer: keras.layers.LSTM) -> Kernel:
    walk = loops.quickest()
    if isinstance(walk, Compiled):
        return CpuLstm(layer, walk)
    return OnednnLstm(layer) if OnednnLstm.ONEDNN else Autograd(layer, recurrent_call(layer))


_ON_CPU: dict[type, Callable[[Any], Kernel]] = {
    keras.layers.GRU: CpuGru,
    keras.layers.LSTM: _lstm_on_cpu,
    keras.layers.SimpleRNN: CpuSimple,
}


def _any(kernel: Callable[[Any], Kernel]) -> Callable[[Any, torch.dtype], Kernel]:
    """A kernel for every arithmetic."""
    return lambda layer, dtype: kernel(layer)


_KERNELS: dict[type, Callable[[Any, torch.dtype], Kernel]] = {
    keras.layers.Activation: _any(_ActivationLayer),
    keras.layers.BatchNormalization: _any(_BatchNorm),
    keras.layers.Conv2D: _conv,
    keras.layers.Dense: _any(_Dense),
    keras.layers.Dropout: _any(_Dropout),
    keras.layers.Flatten: _any(_Flatten),
    keras.layers.GlobalAveragePooling2D: _any(_GlobalAverage),
    keras.layers.MaxPooling2D: _any(_MaxPooling),
    keras.layers.Reshape: _any(_Reshape),
    keras.layers.GRU: _recurrent,
    keras.layers.LSTM: _recurrent,
    keras.layers.SimpleRNN: _recurrent,
}
