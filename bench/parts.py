"""Profiles against an outside clock: do their layers add up, and does each take what it is said to?

Each layer that takes a twentieth of a step or more is timed alone, by `time.perf_counter` around
its own two passes in whole steps of the engine that nothing else looks at. Profile and outside
clock take turns; what counts is the quicker half. `python -m bench.parts [PRESET …]`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np

from bench.measure import save
from cnnlab.devices import worker_environment
from cnnlab.engines import Job
from cnnlab.spec import PRESETS, ExperimentSpec, LayerTime, change
from cnnlab.training.measuring import cleared, noise
from cnnlab.training.profiling import profile, quicker_half
from cnnlab.training.run import build

RECIPES = ("article", "dense", "lstm")
ROUNDS = 2
PROFILE_SECONDS, LAYER_SECONDS = 6.0, 0.7
WORTH_SHARE = 0.05


class Timed:
    """A kernel with the outside clock around its two passes, and around no other's."""

    def __init__(self, kernel: Any) -> None:
        self.weights, self._kernel, self.ms = kernel.weights, kernel, 0.0

    def forward(self, *given: Any) -> Any:
        return self._clocked(self._kernel.forward, *given)

    def backward(self, *given: Any, **options: Any) -> Any:
        return self._clocked(self._kernel.backward, *given, **options)

    def _clocked(self, call: Callable[..., Any], *given: Any, **options: Any) -> Any:
        begun = time.perf_counter()
        found = call(*given, **options)
        self.ms += (time.perf_counter() - begun) * 1e3
        return found


def alone(job: Job, number: int) -> float:
    """Milliseconds of one layer, forward and backward, in whole steps of the engine."""
    stepper = job.model._stepper
    clocked = stepper.chain.kernels[number] = Timed(stepper.chain.kernels[number])
    batches = cycle(list(islice(job.parts().batches(), 8)))
    times: list[float] = []
    until = time.perf_counter() + LAYER_SECONDS
    while len(times) < 4 or time.perf_counter() < until:
        clocked.ms = 0.0
        stepper.train(*next(batches))
        times.append(clocked.ms)
    stepper.chain.kernels[number] = clocked._kernel
    return float(np.mean(quicker_half(times, float)))


def outside(
    spec: ExperimentSpec, layers: tuple[LayerTime, ...], step_ms: float
) -> dict[int, float]:
    """The layers worth it, each by the outside clock."""
    with cleared(spec):
        job, _ = build(spec, noise(spec)[0])
        return {
            number: alone(job, number)
            for number, layer in enumerate(layers)
            if layer.ms > WORTH_SHARE * step_ms
        }


def recipe(name: str) -> dict[str, Any]:
    """The rounds of one preset."""
    spec = change(PRESETS[name].spec, device="cpu")
    rounds = []
    for _ in range(ROUNDS):
        found = profile(spec, lambda: False, seconds=PROFILE_SECONDS)
        clocked = outside(spec, found.layers, found.step_ms)
        rounds.append(
            {
                "step_ms": found.step_ms,
                "parts_over_step": found.parts_ms / found.step_ms,
                "scaled": found.scaled,
                "host_share": found.host_ms / found.step_ms,
                "looking_share": found.looking_ms / found.step_ms,
                "layers": {
                    f"{number} {found.layers[number].kind}": found.layers[number].ms / ms
                    for number, ms in clocked.items()
                },
                "marks": found.marks,
            }
        )
    return {"rounds": rounds}


def told(name: str, result: dict[str, Any]) -> None:
    """A line for each round."""
    for one in result["rounds"]:
        ratios = ", ".join(f"{layer} {ratio:.2f}" for layer, ratio in one["layers"].items())
        print(
            f"{name}: step {one['step_ms']:.3g} ms, parts {one['parts_over_step']:.3f} of it, "
            f"scaled {one['scaled']:.3f}, framework {one['host_share']:.3f}; "
            f"profile over outside clock: {ratios}",
            flush=True,
        )


def report(names: Sequence[str]) -> None:
    """Measure some presets and keep what was found."""
    os.environ.update(worker_environment("none"))
    found = {}
    for name in names:
        found[name] = recipe(name)
        told(name, found[name])
        save("parts", found)


if __name__ == "__main__":
    report(sys.argv[1:] or RECIPES)
