"""A training process whose steps take a tenth longer, for the runs of a twin that is to lose."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

from cnnlab.spec import GpuOff

SLOWER = 0.10
TWIN_RATE = 0.00300001
"""The learning rate by which a twin's runs are known: it changes no step's duration."""


def slow_down() -> None:
    """Let every step of a twin wait, on its core, for a tenth of what it took."""
    from cnnlab.training.callback import LabCallback

    begin: Callable[..., None] = LabCallback.on_train_batch_begin

    def later(self: Any, batch: int, logs: Any = None) -> None:
        if self.spec.learning_rate == TWIN_RATE:
            now = time.perf_counter()
            # Between epochs lies the validation, which is no step.
            until = now + SLOWER * (now - self.step_began) if batch else now
            while time.perf_counter() < until:
                pass
        begin(self, batch, logs)  # in which it may wait for its turn
        self.step_began = time.perf_counter()

    LabCallback.on_train_batch_begin = later  # type: ignore[method-assign]


if __name__ == "__main__":
    import sys

    from cnnlab.worker import serve

    slow_down()
    serve(cast(GpuOff, sys.argv[1]))
