"""Step after step by calls of torch: five of a GRU (SimpleRNN: two) forward, three (two) back."""

from __future__ import annotations

from itertools import pairwise

import torch

aten = torch.ops.aten

BLOCK = 8
"""Steps that are done at once where they need not wait: few enough to stay in a core's cache."""


class ByTorch:
    """See `cnnlab.engines.loops.Loops`."""

    def gru_forward(
        self, recurrent: torch.Tensor, gates: torch.Tensor, states: torch.Tensor
    ) -> None:
        units = states.shape[-1]
        update, reset, inner, new = (part.unbind() for part in gates.split(units, -1))
        both = gates[..., : 2 * units].unbind()
        products = gates[..., : 3 * units].unbind()
        for t, (before, after) in enumerate(pairwise(states.unbind())):
            products[t].addmm_(before, recurrent)
            both[t].sigmoid_()
            candidate = new[t].addcmul_(reset[t], inner[t]).sigmoid_()
            torch.lerp(candidate, before, update[t], out=after)

    def gru_backward(
        self,
        recurrent: torch.Tensor,
        gates: torch.Tensor,
        states: torch.Tensor,
        above: torch.Tensor | None,
        last: torch.Tensor,
    ) -> torch.Tensor:
        back, units, steps = recurrent.t(), states.shape[-1], len(gates)
        found = torch.empty_like(gates)
        onto = above.unbind() if above is not None else None
        dstate = last
        for first in range((steps - 1) // BLOCK * BLOCK, -1, -BLOCK):
            part = slice(first, first + BLOCK)
            _gru_slopes(gates[part], states[:-1][part], out=found[part])
            stacked = found[part].unflatten(-1, (4, units)).unbind()
            flat = found[part, :, : 3 * units].unbind()
            keep = gates[part, :, :units].unbind()
            for t in reversed(range(len(flat))):
                if onto is not None:
                    dstate = dstate + onto[first + t]
                stacked[t].mul_(dstate[:, None])
                dstate = torch.mul(dstate, keep[t]).addmm_(flat[t], back)
        return found

    def simple_forward(self, recurrent: torch.Tensor, states: torch.Tensor) -> None:
        for before, after in pairwise(states.unbind()):
            after.addmm_(before, recurrent).sigmoid_()

    def simple_backward(
        self,
        recurrent: torch.Tensor,
        states: torch.Tensor,
        above: torch.Tensor | None,
        last: torch.Tensor,
    ) -> torch.Tensor:
        back = recurrent.t()
        found = torch.empty_like(states[1:]) if above is None else above.clone()
        here = found.unbind()
        dstate = last if above is None else here[-1].add_(last)
        for t in reversed(range(len(here))):
            aten.sigmoid_backward.grad_input(dstate, states[t + 1], grad_input=here[t])
            if t == 0:
                break
            if above is None:
                torch.mm(here[t], back, out=here[t - 1])
            else:
                here[t - 1].addmm_(here[t], back)
            dstate = here[t - 1]
        return found


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
