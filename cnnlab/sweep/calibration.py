"""The calibration: a small sweep that comes with the lab, from which a fresh one can estimate.

Three families in a few sizes each, so that the cost of a step can be told apart into its parts, and
two of them again with each choice whose gain differs from device to device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
SECONDS_PER_DEVICE = 60.0
"""Every cell once takes a third of it, and torch.compile a third; then the noisy ones again."""


@dataclass(frozen=True)
class Choice:
    """A choice that may or may not pay: what it changes in a spec, and what it is held against."""

    field: str
    value: str | int | bool
    against: str
    """What the networks are measured with otherwise, in words."""
    networks: tuple[tuple[str, int], ...] = (("wide dense", 256), ("small cnn", 32))
    """What it is tried on: networks and their batch sizes."""
    devices: str = ""
    """What the names of the devices begin with that have it."""


CHOICES: dict[str, Choice] = {
    "mixed_bfloat16": Choice("precision", "mixed_bfloat16", "float32"),
    "mixed_float16": Choice("precision", "mixed_float16", "float32"),
    "one thread": Choice("threads", 1, "all of them"),
    "TF32": Choice(
        # Convolutions have it from the start, see `cnnlab.devices`: only matrix products gain.
        "tf32",
        "on",
        "torch's own choice",
        networks=(("wide dense", 256),),
        devices="cuda",
    ),
    "torch.compile": Choice("compile", True, "uncompiled steps"),
}
"""By name, the slowest to try last: if the time runs out, it runs out there."""


def _dense(*units: int) -> tuple[str, ModelSpec]:
    return "mnist", DenseModel(dense=units)


def _cnn(*layers: tuple[int, int]) -> tuple[str, ModelSpec]:
    blocks = tuple(Block(convs=(Conv(filters=f, kernel=k),), pool=2) for f, k in layers)
    return "shapes", CnnModel(blocks=blocks, dense=(), dropout=0.0)


def _rnn(cell: Any, units: int) -> tuple[str, ModelSpec]:
    return "mnist", RnnModel(cell=cell, recurrent=(units,))


NETWORKS: dict[str, tuple[tuple[str, ModelSpec], tuple[int, ...]]] = {
    "dense": (_dense(300, 100), (32, 256)),
    "wide dense": (_dense(1024, 1024), (32, 256)),
    "small cnn": (_cnn((16, 5), (32, 3)), (32, 128)),
    "large convolution": (_cnn((64, 7)), (8, 32)),
    "lstm": (_rnn("lstm", 32), (32, 256)),
    "wide lstm": (_rnn("lstm", 128), (32,)),
}
"""By name: data set and network, and the batch sizes to measure it at, smallest first."""


def probe(network: str, batch_size: int, choice: str | None = None) -> str:
    """What the cell is called that measures a network at a batch size, and with a choice."""
    return ", ".join([network, f"batch {batch_size}", *([choice] if choice else [])])


def _probes() -> dict[str, ExperimentSpec]:
    found = {}
    for name, ((dataset, model), sizes) in NETWORKS.items():
        for size in sizes:
            spec = ExperimentSpec(dataset=dataset, model=model, batch_size=size)
            found[probe(name, size)] = spec
    for name, choice in CHOICES.items():
        for network, size in choice.networks:
            base = found[probe(network, size)]
            found[probe(network, size, name)] = base.model_copy(update={choice.field: choice.value})
    return found


PROBES = _probes()
"""The cells of a calibration by name."""


def calibration(devices: Sequence[str]) -> SweepPlan:
    """The plan of a calibration on some devices, such as `cpu` and `cuda:0`."""
    vain = {
        probe(network, size, name)
        for name, choice in CHOICES.items()
        for network, size in choice.networks
        if not any(device.startswith(choice.devices) for device in devices)
    }
    names = tuple(name for name in PROBES if name not in vain)
    return SweepPlan(
        spec=next(iter(PROBES.values())),
        axes=(Axis(name=AXIS, values=names),),
        devices=tuple(devices),
        budget_seconds=SECONDS_PER_DEVICE * len(devices),
    )
