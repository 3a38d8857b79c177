"""Profiles against an outside clock: do their layers add up, and does each take what it is said to?

Each layer that takes a twentieth of a step or more is timed alone, forward and backward, on the
input that the layers before it make of a batch, by `time.perf_counter` around its own call: no
mark, no hook, no optimizer between. Profile and outside clock take turns; what counts is the
quicker half. `python -m bench.parts [PRESET …]`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import torch

from bench.measure import save
from cnnlab.devices import worker_environment
from cnnlab.engines import Parts
from cnnlab.spec import PRESETS, ExperimentSpec, LayerTime, change
from cnnlab.training.measuring import cleared, noise
from cnnlab.training.profiling import profile, quicker_half, take_step
from cnnlab.training.run import build

RECIPES = ("article", "dense", "lstm")
ROUNDS = 3
PROFILE_SECONDS, LAYER_SECONDS = 6.0, 0.7
WORTH_SHARE = 0.05


def alone(parts: Parts, number: int) -> float:
    """Milliseconds of one layer, forward and backward, by the outside clock."""
    x, _ = next(iter(parts.batches()))
    for _, call in parts.layers[:number]:
        x = call(x)
    learns = x.requires_grad  # a layer before it needs its gradient
    x = x.detach()
    _, call = parts.layers[number]
    gradient = torch.rand_like(call(x))
    batches = cycle(list(islice(parts.batches(), 8)))
    times: list[float] = []
    until = time.perf_counter() + LAYER_SECONDS
    while len(times) < 4 or time.perf_counter() < until:
        # A step before it, so that the caches are as a step leaves them.
        take_step(parts, lambda: next(batches), lambda part: None, look=False)
        given = x.clone().requires_grad_(learns)
        parts.clear()
        begun = time.perf_counter()
        call(given).backward(gradient)
        times.append((time.perf_counter() - begun) * 1e3)
    return float(np.mean(quicker_half(times, float))) - empty_ms()


def empty_ms() -> float:
    """What it costs to begin and end a backward pass, which a step does once for all layers."""
    start, times = torch.zeros(1, requires_grad=True), []
    for _ in range(200):
        output = start.neg()
        begun = time.perf_counter()
        output.backward()
        times.append((time.perf_counter() - begun) * 1e3)
    return float(np.mean(quicker_half(times, float)))


def outside(
    spec: ExperimentSpec, layers: tuple[LayerTime, ...], step_ms: float
) -> dict[int, float]:
    """The layers worth it, each by the outside clock."""
    with cleared(spec):
        job, _ = build(spec, noise(spec)[0])
        parts = job.parts()
        return {
            number: alone(parts, number)
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
