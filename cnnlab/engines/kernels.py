"""Layers of Keras in one call of torch each, with the same weights and mathematics.

Recurrent layers: Keras 3.15.1 on torch (read in `keras/src/backend/torch/rnn.py`) calls
`torch._VF.lstm` and `.gru`, and with them cuDNN, on CUDA alone. On a CPU it walks through the steps
of a sequence in Python, and for a SimpleRNN it does so on every device. Torch has these layers as
one call for both, which on a CPU may be oneDNN's; that is what the engine `fast` uses.

Convolutions: Keras adds the bias and takes the activation in passes of their own over the largest
arrays of a network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import torch

DEVICES = ("cpu", "cuda")
"""Where torch's calls are known to do what Keras's layers do."""

Call = Callable[[torch.Tensor], torch.Tensor]


def fused(layer: keras.Layer) -> Call | None:
    """One call for a layer as `cnnlab.models` builds it; null where Keras's own is as good.

    A recurrent layer takes (batch, steps, features), a convolution (batch, channels, height,
    width), both in float32; it returns what the layer does.
    """
    kernel = _KERNELS.get(type(layer))
    if kernel is None or layer.trainable_variables[0].value.device.type not in DEVICES:
        return None
    return kernel(layer)


def _weights(cell: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The parameters themselves: kernel, recurrent kernel, bias, as Keras lays them out."""
    return cell.kernel.value, cell.recurrent_kernel.value, cell.bias.value


def _one_call(layer: Any, ordered: Callable[[], list[torch.Tensor]], call: Callable) -> Call:
    """A layer that begins from zeros and gives all its outputs, or the last one.

    Args:
        ordered: the weights as torch wants them now: they change with every step of training.
        call: takes the input, the zeros, the weights and torch's six settings.
    """
    units, whole = layer.units, layer.return_sequences

    def forward(x: torch.Tensor) -> torch.Tensor:
        zeros = x.new_zeros(1, x.shape[0], units)
        # With biases, one layer, no dropout, gradients or not, one direction, batch first.
        settings = (True, 1, 0.0, torch.is_grad_enabled(), False, True)
        outputs = call(x, zeros, ordered(), *settings)[0]
        return outputs if whole else outputs[:, -1]

    return forward


def _plain_order(cell: Any) -> list[torch.Tensor]:
    """Transposed; Keras has one bias where torch has two, so the other is nought."""
    kernel, recurrent, bias = _weights(cell)
    return [kernel.T.contiguous(), recurrent.T.contiguous(), bias, torch.zeros_like(bias)]


def _gru_order(cell: Any) -> list[torch.Tensor]:
    """Transposed; Keras has the gates as update, reset, new; torch as reset, update, new."""

    def swapped(gates: torch.Tensor) -> torch.Tensor:
        update, reset, new = gates.chunk(3, dim=-1)
        return torch.cat((reset, update, new), dim=-1)

    kernel, recurrent, bias = map(swapped, _weights(cell))
    return [kernel.T.contiguous(), recurrent.T.contiguous(), *bias.unbind()]


def _lstm(layer: keras.layers.LSTM) -> Call:
    def call(x: torch.Tensor, zeros: torch.Tensor, *rest: Any) -> Any:
        return torch._VF.lstm(x, (zeros, zeros), *rest)

    return _one_call(layer, lambda: _plain_order(layer.cell), call)


def _gru(layer: keras.layers.GRU) -> Call:
    return _one_call(layer, lambda: _gru_order(layer.cell), torch._VF.gru)


def _simple(layer: keras.layers.SimpleRNN) -> Call:
    return _one_call(layer, lambda: _plain_order(layer.cell), torch._VF.rnn_tanh)


def _conv(layer: keras.layers.Conv2D) -> Call | None:
    """Convolution and bias at once, the activation in place where it needs no copy of its input."""
    if layer.data_format != "channels_first":
        return None  # Keras would have to turn the picture around before and after
    relu = layer.activation is keras.activations.relu
    activate = torch.relu_ if relu else layer.activation

    def forward(x: torch.Tensor) -> torch.Tensor:
        kernel = layer.kernel.value.permute(3, 2, 0, 1)
        bias = layer.bias.value
        return activate(torch.nn.functional.conv2d(x, kernel, bias, padding=layer.padding))

    return forward


_KERNELS: dict[type, Callable[[Any], Call | None]] = {
    keras.layers.Conv2D: _conv,
    keras.layers.LSTM: _lstm,
    keras.layers.GRU: _gru,
    keras.layers.SimpleRNN: _simple,
}
