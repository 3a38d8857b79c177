"""What is to be made, and what a file says of itself."""

from __future__ import annotations

from typing import Literal

from cnnlab.learned import At, Learned
from cnnlab.spec import DatasetFacts, ExperimentSpec, Frozen, Kind, LabError, RunCard

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
    weights: At = "final"
    """Those of the run's end, as far as they were kept, or of the epoch with the best validation
    accuracy."""
    epoch: int | None = None
    """After which they were kept; null: whoever made the file did not say."""
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


def about(card: RunCard, data: DatasetFacts, kept: Learned, weights: At = "final") -> About:
    """What a file will say of a run.

    Args:
        data: those that it read.
        kept: what it learnt.

    Raises:
        LabError: it has no best epoch, or none of its weights are kept.
    """
    epoch = kept.best if weights == "best" else kept.end
    if epoch is None and weights == "best":
        raise LabError(
            f"No epoch of run {card.run_id} is known to be its best: export its final weights."
        )
    if epoch is None:
        raise LabError(f"No weights of run {card.run_id} are kept any more: train it again.")
    height, width, channels = data.image_shape
    return About(
        run_id=card.run_id,
        name=card.name,
        spec=card.spec,
        weights=weights,
        epoch=epoch,
        input_shape=(height, width, channels),
        input=INPUTS[data.kind],
        classes=kept.facts.class_names,
    )


def file_name(about: About, form: Form) -> str:
    """What a file is called where nobody names it: "run-ID-best.keras"."""
    return f"run-{about.run_id}-{about.weights}{SUFFIXES[form]}"
