"""GRU, LSTM and SimpleRNN on a CPU, in float32, with a backward pass of their own.

Torch walks through the steps of a GRU with a dozen small calls in each, and autograd with twice as
many back. Here whatever does not wait for the step before is done for all steps at once, and the
rest by `cnnlab.engines.loops`.

A state h is kept as g = (1 + h) / 2, and so tanh(a) as sigmoid(2 a), whose kernel in torch takes a
sixth of the time: h' = n + z (h - n) holds for g as it does for h, and a product with h is one with
g and twice the weights, less the sum of their columns. It costs the last bit of a state of about 1.

torch.compile is kept out: it would write out every step of a sequence, for minutes.
"""

from __future__ import annotations

from typing import Any

import keras
import torch

from cnnlab.engines import loops
from cnnlab.engines.loops.compiled import Compiled
from cnnlab.engines.products import product

Gradients = tuple[torch.Tensor, ...]


class CpuGru:
    """Keras's GRU (reset after the product), from zeros, on (batch, steps, features).

    Per step, with the update gate z, the reset gate r and the candidate n:
    z, r = sigmoid(x W + h R + b), n = tanh(x W + b + r (h R + b')), h' = n + z (h - n).
    What belongs to a step has the columns z, r, the recurrent part of n, and n.
    """

    def __init__(self, layer: keras.layers.GRU) -> None:
        cell = layer.cell
        self.weights = [cell.kernel.value, cell.recurrent_kernel.value, cell.bias.value]
        self.units, self.whole = layer.units, layer.return_sequences
        self.loops = loops.quickest()

    @torch.compiler.disable
    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, Any]:
        """The layer's output, and what `backward` wants to have kept."""
        steps = x.transpose(0, 1).contiguous()
        gates, recurrent = self._inputs(steps)
        states = x.new_full((len(steps) + 1, len(x), self.units), 0.5)
        self.loops.gru_forward(recurrent, gates, states)
        return _outputs(states, self.whole), (steps, gates, states, recurrent)

    def _inputs(self, steps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What does not wait for the step before, (steps, batch, 4 units), with the biases; and the
        recurrent kernel as it is to be multiplied with g.
        """
        kernel, recurrent, bias = self.weights
        given, inner = bias
        two = 2 * self.units
        scale = torch.ones_like(given)
        scale[two:] = 2.0  # of n, as twice what tanh is taken of
        by_state = recurrent * scale
        inner = inner * scale - by_state.sum(0)
        given = given * scale
        shift = torch.cat((given[:two] + inner[:two], inner[two:], given[two:]))
        gap = kernel.new_zeros(len(kernel), self.units)
        wide = torch.cat((kernel[:, :two], gap, kernel[:, two:] * 2.0), 1)
        gates = torch.addmm(shift, steps.flatten(0, 1), wide)
        return gates.view(*steps.shape[:2], -1), by_state.mul_(2.0)

    @torch.compiler.disable
    def backward(
        self, kept: Any, dy: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        """The gradients of the input, if it is wanted, and of the weights, from the output's."""
        steps, gates, states, recurrent = kept
        found = self.loops.gru_backward(recurrent, gates, states, *_slopes(dy, self.whole))
        return self._of_weights(steps, states, found, wanted)

    def _of_weights(
        self, steps: torch.Tensor, states: torch.Tensor, found: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        """Args:
        found: gradients of what the gates are taken of, those of z and r by 2, of n by 4.
        """
        kernel, two = self.weights[0], 2 * self.units
        rows = found.flatten(0, 1)
        scale = rows.new_full((rows.shape[1],), 2.0)
        scale[two:] = 4.0
        sums = rows.sum(0) * scale
        inner, given = sums[: -self.units], torch.cat((sums[:two], sums[-self.units :]))
        # With columns to spare: oneDNN is slow where they do not stand side by side.
        by_state = product(states[:-1].flatten(0, 1).t(), rows)[:, : -self.units]
        drecurrent = (by_state * (2.0 * scale[: -self.units])).sub_(inner)
        wide = product(steps.flatten(0, 1).t(), rows) * scale
        dkernel = torch.cat((wide[:, :two], wide[:, -self.units :]), 1)
        dx = None
        if wanted:
            gap = kernel.new_zeros(len(kernel), self.units)
            forth = torch.cat((kernel[:, :two], gap, kernel[:, two:]), 1) * scale
            dx = product(rows, forth.t()).view(*steps.shape).transpose(0, 1)
        return dx, (dkernel, drecurrent, torch.stack((given, inner)))


class CpuLstm:
    """Keras's LSTM, from zeros, on (batch, steps, features), by compiled loops; without these
    oneDNN is quicker than calls of torch (see `cnnlab.engines.recurrent`).

    Per step: i, f, o = sigmoid(x W + h R + b), c = f c + i tanh(x W + h R + b), h = o tanh(c).
    """

    def __init__(self, layer: keras.layers.LSTM, walk: Compiled) -> None:
        cell = layer.cell
        self.weights = [cell.kernel.value, cell.recurrent_kernel.value, cell.bias.value]
        self.units, self.whole = layer.units, layer.return_sequences
        self.loops = walk

    @torch.compiler.disable
    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, Any]:
        """The layer's output, and what `backward` wants to have kept."""
        steps = x.transpose(0, 1).contiguous()
        kernel, recurrent, bias = self.weights
        gates = torch.addmm(bias, steps.flatten(0, 1), kernel).view(*steps.shape[:2], -1)
        cells = x.new_zeros(len(steps) + 1, len(x), self.units)
        states = torch.zeros_like(cells)
        self.loops.lstm_forward(recurrent, gates, cells, states)
        out = states[1:].transpose(0, 1) if self.whole else states[-1]
        return out, (steps, gates, cells, states)

    @torch.compiler.disable
    def backward(
        self, kept: Any, dy: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        """The gradients of the input, if it is wanted, and of the weights, from the output's."""
        steps, gates, cells, states = kept
        kernel, recurrent, _ = self.weights
        found = self.loops.lstm_backward(recurrent, gates, cells, *_slopes(dy, self.whole))
        rows = found.flatten(0, 1)
        drecurrent = product(states[:-1].flatten(0, 1).t(), rows)
        dkernel = product(steps.flatten(0, 1).t(), rows)
        dx = product(rows, kernel.t()).view(*steps.shape).transpose(0, 1) if wanted else None
        return dx, (dkernel, drecurrent, rows.sum(0))


class CpuSimple:
    """Keras's SimpleRNN, from zeros: h' = tanh(x W + b + h R)."""

    def __init__(self, layer: keras.layers.SimpleRNN) -> None:
        cell = layer.cell
        self.weights = [cell.kernel.value, cell.recurrent_kernel.value, cell.bias.value]
        self.units, self.whole = layer.units, layer.return_sequences
        self.loops = loops.quickest()

    @torch.compiler.disable
    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, Any]:
        """The layer's output, and what `backward` wants to have kept."""
        steps = x.transpose(0, 1).contiguous()
        kernel, recurrent, bias = self.weights
        states = x.new_full((len(steps) + 1, len(x), self.units), 0.5)
        shift = 2.0 * (bias - recurrent.sum(0))
        rows = states[1:].view(-1, self.units)
        torch.addmm(shift, steps.flatten(0, 1), 2.0 * kernel, out=rows)
        by_state = 4.0 * recurrent
        self.loops.simple_forward(by_state, states)
        return _outputs(states, self.whole), (steps, states, by_state)

    @torch.compiler.disable
    def backward(
        self, kept: Any, dy: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        """The gradients of the input, if it is wanted, and of the weights, from the output's."""
        steps, states, by_state = kept
        kernel = self.weights[0]
        # Of what tanh is taken of, by 4.
        found = self.loops.simple_backward(by_state, states, *_slopes(dy, self.whole))
        rows = found.flatten(0, 1)
        dbias = rows.sum(0).mul_(4.0)
        drecurrent = product(states[:-1].flatten(0, 1).t(), rows).mul_(8.0).sub_(dbias)
        dkernel = product(steps.flatten(0, 1).t(), rows).mul_(4.0)
        dx = None
        if wanted:
            dx = product(rows, 4.0 * kernel.t()).view(*steps.shape).transpose(0, 1)
        return dx, (dkernel, drecurrent, dbias)


def _outputs(states: torch.Tensor, whole: bool) -> torch.Tensor:
    """All states h after the first, (batch, steps, units), or the last one."""
    out = 2.0 * states[1:] if whole else 2.0 * states[-1]
    return out.sub_(1.0).transpose(0, 1) if whole else out.sub_(1.0)


def _slopes(dy: torch.Tensor, whole: bool) -> tuple[torch.Tensor | None, torch.Tensor]:
    """The output's gradients as the loops take them: of all states, and of the last one."""
    if whole:
        return dy.transpose(0, 1).contiguous(), torch.zeros_like(dy[:, -1])
    return None, dy
