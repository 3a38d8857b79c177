"""What a sweep may vary, and how an axis is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from cnnlab.spec import PRESETS, Axis, Engine, ExperimentSpec, LabError, Precision, Value
from cnnlab.sweep.calibration import CHOICES, PROBES

Raw = dict[str, Any]


def _filters(raw: Raw, value: Value) -> None:
    for block in raw["model"]["blocks"]:
        block["convs"] = [conv | {"filters": value} for conv in block["convs"]]


def _depth(raw: Raw, value: Value) -> None:
    """The first so many, and the last again and again where there are not enough."""
    assert isinstance(value, int)
    model = raw["model"]
    name = {"cnn": "blocks", "dense": "dense", "rnn": "recurrent"}[model["family"]]
    layers = model[name]
    # The spec refuses what is too deep; a list of a million layers is not made to find that out.
    model[name] = [layers[min(place, len(layers) - 1)] for place in range(min(value, 99))]


def _units(raw: Raw, value: Value) -> None:
    name = "recurrent" if raw["model"]["family"] == "rnn" else "dense"
    raw["model"][name] = [value] * len(raw["model"][name])


def _sequence_length(raw: Raw, value: Value) -> None:
    raw["model"]["sequence_length"] = value


def _preset(raw: Raw, value: Value) -> None:
    preset = PRESETS[str(value)].spec.model_dump(mode="json")
    raw |= {"model": preset["model"], "dataset": preset["dataset"]}


def _probe(raw: Raw, value: Value) -> None:
    probe = PROBES[str(value)].model_dump(mode="json")
    changed = {choice.field for choice in CHOICES.values()}
    raw |= {name: probe[name] for name in ("model", "dataset", "batch_size", *changed)}


def _plain(name: str) -> Callable[[Raw, Value], None]:
    def put(raw: Raw, value: Value) -> None:
        raw[name] = value

    return put


@dataclass(frozen=True)
class AxisKind:
    """What may vary, and how a value is put into a spec."""

    title: str
    put: Callable[[Raw, Value], None]
    words: tuple[str, ...] = ()
    """The values there are; empty: whole numbers from 1."""
    families: tuple[str, ...] = ("cnn", "dense", "rnn")
    needs: str = ""
    """What a network of a right family may still lack, in words."""
    fits: Callable[[ExperimentSpec], bool] = lambda spec: True
    offered: bool = True
    """Whether a person chooses it; the calibration's own axis is not."""


AXES: dict[str, AxisKind] = {
    "probe": AxisKind("Probe", _probe, words=tuple(PROBES), offered=False),
    "preset": AxisKind("Preset", _preset, words=tuple(PRESETS)),
    "filters": AxisKind("Filters", _filters, families=("cnn",)),
    "depth": AxisKind(
        "Depth",
        _depth,
        needs="a hidden layer to repeat",
        fits=lambda spec: spec.model.family != "dense" or bool(spec.model.dense),
    ),
    "units": AxisKind(
        "Units",
        _units,
        needs="a hidden Dense layer",
        fits=lambda spec: spec.model.family == "rnn" or bool(spec.model.dense),
    ),
    "sequence_length": AxisKind("Sequence length", _sequence_length, families=("rnn",)),
    "batch_size": AxisKind("Batch size", _plain("batch_size")),
    "train_limit": AxisKind("Pictures", _plain("train_limit")),
    "threads": AxisKind("Threads", _plain("threads")),
    "precision": AxisKind("Precision", _plain("precision"), words=get_args(Precision)),
    "engine": AxisKind("Engine", _plain("engine"), words=get_args(Engine)),
}
"""What a sweep may vary, by name; `train_limit` may be called `pictures` too."""

OFFERED = tuple(name for name, kind in AXES.items() if kind.offered)

ALIASES = {"pictures": "train_limit"}


def parse_axis(text: str) -> Axis:
    """An axis from `name=value,value`.

    Raises:
        LabError: no such axis, no values, a value that is none, or one twice.
    """
    name, equals, listed = text.partition("=")
    name = name.strip()
    name = ALIASES.get(name, name)
    if name not in OFFERED:
        raise LabError(f"There is no axis {name[:40]!r}; choose one of {', '.join(OFFERED)}.")
    example = ",".join((AXES[name].words or ("32", "128"))[:2])
    found = [value.strip() for value in listed.split(",")] if listed.strip() else []
    if not equals or not found or "" in found:
        lacks = f"has an empty value among its {len(found)}" if found else "has no values"
        raise LabError(f"The axis {name} {lacks}; write them like {name}={example}.")
    values = tuple(_value(name, value) for value in found)
    for value in values:
        if values.count(value) > 1:
            raise LabError(
                f"The axis {name} names {value} {values.count(value)} times; once will do."
            )
    return Axis(name=name, values=values)


def _value(name: str, text: str) -> Value:
    words = AXES[name].words
    if words:
        if text not in words:
            raise LabError(
                f"The axis {name} knows no {text[:40]!r}; choose from {', '.join(words)}."
            )
        return text
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise LabError(
            f"The axis {name} takes whole numbers, but {text[:40]!r} is none; write digits only, "
            "at most nine."
        )
    return int(text)
