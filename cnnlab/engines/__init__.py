"""Two ways to feed and step the same recipe: `stock`, as the article does it, and `fast`.

Both start from the same weights, see the same batches in the same order and do the same float32
mathematics: a test compares their losses step by step, and `bench.equality` shows that on the
article CNN they part no further than rounding takes `stock` from itself. `fast` leaves out what
Keras's own path does around the arithmetic: pictures as float64, a copy to the device each step,
layout changes around every convolution, the walk through a sequence in Python, metrics and
callbacks that read the device each batch, the bookkeeping of `Layer.__call__` and autograd, and
what a processor makes of numbers next to nought.
"""

from __future__ import annotations

from collections.abc import Callable

from cnnlab.engines.batches import Batches
from cnnlab.engines.fast import fast, optimizer_state
from cnnlab.engines.job import (
    DEFAULT_THREADS,
    LOSS,
    OPTIMIZER,
    Job,
    Judged,
    Listener,
    Mark,
    Part,
    Parts,
    Pictures,
    Poll,
    Start,
    Watcher,
    fingerprint,
    initial_weights,
    seed_epoch,
    threads_for,
)
from cnnlab.engines.memory import give_memory_back
from cnnlab.engines.stock import stock
from cnnlab.engines.subnormals import share_of_subnormals
from cnnlab.spec import ExperimentSpec

__all__ = [
    "DEFAULT_THREADS",
    "ENGINES",
    "LOSS",
    "OPTIMIZER",
    "Batches",
    "Job",
    "Judged",
    "Listener",
    "Mark",
    "Part",
    "Parts",
    "Pictures",
    "Poll",
    "Start",
    "Watcher",
    "fingerprint",
    "give_memory_back",
    "initial_weights",
    "optimizer_state",
    "seed_epoch",
    "share_of_subnormals",
    "threads_for",
]

ENGINES: dict[str, Callable[[ExperimentSpec, Pictures, Start], Job]] = {
    "stock": stock,
    "fast": fast,
}
