"""A training process whose steps take a tenth longer, for the runs of a twin that is to lose."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

from cnnlab.spec import GpuOff

SLOWER = 0.10
TWIN_RATE = 0.00300001
"""The learning rate by which a twin's runs are known: it changes no step's duration."""
PICTURES = 4
"""The first layer answers so many at a time again: some hundredths of a step."""


def slow_down() -> None:
    """Let every step of a twin work for a tenth longer: its first layer answers once more.

    A step that waited instead would slow the next one as well, by 3 or 4 % here, as others' data
    are in the cache by then: the twin would be slower than it is said to be.
    """
    from cnnlab.training.callback import LabCallback

    begin: Callable[..., None] = LabCallback.on_train_batch_begin

    def later(self: Any, batch: int, logs: Any = None) -> None:
        if self.spec.learning_rate == TWIN_RATE:
            if not hasattr(self, "owed"):
                self.owed, self.once = 0.0, _first_layer(self.model)
            if batch:  # between epochs lies the validation, which is no step
                self.owed += SLOWER * (time.perf_counter() - self.step_began)
            self.owed = _work(self.once, self.owed)
        begin(self, batch, logs)  # in which it may wait for its turn
        self.step_began = time.perf_counter()

    LabCallback.on_train_batch_begin = later  # type: ignore[method-assign]


def _first_layer(model: Any) -> Callable[[], Any]:
    """Lets the first layer of a CNN answer a few pictures."""
    import torch

    first = model._stepper.chain.kernels[0]
    pictures = torch.zeros(PICTURES, *model.input_shape[1:])
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    return torch.no_grad()(lambda: first.forward(pictures, training=True))


def _work(once: Callable[[], Any], seconds: float) -> float:
    """Use up so much time; what is left of it, below nought where it was too much."""
    while seconds > 0:
        began = time.perf_counter()
        once()
        seconds -= time.perf_counter() - began
    return seconds


if __name__ == "__main__":
    import sys

    from cnnlab.worker import serve

    slow_down()
    serve(cast(GpuOff, sys.argv[1]))
