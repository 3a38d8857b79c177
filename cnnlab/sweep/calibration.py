"""The calibration: a small sweep that comes with the lab, from which a fresh one can estimate.

Three families in a few sizes each, so that the cost of a step can be told apart into its parts, and
two of them again in each half precision, whose gain differs from device to device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnlab.spec import (
    Axis,
    Block,
    CnnModel,
    Conv,
    DenseModel,
    ExperimentSpec,
    ModelSpec,
    RnnModel,
    SweepPlan,
)

NAME = "Calibration"
AXIS = "probe"
SECONDS_PER_DEVICE = 20.0
HALF = ("mixed_bfloat16", "mixed_float16")


def _dense(*units: int) -> tuple[str, ModelSpec]:
    return "mnist", DenseModel(dense=units)


def _cnn(*layers: tuple[int, int]) -> tuple[str, ModelSpec]:
    blocks = tuple(Block(convs=(Conv(filters=f, kernel=k),), pool=2) for f, k in layers)
    return "shapes", CnnModel(blocks=blocks, dense=(), dropout=0.0)


def _rnn(cell: Any, units: int) -> tuple[str, ModelSpec]:
    return "mnist", RnnModel(cell=cell, recurrent=(units,))


_NETWORKS: dict[str, tuple[tuple[str, ModelSpec], tuple[int, ...]]] = {
    "dense": (_dense(300, 100), (32, 256)),
    "wide dense": (_dense(1024, 1024), (32, 256)),
    "small cnn": (_cnn((16, 5), (32, 3)), (32, 128)),
    "large convolution": (_cnn((64, 7)), (8, 32)),
    "lstm": (_rnn("lstm", 32), (32, 256)),
    "wide lstm": (_rnn("lstm", 128), (32,)),
}
"""By name: data set and network, and the batch sizes to measure it at."""

_IN_HALF = (("wide dense", 256), ("small cnn", 32))


def _probes() -> dict[str, ExperimentSpec]:
    found = {}
    for name, ((dataset, model), sizes) in _NETWORKS.items():
        for size in sizes:
            spec = ExperimentSpec(dataset=dataset, model=model, batch_size=size)
            found[f"{name}, batch {size}"] = spec
    for name, size in _IN_HALF:
        base = found[f"{name}, batch {size}"]
        for precision in HALF:
            key = f"{name}, batch {size}, {precision}"
            found[key] = base.model_copy(update={"precision": precision})
    return found


PROBES = _probes()
"""The cells of a calibration by name."""


def calibration(devices: Sequence[str]) -> SweepPlan:
    """The plan of a calibration on some devices, such as `cpu` and `cuda:0`."""
    return SweepPlan(
        spec=next(iter(PROBES.values())),
        axes=(Axis(name=AXIS, values=tuple(PROBES)),),
        devices=tuple(devices),
        budget_seconds=SECONDS_PER_DEVICE * len(devices),
    )
