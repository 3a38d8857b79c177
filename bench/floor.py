"""`python -m bench.floor [PRESET …]`: what a step of the engine `fast` spends on one thread.

Every call that a step makes of torch is repeated alone, its data warm in the cache, and what a call
takes that does nothing is taken off: what is left is arithmetic. A step takes more, and that is
what the calls themselves take, Python between them, and data that are not in the cache any more.
The clock is that of the processor's time of this process: others may work meanwhile, though they
take of the caches. Written into BENCHMARKS.md.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bench.measure import machine, place, save
from bench.page import PAGE, here, refreshed
from cnnlab import words
from cnnlab.devices import worker_environment
from cnnlab.engines import Job
from cnnlab.spec import PRESETS, ExperimentSpec, change
from cnnlab.training.measuring import cleared, noise
from cnnlab.training.run import build

RECIPES = ("dense", "tiny", "lstm", "gru")
CALL_SECONDS, STEP_SECONDS = 0.004, 0.2
"""At least so long a stretch is timed, of one call and of whole steps."""
STRETCHES = 9
"""The quickest of which counts."""
SHOWN = 6
"""Kinds of calls that have a row of their own."""

Call = Callable[[], object]


class Calls(TorchDispatchMode):
    """Notes every call of torch, to be made again."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[tuple[str, Call]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        given = kwargs or {}
        self.made.append((func._schema.name.partition("::")[2], lambda: func(*args, **given)))
        return func(*args, **given)


@dataclass(frozen=True)
class Spent:
    """Microseconds of a step."""

    step: float
    """As it is."""
    calls: dict[str, tuple[int, float]]
    """By kind, how many there are and the arithmetic in them, the most expensive first."""

    @property
    def arithmetic(self) -> float:
        """In all calls."""
        return sum(us for _, us in self.calls.values())


def quickest_us(work: Call, seconds: float) -> float:
    """Processor time of one call, in the quickest of some stretches."""
    began, times = time.process_time(), 0
    while time.process_time() - began < seconds:
        work()
        times += 1
    return min(_stretch(work, times) for _ in range(STRETCHES))


def _stretch(work: Call, times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * 1e6


def spent(spec: ExperimentSpec) -> Spent:
    """What a step of a spec spends, on noise, on one thread of the CPU."""
    with cleared(spec):
        job, _ = build(spec, noise(spec)[0])
        torch.set_num_threads(1)
        return _spent(job)


@torch.no_grad()
def _spent(job: Job) -> Spent:
    stepper, batches = job.model._stepper, job.fit["x"].batches
    indices = cycle(list(islice(batches.indices(), 8)))

    def step() -> None:
        stepper.train(*batches.gather(next(indices)))

    step_us = quickest_us(step, STEP_SECONDS)
    with Calls() as calls:
        step()
    nothing = quickest_us(lambda: torch.ops.aten.alias(batches.labels), CALL_SECONDS)
    kinds: dict[str, list[float]] = defaultdict(list)
    for name, call in calls.made:
        kinds[name].append(max(quickest_us(call, CALL_SECONDS) - nothing, 0.0))
    ordered = sorted(kinds.items(), key=lambda kind: -sum(kind[1]))
    return Spent(step_us, {name: (len(each), sum(each)) for name, each in ordered})


def table(found: dict[str, Spent]) -> str:
    """A line for each recipe's dearest calls, for all others together, and for the rest."""
    lines = [
        here(machine()),
        "",
        "| step of | call | times | µs | share |",
        "|---|---|---|---|---|",
    ]
    for recipe, one in found.items():
        dearest = list(one.calls.items())[:SHOWN]
        others = list(one.calls.values())[SHOWN:]
        rows = [(f"`{name}`", str(count), us) for name, (count, us) in dearest]
        count = sum(count for count, _ in others)
        rows += [("all other calls", str(count), sum(us for _, us in others))]
        rows += [("calling, Python, data out of cache", "", one.step - one.arithmetic)]
        rows += [("**the step**", "", one.step)]
        for name, times, us in rows:
            lines.append(
                f"| {recipe} | {name} | {times} | {words.number(us)} | {us / one.step:.0%} |"
            )
    return "\n".join(lines)


def report(names: Sequence[str]) -> None:
    """Measure some presets, keep what was found and write it into the page."""
    os.environ.update(worker_environment("none"))
    found = {name: spent(change(PRESETS[name].spec, device="cpu")) for name in names}
    save("floor", {name: {"step": one.step, "calls": one.calls} for name, one in found.items()})
    PAGE.write_text(refreshed(PAGE.read_text(), table(found), f"floor on {place()}"))


if __name__ == "__main__":
    report(sys.argv[1:] or RECIPES)
