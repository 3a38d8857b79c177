"""GRU and SimpleRNN on a CPU, in float32: step after step, with a backward pass of their own.

Torch walks through the steps of a GRU with a dozen small calls in each, and autograd with twice as
many back. Here whatever does not wait for the step before is done for many steps at once, and what
is left in a step are five calls (SimpleRNN: two) forward and three (two) back.

A state h is kept as g = (1 + h) / 2, and so tanh(a) as sigmoid(2 a), whose kernel in torch takes a
sixth of the time: h' = n + z (h - n) holds for g as it does for h, and a product with h is one with
g and twice the weights, less the sum of their columns. It costs the last bit of a state of about 1.

torch.compile is kept out: it would write out every step of a sequence, for minutes.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import keras
import torch

from cnnlab.engines.products import product

aten = torch.ops.aten
Gradients = tuple[torch.Tensor, ...]

BLOCK = 8
"""Steps that are done at once where they need not wait: few enough to stay in a core's cache."""


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

    @torch.compiler.disable
    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, Any]:
        """The layer's output, and what `backward` wants to have kept."""
        steps = x.transpose(0, 1).contiguous()
        gates, recurrent = self._inputs(steps)
        states = x.new_full((len(steps) + 1, len(x), self.units), 0.5)
        update, reset, inner, new = (part.unbind() for part in gates.split(self.units, -1))
        both = gates[..., : 2 * self.units].unbind()
        products = gates[..., : 3 * self.units].unbind()
        for t, (before, after) in enumerate(pairwise(states.unbind())):
            products[t].addmm_(before, recurrent)
            both[t].sigmoid_()
            candidate = new[t].addcmul_(reset[t], inner[t]).sigmoid_()
            torch.lerp(candidate, before, update[t], out=after)
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
        back, units = recurrent.t(), self.units
        found = torch.empty_like(gates)
        above = dy.transpose(0, 1).contiguous().unbind() if self.whole else None
        dstate = torch.zeros_like(states[0]) if self.whole else dy
        for first in range((len(steps) - 1) // BLOCK * BLOCK, -1, -BLOCK):
            part = slice(first, first + BLOCK)
            _gru_slopes(gates[part], states[:-1][part], out=found[part])
            stacked = found[part].unflatten(-1, (4, units)).unbind()
            flat = found[part, :, : 3 * units].unbind()
            keep = gates[part, :, :units].unbind()
            for t in reversed(range(len(flat))):
                if above is not None:
                    dstate = dstate + above[first + t]
                stacked[t].mul_(dstate[:, None])
                dstate = torch.mul(dstate, keep[t]).addmm_(flat[t], back)
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


def _gru_slopes(gates: torch.Tensor, states: torch.Tensor, out: torch.Tensor) -> None:
    """How what the gates of some steps are taken of moves the states after them, of z and r by 2,
    of n by 4.
    """
    z, r, inner, n = gates.chunk(4, -1)
    of_z, of_r, of_inner, of_n = out.chunk(4, -1)
    torch.sub(states, n, out=of_z)
    aten.sigmoid_backward.grad_input(of_z, z, grad_input=of_z)
    of_n.copy_(z).neg_().add_(1.0)
    aten.sigmoid_backward.grad_input(of_n, n, grad_input=of_n)
    torch.mul(of_n, r, out=of_inner)
    torch.mul(of_n, inner, out=of_r)
    aten.sigmoid_backward.grad_input(of_r, r, grad_input=of_r)


class CpuSimple:
    """Keras's SimpleRNN, from zeros: h' = tanh(x W + b + h R)."""

    def __init__(self, layer: keras.layers.SimpleRNN) -> None:
        cell = layer.cell
        self.weights = [cell.kernel.value, cell.recurrent_kernel.value, cell.bias.value]
        self.units, self.whole = layer.units, layer.return_sequences

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
        for before, after in pairwise(states.unbind()):
            after.addmm_(before, by_state).sigmoid_()
        return _outputs(states, self.whole), (steps, states, by_state)

    @torch.compiler.disable
    def backward(
        self, kept: Any, dy: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        """The gradients of the input, if it is wanted, and of the weights, from the output's."""
        steps, states, by_state = kept
        kernel, back = self.weights[0], by_state.t()
        # Of what tanh is taken of, by 4.
        found = dy.transpose(0, 1).contiguous() if self.whole else torch.empty_like(states[1:])
        dstate = found[-1] if self.whole else dy
        last_first = found.unbind()[::-1]
        for t, (here, state) in enumerate(zip(last_first, states.unbind()[:0:-1], strict=True)):
            aten.sigmoid_backward.grad_input(dstate, state, grad_input=here)
            if t + 1 < len(last_first):
                dstate = last_first[t + 1]
                if self.whole:
                    dstate.addmm_(here, back)
                else:
                    torch.mm(here, back, out=dstate)
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
