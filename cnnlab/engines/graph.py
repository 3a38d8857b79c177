"""A step recorded once and replayed: on a card its dozens of launches become one.

What a CUDA graph replays is what was recorded, on the same memory. So a step is recorded with the
indices of its pictures in a buffer of their own; the pictures are gathered within it, the steps
counted on the device, and before each replay only the indices change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch

Step = Callable[[torch.Tensor], None]
"""One step on the pictures of so many indices, with no word from the device to the host."""

WARM_UP = 3
"""Steps before recording: what kernels set up in their first calls must not be recorded."""
CLOSE = 1e-3
"""How far a replayed step may part from the same step taken call by call, beside how far that one
moved: kernels that add up in any order differ by rounding alone."""


class Recorder(Protocol):
    """Records work on a device without doing it; what it returns does it."""

    def __call__(self, work: Callable[[], None]) -> Callable[[], None]: ...


class NotTheSame(RuntimeError):
    """A replayed step did something else than the step itself."""


class Replayed:
    """A step that is replayed, for batches of one size.

    Raises:
        RuntimeError: it cannot be recorded, or its replay parts from the step itself; what the step
            works on is then as if nothing had been tried.
    """

    def __init__(
        self, step: Step, index: torch.Tensor, works_on: Sequence[torch.Tensor], recorder: Recorder
    ) -> None:
        """Record it.

        Args:
            index: of one batch's pictures, on the device.
            works_on: all that a step changes and the next one reads.
        """
        self.index = index.clone()
        self._step = step  # a replay reads the pictures that it was recorded on: they are to stay
        keeper = _Keeper(works_on, index.device)

        def work() -> None:
            self._step(self.index)

        def warm_up() -> None:
            for _ in range(WARM_UP):
                work()

        try:
            _beside(warm_up, index.device)
            keeper.restore()
            self._replay = recorder(work)
            keeper.restore()
            _check_same(work, self._replay, keeper)
        finally:
            keeper.restore()

    def __call__(self, index: torch.Tensor) -> None:
        """One step on the pictures of these indices."""
        self.index.copy_(index)
        self._replay()


class _Keeper:
    """What a step changes, the random state too, as it was at first."""

    def __init__(self, works_on: Sequence[torch.Tensor], device: torch.device) -> None:
        self.tensors = list(works_on)
        self.first = [tensor.clone() for tensor in self.tensors]
        self.device = device
        self.random = _random_state(device)

    def restore(self) -> None:
        for tensor, first in zip(self.tensors, self.first, strict=True):
            tensor.copy_(first)
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(self.random, self.device)
        else:
            torch.set_rng_state(self.random)

    def moved(self) -> list[torch.Tensor]:
        """By how much each differs from what it was at first."""
        pairs = zip(self.tensors, self.first, strict=True)
        return [(now - first).to(torch.float32) for now, first in pairs]


def _random_state(device: torch.device) -> torch.Tensor:
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.get_rng_state()


def _check_same(work: Callable[[], None], replay: Callable[[], None], keeper: _Keeper) -> None:
    """Hold the first replay against the step itself; the state is left as the replay left it."""
    work()
    by_itself = keeper.moved()
    keeper.restore()
    replay()
    for one, other in zip(by_itself, keeper.moved(), strict=True):
        apart, moved = (one - other).norm(), one.norm()
        if not bool(apart <= CLOSE * moved + torch.finfo(torch.float32).eps):
            raise NotTheSame(
                f"a replayed step parts from the step itself by {float(apart):.3g}, "
                f"where that moves by {float(moved):.3g}"
            )


def _beside(work: Callable[[], None], device: torch.device) -> None:
    """Work on a stream of its own, as what is to be recorded wants its first calls to be."""
    if device.type != "cuda":
        work()
        return
    stream, current = torch.cuda.Stream(device), torch.cuda.current_stream(device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        work()
    current.wait_stream(stream)


def cuda_graph(work: Callable[[], None]) -> Callable[[], None]:
    """Record work as a CUDA graph."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay


def recorder_for(device: torch.device) -> Recorder | None:
    """What records a step on this device; null where each call is made anew."""
    return cuda_graph if device.type == "cuda" else None
