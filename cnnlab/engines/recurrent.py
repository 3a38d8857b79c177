"""Recurrent layers of Keras, with the same weights and mathematics.

Keras 3.15.1 on torch (read in `keras/src/backend/torch/rnn.py`) calls `torch._VF.lstm` and `.gru`,
and with them cuDNN, on CUDA alone. On a CPU it walks through the steps of a sequence in Python, and
for a SimpleRNN it does so on every device. Torch has these layers as one call for both, which for
an LSTM on a CPU is oneDNN's own: that is what the engine `fast` uses.

GRU and SimpleRNN have no such call on a CPU: torch walks through the steps with a dozen small calls
in each, and autograd with twice as many back. Here what can be done for all steps at once is, and
what is left in a step is five calls (SimpleRNN: two) forward and three (two) back.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import keras
import torch

from cnnlab.engines.products import product

aten = torch.ops.aten
Call = Callable[[torch.Tensor], torch.Tensor]


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


# --- on a CPU, without autograd -------------------------------------------------------------

Gradients = tuple[torch.Tensor, ...]


class CpuGru:
    """Keras's GRU (reset after the product), from zeros, on (batch, steps, features).

    Per step, with the update gate z, the reset gate r and the candidate n:
    z, r = sigmoid(x W + h R + b), n = tanh(x W + b + r (h R + b')), h' = n + z (h - n).
    """

    def __init__(self, layer: keras.layers.GRU) -> None:
        cell = layer.cell
        self.weights = [cell.kernel.value, cell.recurrent_kernel.value, cell.bias.value]
        self.units, self.whole = layer.units, layer.return_sequences

    def _inputs(self, steps: torch.Tensor) -> torch.Tensor:
        """What does not wait for the step before, for all of them: (steps, batch, 4 units), the
        columns z, r, the recurrent part of n (so far its bias), and the input's part of n.
        """
        kernel, _, bias = self.weights
        given, recurrent = bias
        two, units = 2 * self.units, self.units
        wide = kernel.new_zeros(len(kernel), 4 * units)
        wide[:, :two], wide[:, 3 * units :] = kernel[:, :two], kernel[:, two:]
        shift = torch.cat((given[:two] + recurrent[:two], recurrent[two:], given[two:]))
        return torch.addmm(shift, steps.flatten(0, 1), wide).view(*steps.shape[:2], -1)

    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, Any]:
        """The layer's output, and what `backward` wants to have kept."""
        steps = x.transpose(0, 1).contiguous()
        recurrent, units = self.weights[1], self.units
        gates = self._inputs(steps)
        states = x.new_zeros(len(steps) + 1, len(x), units)
        news = torch.empty_like(states[1:])
        update, reset, inner, given = (part.unbind() for part in gates.split(units, -1))
        both = gates[..., : 2 * units].unbind()
        products = gates[..., : 3 * units].unbind()
        for t, ((h, after), n) in enumerate(zip(pairwise(states.unbind()), news, strict=True)):
            products[t].addmm_(h, recurrent)
            both[t].sigmoid_()
            torch.addcmul(given[t], reset[t], inner[t], out=n).tanh_()
            torch.lerp(n, h, update[t], out=after)
        out = states[1:].transpose(0, 1) if self.whole else states[-1]
        return out, (steps, gates, states, news)

    def backward(
        self, kept: Any, dy: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        """The gradients of the input, if it is wanted, and of the weights, from the output's."""
        steps, gates, states, news = kept
        update, reset, inner, _ = gates.split(self.units, -1)
        # By what a state's gradient is to be multiplied, for all steps at once: n, z, r, and the
        # recurrent part of n.
        slope = aten.tanh_backward(1.0 - update, news)
        factors = torch.empty_like(gates[..., : 3 * self.units])
        z, r, n = factors.split(self.units, -1)
        torch.mul(states[:-1] - news, update, out=z).mul_(1.0 - update)
        torch.mul(slope, reset, out=n)
        torch.mul(n, inner, out=r).mul_(1.0 - reset)
        dstates = self._through_time(dy, factors, update)
        dnews = slope.mul_(dstates)
        return self._of_weights(steps, states, factors, dnews, wanted)

    def _through_time(
        self, dy: torch.Tensor, factors: torch.Tensor, update: torch.Tensor
    ) -> torch.Tensor:
        """The gradients of all states, from the last to the first; `factors` become those of the
        products h R.
        """
        back = self.weights[1].t()
        dstates = _of_states(dy, self.whole, len(factors))
        last_first = dstates.unbind()[::-1]
        stacked = factors.unflatten(-1, (3, self.units)).unbind()[::-1]
        flat, keep = factors.unbind()[::-1], update.unbind()[::-1]
        for t, dh in enumerate(last_first):
            stacked[t].mul_(dh[:, None])
            if t + 1 < len(last_first):
                last_first[t + 1].addcmul_(dh, keep[t]).addmm_(flat[t], back)
        return dstates

    def _of_weights(
        self,
        steps: torch.Tensor,
        states: torch.Tensor,
        dproducts: torch.Tensor,
        dnews: torch.Tensor,
        wanted: bool,
    ) -> tuple[torch.Tensor | None, Gradients]:
        rows = dproducts.flatten(0, 1)
        before = states[:-1].flatten(0, 1)
        drecurrent, dbias = product(before.t(), rows), rows.sum(0)
        dgiven = rows.clone()
        dgiven[:, 2 * self.units :] = dnews.flatten(0, 1)
        dkernel = product(steps.flatten(0, 1).t(), dgiven)
        dbiases = torch.stack((dgiven.sum(0), dbias))
        dx = None
        if wanted:
            dx = product(dgiven, self.weights[0].t()).view(*steps.shape).transpose(0, 1)
        return dx, (dkernel, drecurrent, dbiases)


class CpuSimple:
    """Keras's SimpleRNN, from zeros: h' = tanh(x W + b + h R)."""

    def __init__(self, layer: keras.layers.SimpleRNN) -> None:
        cell = layer.cell
        self.weights = [cell.kernel.value, cell.recurrent_kernel.value, cell.bias.value]
        self.units, self.whole = layer.units, layer.return_sequences

    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, Any]:
        """The layer's output, and what `backward` wants to have kept."""
        steps = x.transpose(0, 1).contiguous()
        kernel, recurrent, bias = self.weights
        states = x.new_zeros(len(steps) + 1, len(x), self.units)
        rows = states[1:].view(-1, self.units)
        torch.addmm(bias, steps.flatten(0, 1), kernel, out=rows)
        for h, after in pairwise(states.unbind()):
            after.addmm_(h, recurrent).tanh_()
        return (states[1:].transpose(0, 1) if self.whole else states[-1]), (steps, states)

    def backward(
        self, kept: Any, dy: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        """The gradients of the input, if it is wanted, and of the weights, from the output's."""
        steps, states = kept
        kernel, recurrent, _ = self.weights
        back = recurrent.t()
        dproducts = _of_states(dy, self.whole, len(steps))
        last_first = dproducts.unbind()[::-1]
        for t, (dh, h) in enumerate(zip(last_first, states.unbind()[:0:-1], strict=True)):
            aten.tanh_backward.grad_input(dh, h, grad_input=dh)
            if t + 1 < len(last_first):
                last_first[t + 1].addmm_(dh, back)
        rows = dproducts.flatten(0, 1)
        dkernel = product(steps.flatten(0, 1).t(), rows)
        drecurrent = product(states[:-1].flatten(0, 1).t(), rows)
        dx = product(rows, kernel.t()).view(*steps.shape).transpose(0, 1) if wanted else None
        return dx, (dkernel, drecurrent, rows.sum(0))


def _of_states(dy: torch.Tensor, whole: bool, steps: int) -> torch.Tensor:
    """What reaches each state from the layer above: (steps, batch, units), to be added to."""
    if whole:
        return dy.transpose(0, 1).contiguous()
    each = dy.new_zeros(steps, *dy.shape)
    each[-1] = dy
    return each
