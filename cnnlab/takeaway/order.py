"""What is to be made, and what a file says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from cnnlab.spec import DatasetFacts, ExperimentSpec, Frozen, Kind, RunCard

Form = Literal["keras", "onnx", "torch", "safetensors"]
SUFFIXES: dict[Form, str] = {
    "keras": ".keras",
    "onnx": ".onnx",
    "torch": ".pt2",
    "safetensors": ".safetensors",
}
INPUTS: dict[Kind, str] = {
    "pictures": "height, width, channels of pictures; each pixel, 0 to 255, divided by 255",
    "series": "steps, features, 1 of sequences; each column scaled by the mean and the standard "
    "deviation of the training part",
}


class About(Frozen):
    """What a file says of itself, beside its numbers."""

    format: Literal["cnnlab.model/1"] = "cnnlab.model/1"
    run_id: str
    name: str
    spec: ExperimentSpec
    """As the run was trained; the file computes in float32 whatever the precision was."""
    input_shape: tuple[int, int, int]
    input: str
    """What the axes and the values are."""
    classes: tuple[str, ...]
    """What each output stands for, in order; they are probabilities."""


class Order(Frozen):
    """What the process that makes a file is told."""

    about: About
    form: Form
    output: str
    """A file in a folder of its own, with the suffix of the form."""


def about(card: RunCard, facts: DatasetFacts, class_names: Sequence[str]) -> About:
    """What a file will say of a run.

    Args:
        facts: the data that it read.
    """
    height, width, channels = facts.image_shape
    return About(
        run_id=card.run_id,
        name=card.name,
        spec=card.spec,
        input_shape=(height, width, channels),
        input=INPUTS[facts.kind],
        classes=tuple(class_names),
    )
