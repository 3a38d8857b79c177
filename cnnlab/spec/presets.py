"""Specs worth starting from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from cnnlab.spec.base import Frozen
from cnnlab.spec.experiment import (
    Block,
    CnnModel,
    Conv,
    DenseModel,
    ExperimentSpec,
    ModelSpec,
    RnnModel,
)
from cnnlab.spec.labels import choice


def _blocks(*rows: tuple[tuple[tuple[int, int], ...], int]) -> tuple[Block, ...]:
    return tuple(
        Block(convs=tuple(Conv(filters=f, kernel=k) for f, k in convs), pool=pool)
        for convs, pool in rows
    )


def _recurrent(cell: Literal["lstm", "gru"]) -> ExperimentSpec:
    return ExperimentSpec(
        dataset="waves",
        train_limit=6000,
        epochs=8,
        batch_size=64,
        learning_rate=0.01,
        model=RnnModel(cell=cell, recurrent=(48,)),
    )


class Preset(Frozen):
    """A spec worth starting from, and one line on what it shows."""

    title: str
    shows: str
    spec: ExperimentSpec


PRESETS: dict[str, Preset] = {
    "tiny": Preset(
        title="Tiny",
        shows="A small CNN that tells ten drawn shapes apart within seconds, on any laptop.",
        spec=ExperimentSpec(
            dataset="shapes10",
            train_limit=8000,
            epochs=5,
            learning_rate=0.003,
            model=CnnModel(
                blocks=_blocks((((16, 5),), 2), (((32, 3),), 2)),
                head="flatten",
                dense=(64,),
                dropout=0.0,
            ),
        ),
    ),
    "article": Preset(
        title="Article",
        shows="The published experiment: CIFAR-100, 15 times as fast on its GPU.",
        spec=ExperimentSpec(
            dataset="cifar100",
            model=CnnModel(blocks=_blocks((((128, 7),), 2), (((256, 3), (256, 3)), 0))),
        ),
    ),
    "deeper": Preset(
        title="Deeper",
        shows="The article's network with one more Conv2D and pooling.",
        spec=ExperimentSpec(
            dataset="cifar100",
            epochs=50,
            model=CnnModel(
                blocks=_blocks((((128, 7),), 2), (((256, 3), (256, 3)), 2), (((256, 3),), 0))
            ),
        ),
    ),
    "dense": Preset(
        title="Dense",
        shows="A 300-100-10 perceptron on MNIST, where a CPU may well win.",
        spec=ExperimentSpec(dataset="mnist", epochs=5, model=DenseModel()),
    ),
    "lstm": Preset(
        title="LSTM",
        shows="A small LSTM over drawn sequences, where a CPU may well win.",
        spec=_recurrent("lstm"),
    ),
    "gru": Preset(
        title="GRU",
        shows="The same with GRU cells, which have one gate less.",
        spec=_recurrent("gru"),
    ),
}


DEFAULT_PRESET = "tiny"
FRESH: dict[str, ModelSpec] = {
    "cnn": PRESETS[DEFAULT_PRESET].spec.model,
    "dense": DenseModel(),
    "rnn": RnnModel(),
}
"""What a family of networks begins with when it is chosen."""


@lru_cache(maxsize=1024)
def network_name(model: ModelSpec) -> str:
    """A network in a few words: its preset's title, or its layers."""
    titles = (preset.title for preset in PRESETS.values() if preset.spec.model == model)
    if title := next(titles, None):
        return title
    dense = _sizes(model.dense)
    tail = f", dense {dense}" if dense else ""
    match model:
        case CnnModel():
            blocks = (
                "+".join(f"{conv.filters:,}" for conv in block.convs) for block in model.blocks
            )
            return f"CNN {' – '.join(blocks)}{tail}"
        case RnnModel():
            last = f", last {model.sequence_length:,} steps" if model.sequence_length else ""
            cell, units = choice("model.cell", model.cell), _sizes(model.recurrent)
            return f"{cell} {units}{last}{tail}"
        case _:
            return f"Dense {dense}" if dense else "Softmax alone"


def _sizes(layers: Sequence[int]) -> str:
    return "-".join(f"{size:,}" for size in layers)
