"""What bounds a step: arithmetic, memory traffic, or overhead, layer by layer and as a whole.

The roofline model (Williams, Waterman and Patterson, 2009): F operations over B bytes take at least
F / peak seconds and at least B / bandwidth seconds. What a layer takes and does not grow with the
batch is overhead: Python, and starting kernels. What grows with the batch is work, done near its
ceiling or far below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from cnnlab.models import Layer, layer_table, update_bytes
from cnnlab.spec import Ceilings, ExperimentSpec, LayerTime, Profile

Bound = Literal["compute", "memory", "overhead"]
BOUNDS: tuple[Bound, ...] = ("compute", "memory", "overhead")


@dataclass(frozen=True)
class Traffic:
    """Bytes that must move, at the least, in one direction of a layer."""

    weights: float
    """Whatever the batch."""
    activations: float
    """In proportion to it."""

    @property
    def bytes(self) -> float:
        return self.weights + self.activations


@dataclass(frozen=True)
class LayerBound:
    """One layer's part of a step, and what holds it up."""

    kind: str
    detail: str
    ms: float
    share: float
    """Of the step."""
    flops: float
    """Forward and backward, of a whole batch."""
    bytes: float
    compute_ms: float | None
    """What its arithmetic takes at the ceiling; null where that is not known."""
    memory_ms: float | None
    overhead_ms: float
    fixed_ms: float
    bound: Bound | None
    """Null where it is no overhead and the ceilings are not known."""

    @property
    def gflops(self) -> float:
        """What it reaches, overhead and all."""
        return self.flops / self.ms / 1e6 if self.ms else 0.0

    @property
    def intensity(self) -> float:
        """Operations for each byte."""
        return self.flops / self.bytes

    @property
    def of_ceiling(self) -> float | None:
        """How near its work comes to the least time that it could take: 1 is at the ceiling."""
        floors = [ms for ms in (self.compute_ms, self.memory_ms) if ms is not None]
        work = self.ms - self.overhead_ms
        return min(max(floors) / work, 1.0) if floors and work > 0 else None


@dataclass(frozen=True)
class HostTime:
    """What a step spends on the host rather than on its arithmetic, in milliseconds."""

    framework_ms: float | None
    """What the engine's own step takes beyond all that it is made of; null on a card, where that
    is hidden or shows as waiting."""
    launching_ms: float
    """Starting kernels: what its parts take whatever the batch."""
    waiting_ms: float | None
    """The card waits for the host; null on a CPU, which is the host."""


@dataclass(frozen=True)
class StepBound:
    """A whole step: how much of it is what, and which is most."""

    batch_size: int
    step_ms: float
    layers: tuple[LayerBound, ...]
    compute_ms: float
    memory_ms: float
    overhead_ms: float
    growing_ms: float
    """What grows in proportion to the batch."""
    idle_ms: float
    """What the threads that are left idle could have saved of the arithmetic: a step so small is
    quicker with fewer of them, and that is a price of its smallness."""
    host: HostTime

    @property
    def bound(self) -> Bound:
        return max(BOUNDS, key=self.share)

    def share(self, bound: Bound) -> float:
        """Of the step, 0 to 1; the three add up to 1."""
        parts = {
            "compute": self.compute_ms - self.idle_ms,
            "memory": self.memory_ms,
            "overhead": self.overhead_ms + self.idle_ms,
        }
        return parts[bound] / self.step_ms

    def step_ms_at(self, batch_size: int) -> float:
        """What a step would take with another batch."""
        return self.step_ms + self.growing_ms * (batch_size / self.batch_size - 1)

    def overhead_at(self, batch_size: int) -> float:
        """The share of overhead with another batch, 0 to 1."""
        return self.overhead_ms / self.step_ms_at(batch_size)

    def gain_at(self, batch_size: int) -> float:
        """How many times as many pictures a second another batch would bring."""
        return self.step_ms / self.step_ms_at(batch_size) * batch_size / self.batch_size


def bounds(
    spec: ExperimentSpec, image_shape: tuple[int, ...], classes: int, profile: Profile
) -> StepBound:
    """What bounds the step of a profile.

    Args:
        image_shape, classes: of the data that the profiled run was trained on.
    """
    table = layer_table(spec.model, image_shape, classes)
    first = next((layer for layer in table if layer.parameters), None)
    rows = [
        _layer(time, before, layer, layer is first, spec, profile)
        for time, (before, layer) in zip(profile.layers, pairwise(table), strict=True)
    ]
    update = _moving_ms(update_bytes(spec, table), profile.ceilings)
    batch = table[0].size * spec.batch_size
    making = _moving_ms(batch * 5, profile.ceilings)  # read as bytes, written as float32
    update, making = min(update, profile.optimizer_ms), min(making, profile.data_ms)
    rest = profile.optimizer_ms - update + profile.data_ms - making
    rest += profile.loss_ms + profile.host_ms
    memory = update + making + sum(row.ms - row.overhead_ms for row in rows if _is(row, "memory"))
    overhead = rest + sum(row.overhead_ms for row in rows)
    compute = max(profile.step_ms - memory - overhead, 0.0)
    return StepBound(
        batch_size=spec.batch_size,
        step_ms=profile.step_ms,
        layers=tuple(rows),
        compute_ms=compute,
        memory_ms=memory,
        overhead_ms=overhead,
        growing_ms=making + sum(row.ms - row.fixed_ms for row in rows),
        idle_ms=compute * _idle_share(profile),
        host=_host_time(profile, overhead),
    )


def _host_time(profile: Profile, overhead_ms: float) -> HostTime:
    """The overhead of a step, by where it arises."""
    launching_ms = max(overhead_ms - profile.host_ms, 0.0)
    if profile.threads is None:
        return HostTime(None, launching_ms, profile.host_ms)
    return HostTime(profile.host_ms, launching_ms, None)


def _idle_share(profile: Profile) -> float:
    """Of the threads that the ceilings were taken with, those that the step does without."""
    ceilings, used = profile.ceilings, profile.threads
    if ceilings is None or not ceilings.threads or used is None:
        return 0.0
    return max(1 - used / ceilings.threads, 0.0)


def _is(row: LayerBound, bound: Bound) -> bool:
    """Whether the work of a layer, its overhead apart, is of a kind."""
    compute, memory = row.compute_ms or 0.0, row.memory_ms or 0.0
    return ("memory" if memory > compute else "compute") == bound


def _layer(
    time: LayerTime,
    before: Layer,
    layer: Layer,
    first: bool,
    spec: ExperimentSpec,
    profile: Profile,
) -> LayerBound:
    # The first layer that learns hands no gradient on to its input.
    flops = (layer.flops + layer.backward_flops) * spec.batch_size
    ways = _traffic(before, layer, spec)
    moved = sum(way.bytes for way in ways)
    compute = _computing_ms(flops, layer, profile.ceilings)
    memory = sum(_moving_ms(way.bytes, profile.ceilings) for way in ways)
    weights = sum(_moving_ms(way.weights, profile.ceilings) for way in ways)
    overhead = max(time.fixed_ms - weights, 0.0)
    row = LayerBound(
        kind=time.kind,
        detail=time.detail,
        ms=time.ms,
        share=time.ms / profile.step_ms,
        flops=flops,
        bytes=moved,
        compute_ms=compute,
        memory_ms=memory if profile.ceilings and profile.ceilings.bandwidths else None,
        overhead_ms=overhead,
        fixed_ms=time.fixed_ms,
        bound=None,
    )
    return _judged(row)


def _judged(row: LayerBound) -> LayerBound:
    bound: Bound | None = None
    if row.ms and row.overhead_ms >= row.ms / 2:
        bound = "overhead"
    elif row.compute_ms is not None and row.memory_ms is not None:
        bound = "compute" if row.compute_ms >= row.memory_ms else "memory"
    return LayerBound(**{**row.__dict__, "bound": bound})


def _traffic(before: Layer, layer: Layer, spec: ExperimentSpec) -> tuple[Traffic, Traffic]:
    """Of the forward pass: input and weights read, output written. Of the backward pass: output,
    its gradient, input and weights read, gradients of input and weights written.
    """
    each = (4 if spec.precision == "float32" else 2) * spec.batch_size
    weights = layer.parameters * (4 if spec.precision == "float32" else 2)
    return (
        Traffic(weights, (before.size + layer.size + layer.held) * each),
        Traffic(2 * weights, (2 * before.size + 2 * layer.size + 2 * layer.held) * each),
    )


def _computing_ms(flops: float, layer: Layer, ceilings: Ceilings | None) -> float | None:
    if not flops:
        return 0.0
    if ceilings is None:
        return None
    gflops = ceilings.conv_gflops if layer.kind == "Conv2D" else ceilings.matmul_gflops
    return flops / gflops / 1e6 if gflops else None


def _moving_ms(moved: float, ceilings: Ceilings | None) -> float:
    """Milliseconds to move so many bytes; 0 where no bandwidth is known."""
    speed = gb_per_second(ceilings, moved / 1e6)
    return moved / speed / 1e6 if speed else 0.0


def gb_per_second(ceilings: Ceilings | None, mb: float) -> float | None:
    """The bandwidth for so much at once: between the sizes that were measured, by their ratio."""
    if ceilings is None or not ceilings.bandwidths:
        return None
    points = sorted(ceilings.bandwidths, key=lambda point: point.mb)
    sizes = np.log([point.mb for point in points])
    speeds = np.log([point.gb_per_second for point in points])
    return float(np.exp(np.interp(np.log(max(mb, 1e-9)), sizes, speeds)))


def slowest(found: StepBound, most: int = 3) -> Sequence[LayerBound]:
    """The layers that take the most time, longest first."""
    return sorted(found.layers, key=lambda row: -row.ms)[:most]
