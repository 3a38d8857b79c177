"""Recurrent layers of Keras, with the same weights and mathematics.

Keras 3.15.1 on torch (read in `keras/src/backend/torch/rnn.py`) calls `torch._VF.lstm` and `.gru`,
and with them cuDNN, on CUDA alone. On a CPU it walks through the steps of a sequence in Python, and
for a SimpleRNN it does so on every device. Torch has these layers as one call for both, which for
an LSTM on a CPU is oneDNN's own. The engine `fast` uses it where it cannot compile loops over the
steps of a sequence (see `cnnlab.engines.unrolled`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import torch

aten = torch.ops.aten
Call = Callable[[torch.Tensor], torch.Tensor]
Gradients = tuple[torch.Tensor, ...]


def recurrent_call(layer: Any) -> Call:
    """One call for a recurrent layer of (batch, steps, features); differentiable."""
    return _CALLS[type(layer)](layer)


def _weights(cell: Any, dtype: torch.dtype) -> list[torch.Tensor]:
    """Kernel, recurrent kernel, bias, as Keras lays them out."""
    variables = cell.kernel, cell.recurrent_kernel, cell.bias
    return [variable.value.to(dtype) for variable in variables]


def _one_call(layer: Any, ordered: Callable[..., list[torch.Tensor]], call: Callable) -> Call:
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
        weights = ordered(*_weights(layer.cell, x.dtype))
        outputs = call(x, zeros, weights, *settings)[0]
        return outputs if whole else outputs[:, -1]

    return forward


def _plain_order(
    kernel: torch.Tensor, recurrent: torch.Tensor, bias: torch.Tensor
) -> list[torch.Tensor]:
    """Transposed; Keras has one bias where torch has two, so the other is nought."""
    return [kernel.T.contiguous(), recurrent.T.contiguous(), bias, torch.zeros_like(bias)]


def _gru_order(*weights: torch.Tensor) -> list[torch.Tensor]:
    """Transposed; Keras has the gates as update, reset, new; torch as reset, update, new."""

    def swapped(gates: torch.Tensor) -> torch.Tensor:
        update, reset, new = gates.chunk(3, dim=-1)
        return torch.cat((reset, update, new), dim=-1)

    kernel, recurrent, bias = map(swapped, weights)
    return [kernel.T.contiguous(), recurrent.T.contiguous(), *bias.unbind()]


def _lstm(layer: keras.layers.LSTM) -> Call:
    def call(x: torch.Tensor, zeros: torch.Tensor, *rest: Any) -> Any:
        return torch._VF.lstm(x, (zeros, zeros), *rest)

    return _one_call(layer, _plain_order, call)


def _gru(layer: keras.layers.GRU) -> Call:
    return _one_call(layer, _gru_order, torch._VF.gru)


def _simple(layer: keras.layers.SimpleRNN) -> Call:
    return _one_call(layer, _plain_order, torch._VF.rnn_tanh)


_CALLS: dict[type, Callable[[Any], Call]] = {
    keras.layers.LSTM: _lstm,
    keras.layers.GRU: _gru,
    keras.layers.SimpleRNN: _simple,
}


class OnednnLstm:
    """Keras's LSTM, from zeros, on (batch, steps, features) in float32: oneDNN's two calls.

    Autograd would hand the way back an output's worth of noughts, all but the last step of them.
    """

    ONEDNN = torch.backends.mkldnn.is_available()
    _KIND = 2  # of oneDNN's recurrent layers, an LSTM (ideep/abstract_types.hpp)

    def __init__(self, layer: keras.layers.LSTM) -> None:
        cell = layer.cell
        self.weights = [cell.kernel.value, cell.recurrent_kernel.value, cell.bias.value]
        self.units, self.whole = layer.units, layer.return_sequences

    @torch.compiler.disable
    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, Any]:
        """The layer's output, and what `backward` wants to have kept."""
        steps, zeros = x.transpose(0, 1).contiguous(), x.new_zeros(len(x), self.units)
        given = steps, *_plain_order(*self.weights), zeros, zeros
        # Forwards in time, one layer, with biases, in one direction, steps first.
        settings: tuple[Any, ...] = (
            False,
            [],
            self._KIND,
            self.units,
            1,
            True,
            False,
            False,
            training,
        )
        with torch.set_grad_enabled(training):  # or it keeps nothing for the way back
            outputs, *rest = aten.mkldnn_rnn_layer.default(*given, *settings)
        return outputs.transpose(0, 1) if self.whole else outputs[-1], (given, outputs, rest)

    @torch.compiler.disable
    def backward(
        self, kept: Any, dy: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        """The gradients of the input, if it is wanted, and of the weights, from the output's."""
        given, outputs, (last, cell, workspace) = kept
        above = (dy.transpose(0, 1), None) if self.whole else (None, dy)
        settings: tuple[Any, ...] = False, self._KIND, self.units, 1, True, True, False, [], False
        dx, dkernel, drecurrent, dbias, *_ = aten.mkldnn_rnn_layer_backward.default(
            *given, outputs, last, cell, *above, None, *settings, workspace
        )
        return dx.transpose(0, 1), (dkernel.t(), drecurrent.t(), dbias)
