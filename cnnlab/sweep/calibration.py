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
SECONDS_PER_DEVICE = 75.0
"""Compiling takes up to half of it; what is left goes to every cell once, then the noisy again."""


@dataclass(frozen=True)
class Choice:
    """A choice that may or may not pay: what it changes in a spec, and what it is held against."""

    field: str
    value: str | int | bool
    against: str
    """What the networks are measured with otherwise, in words."""
    networks: tuple[tuple[str, int], ...] = (("wide dense", 256), ("small cnn", 32))
    """What it is tried on: networks and their batch sizes."""
    only_on: str = ""
    """What the names of the devices begin with that have it."""

    def has(self, device: str) -> bool:
        """Whether a device, such as `cuda:0`, has it."""
        return device.startswith(self.only_on)


COMPILING = "torch.compile"
"""The choice that costs something ahead, too."""
CHOICES: dict[str, Choice] = {
    COMPILING: Choice("compile", True, "uncompiled steps"),
    "mixed_bfloat16": Choice("precision", "mixed_bfloat16", "float32"),
    "mixed_float16": Choice("precision", "mixed_float16", "float32"),
    "one thread": Choice("threads", 1, "all of them"),
    "TF32": Choice(
        # Convolutions have it from the start, see `cnnlab.devices`: only matrix products gain.
        "tf32",
        "on",
        "torch's own choice",
        networks=(("wide dense", 256),),
        only_on="cuda",
    ),
}
"""By name."""


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
_PLACE = {name: place for place, name in enumerate(PROBES)}


def calibration(devices: Sequence[str], *, compiles: bool) -> SweepPlan:
    """The plan of a calibration.

    Args:
        devices: such as `cpu` and `cuda:0`.
        compiles: whether there is a compiler, without which torch.compile is not tried.
    """
    vain = {
        probe(network, size, name)
        for name, choice in CHOICES.items()
        for network, size in choice.networks
        if not any(map(choice.has, devices)) or (choice.field == "compile" and not compiles)
    }
    # How long compiling takes is known to nobody: first, so that the others share what is left.
    names = sorted(PROBES.keys() - vain, key=lambda name: (not PROBES[name].compile, _PLACE[name]))
    return SweepPlan(
        spec=next(iter(PROBES.values())),
        axes=(Axis(name=AXIS, values=tuple(names)),),
        devices=tuple(devices),
        budget_seconds=SECONDS_PER_DEVICE * len(devices),
    )
