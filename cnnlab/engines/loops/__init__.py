"""The steps of a GRU or a SimpleRNN on a CPU, one after the other: compiled, or by torch's calls.

What a step does in either is told in `cnnlab.engines.unrolled`, which does all that need not wait
for the step before, and has these do the rest. `steps.cpp` is the quicker way, by half and more:
it needs a C++ compiler once. Where there is none, torch walks.
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

import torch

from cnnlab.engines.loops import by_torch, compiled


class Loops(Protocol):
    """All tensors are float32, whole in memory, steps first: (steps, batch, columns)."""

    def gru_forward(
        self, recurrent: torch.Tensor, gates: torch.Tensor, states: torch.Tensor
    ) -> None:
        """Fill in what the gates of each step are, and the states after the first.

        Args:
            recurrent: (units, 3 units).
            gates: (steps, batch, 4 units): what z, r, n's recurrent part and n are taken of, all
                but what comes of the states.
            states: (steps + 1, batch, units); the first is given.
        """
        ...

    def gru_backward(
        self,
        recurrent: torch.Tensor,
        gates: torch.Tensor,
        states: torch.Tensor,
        above: torch.Tensor | None,
        last: torch.Tensor,
    ) -> torch.Tensor:
        """The gradients of what the gates are taken of, (steps, batch, 4 units).

        Args:
            above: those of the states after the first; null where only the last one goes on.
            last: those of the last state, on top of these, (batch, units).
        """
        ...

    def simple_forward(self, recurrent: torch.Tensor, states: torch.Tensor) -> None:
        """Fill in the states after the first.

        Args:
            recurrent: (units, units).
            states: (steps + 1, batch, units): the first, and in place of the others what they are
                taken of, all but what comes of the states.
        """
        ...

    def simple_backward(
        self,
        recurrent: torch.Tensor,
        states: torch.Tensor,
        above: torch.Tensor | None,
        last: torch.Tensor,
    ) -> torch.Tensor:
        """The gradients of what the states are taken of, (steps, batch, units)."""
        ...


@cache
def quickest() -> Loops:
    """The compiled ones where they can be had; a second or two when first asked on a machine."""
    library = compiled.library()
    return compiled.Compiled(library) if library else by_torch.ByTorch()
