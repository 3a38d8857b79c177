"""The fields of a spec as a person meets them, and a spec as a link.

One table, `FIELDS`, drives the form and the link. A link names a preset and what differs from it:
`?preset=article&epochs=3&dense=300-100&blocks=128x7-p2_256x3`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from cnnlab.spec import (
    DEFAULT_PRESET,
    FRESH,
    PRESETS,
    Block,
    CnnModel,
    Conv,
    DenseModel,
    ExperimentSpec,
    Problem,
    RnnModel,
    SpecError,
    label,
    parse_spec,
    quoted,
)
from cnnlab.spec.fields import Raw, get, put

Section = Literal["data", "network", "training", "device"]


@dataclass(frozen=True)
class Field:
    """One field of a spec: where it is, and what it does."""

    path: str
    help: str
    section: Section
    folded: bool = False
    """Rarely changed, so out of sight at first."""
    typed: bool = False
    """Written as text, because it spans orders of magnitude."""

    @property
    def name(self) -> str:
        """Its name in a link."""
        return self.path.rpartition(".")[2]

    @property
    def label(self) -> str:
        """What it is called."""
        return label(self.path)


FIELDS: tuple[Field, ...] = (
    Field("dataset", "The pictures or sequences to learn from.", "data"),
    Field(
        "train_limit",
        "Only the first so many pictures or sequences; left empty, all of them. Those that are "
        "kept aside to validate are among them.",
        "data",
    ),
    Field("model.family", "What kind of network: the layers it is made of.", "network"),
    Field(
        "model.cell",
        "The recurrent layer; a sequence is read step by step, a picture row by row.",
        "network",
    ),
    Field(
        "model.recurrent",
        "Units of each recurrent layer, separated by commas.",
        "network",
    ),
    Field(
        "model.sequence_length",
        "Only the last so many steps of each sequence, or rows of each picture; left empty, all.",
        "network",
    ),
    Field(
        "model.head",
        "How the last feature maps become one vector: their averages, or all their values.",
        "network",
    ),
    Field(
        "model.dense",
        "Units of each Dense layer before the softmax, separated by commas; empty for none.",
        "network",
    ),
    Field(
        "model.dropout",
        "Share of values that are dropped at random while training; 0 for none.",
        "network",
    ),
    Field(
        "model.batch_norm",
        "Normalise each layer's output over the batch, before its activation.",
        "network",
        folded=True,
    ),
    Field(
        "model.padding",
        "valid: a convolution shrinks the picture by its kernel; same: the size stays.",
        "network",
        folded=True,
    ),
    Field(
        "model.activation",
        "The function after every layer but the last.",
        "network",
        folded=True,
    ),
    Field(
        "model.initializer",
        "The distribution that the first weights are drawn from.",
        "network",
        folded=True,
    ),
    Field("epochs", "How often the network sees all that it learns from.", "training"),
    Field("batch_size", "Pictures or sequences in one training step.", "training"),
    Field("optimizer", "The rule that turns gradients into new weights.", "training"),
    Field(
        "learning_rate",
        "How far each step goes; 0.001 is Adam's usual one.",
        "training",
        typed=True,
    ),
    Field(
        "validation_split",
        "Share of the data kept aside, to see how the network does on what it never saw.",
        "training",
        folded=True,
    ),
    Field(
        "split",
        "Keep the last ones aside, as Keras does, or of each class its share, which data sorted by "
        "class need. A limit on the examples used takes the first ones, or such shares.",
        "training",
        folded=True,
    ),
    Field(
        "precision",
        "The dtype policy; a mixed one computes in 16 bits and keeps weights in 32.",
        "training",
        folded=True,
    ),
    Field(
        "tf32",
        "Let an NVIDIA card round the inputs of float32 arithmetic to 10 bits; torch by itself "
        "lets convolutions and not matrix products.",
        "training",
        folded=True,
    ),
    Field(
        "seed",
        "Of the first weights, the order of batches and the dropout.",
        "training",
        folded=True,
    ),
    Field(
        "engine",
        "stock: Keras's own fit, as published; fast: the same network fed in a quicker way.",
        "training",
    ),
    Field(
        "compile",
        "Let torch.compile rewrite the network first; that takes a while and may or may not pay.",
        "training",
        folded=True,
    ),
    Field(
        "machine",
        "The machine that trains it: the lab's own computer, or one of its cluster.",
        "device",
    ),
    Field("device", "What it trains on; auto takes the GPU if there is one.", "device"),
    Field(
        "threads",
        "Threads that one operation may use. Left empty, the fast engine takes one for a step so "
        "small that sharing it does not pay; torch decides on all others.",
        "device",
        folded=True,
    ),
    Field(
        "gpu_off",
        "One of the published ways to keep a run off the GPU; the Hardware page explains them.",
        "device",
        folded=True,
    ),
)

_FAMILIES: dict[str, Any] = {"cnn": CnnModel, "dense": DenseModel, "rnn": RnnModel}
_LISTS = ("dense", "recurrent")
_ROOTS: dict[str, Any] = {"spec": ExperimentSpec, "conv": Conv, "block": Block, **_FAMILIES}


@cache
def schema(root: str, name: str) -> Mapping[str, Any]:
    """JSON schema of a field: its type, bounds and choices.

    Args:
        root: `spec`, `conv`, `block`, or a family of networks.

    Returns:
        The schema of its values, with `nullable` added.
    """
    found = dict(_ROOTS[root].model_json_schema()["properties"][name])
    several = found.pop("anyOf", [])
    for option in several:
        found |= {} if option["type"] == "null" else option
    return found | {"nullable": {"type": "null"} in several}


def schema_of(field: Field, family: str) -> Mapping[str, Any]:
    """JSON schema of a field in a spec whose network is of `family`."""
    return schema(family if field.path.startswith("model.") else "spec", field.name)


def fields_of(family: str) -> Iterator[Field]:
    """The fields that a spec has whose network is of `family`, but for its blocks."""
    members = _FAMILIES[family].model_fields
    for field in FIELDS:
        if not field.path.startswith("model.") or field.name in members:
            yield field


def path_of(name: str) -> str:
    """Where a field is that a link names."""
    return next(field.path for field in FIELDS if field.name == name)


def sentence(problem: Problem) -> str:
    """What is wrong with a field, where it is, and what is allowed."""
    return f"{label(problem.field)} is {problem.value}, but {problem.allowed}."


# --- links ----------------------------------------------------------------------------------


def encode(spec: ExperimentSpec) -> dict[str, str]:
    """The shortest link to a spec, as query parameters: a preset, and what differs from it."""
    return min((_differences(spec, name) for name in _names()), key=_length)


def decode(parameters: Mapping[str, str]) -> ExperimentSpec:
    """The spec that a link stands for. Parameters that name no field are left out.

    Raises:
        SpecError: names every bad field, its value and what is allowed.
    """
    name = parameters.get("preset", DEFAULT_PRESET)
    if name not in PRESETS:
        allowed = f"it should be one of {', '.join(PRESETS)}"
        raise SpecError([Problem(field="preset", value=quoted(name), allowed=allowed)])
    raw = PRESETS[name].spec.model_dump(mode="json")
    family = parameters.get("family", raw["model"]["family"])
    if family not in FRESH:
        allowed = f"it should be one of {', '.join(FRESH)}"
        raise SpecError([Problem(field="model.family", value=quoted(family), allowed=allowed)])
    if family != raw["model"]["family"]:
        raw["model"] = FRESH[family].model_dump(mode="json")
    for field in fields_of(family):
        if field.name in parameters:
            put(raw, field.path, _value(field, family, parameters[field.name]))
    if family == "cnn" and "blocks" in parameters:
        raw["model"]["blocks"] = _blocks(parameters["blocks"])
    return parse_spec(raw)


def preset_of(parameters: Mapping[str, str]) -> ExperimentSpec:
    """What to show instead of a link that is refused: its preset."""
    return PRESETS.get(parameters.get("preset", ""), PRESETS[DEFAULT_PRESET]).spec


def left_out(parameters: Mapping[str, str]) -> list[str]:
    """Parameters of a link that name no field of any spec."""
    return sorted(set(parameters) - {field.name for field in FIELDS} - {"preset", "blocks"})


def _names() -> list[str]:
    """Presets, the one that needs not be named first: of equally short links the first is taken."""
    return sorted(PRESETS, key=lambda name: name != DEFAULT_PRESET)


def _length(parameters: Mapping[str, str]) -> int:
    return sum(len(name) + len(text) for name, text in parameters.items())


def _differences(spec: ExperimentSpec, preset: str) -> dict[str, str]:
    base, family = PRESETS[preset].spec, spec.model.family
    link = {"preset": preset}
    raw = base.model_dump(mode="json")
    if family != base.model.family:
        raw["model"] = FRESH[family].model_dump(mode="json")
        link["family"] = family
    wanted = spec.model_dump(mode="json")
    for field in fields_of(family):
        text = _text(get(wanted, field.path))
        if field.name != "family" and text != _text(get(raw, field.path)):
            link[field.name] = text
    if family == "cnn" and wanted["model"]["blocks"] != raw["model"]["blocks"]:
        link["blocks"] = "_".join(map(_block_text, wanted["model"]["blocks"]))
    return link


def _text(value: Any) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "-".join(map(str, value))
    return str(value)


def _value(field: Field, family: str, text: str) -> Any:
    """What a text stands for; where it is no good, the text itself, for `parse_spec` to refuse."""
    if field.name in _LISTS:
        return [] if text == "none" else text.split("-")
    return None if text == "none" and schema_of(field, family)["nullable"] else text


def _block_text(block: Raw) -> str:
    convs = [f"{conv['filters']}x{conv['kernel']}" for conv in block["convs"]]
    return "-".join([*convs, *([f"p{block['pool']}"] if block["pool"] else [])])


_BLOCK = re.compile(
    r"(?P<convs>[0-9]{1,6}x[0-9]{1,6}(-[0-9]{1,6}x[0-9]{1,6})*)(-p(?P<pool>[0-9]{1,6}))?"
)


def _blocks(text: str) -> list[Raw]:
    """Blocks from a text such as `128x7-p2_256x3-256x3`."""
    found = [_BLOCK.fullmatch(part) for part in text.split("_")]
    if not all(found):
        allowed = "it should read like 128x7-p2_256x3-256x3: filters x kernel, then p and the pool"
        raise SpecError([Problem(field="model.blocks", value=quoted(text), allowed=allowed)])
    return [
        {
            "convs": [
                dict(zip(("filters", "kernel"), conv.split("x"), strict=True))
                for conv in match["convs"].split("-")
            ],
            "pool": int(match["pool"] or 0),
        }
        for match in found
        if match
    ]
