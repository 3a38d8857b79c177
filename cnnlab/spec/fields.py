"""Fields of a spec by their dotted path, such as `model.blocks.0.convs.0.filters`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from cnnlab.spec.base import Problem, SpecError, quoted
from cnnlab.spec.experiment import (
    Block,
    CnnModel,
    Conv,
    DenseModel,
    ExperimentSpec,
    RnnModel,
    parse_spec,
)
from cnnlab.spec.presets import FRESH

Raw = dict[str, Any]
"""A spec as plain data, whatever it holds; `parse_spec` judges it."""


def get(raw: Any, path: str) -> Any:
    """The value at a path.

    Raises:
        LookupError, ValueError, TypeError: there is nothing there.
    """
    for part in path.split("."):
        raw = raw[int(part)] if isinstance(raw, list) else raw[part]
    return raw


def put(raw: Raw, path: str, value: Any) -> None:
    """Set the value at a path whose parents exist."""
    parent, _, last = path.rpartition(".")
    within: Any = get(raw, parent) if parent else raw
    within[int(last) if isinstance(within, list) else last] = value


def paths() -> Iterator[str]:
    """Every field that there is, `N` in the place of a number: block, convolution."""
    yield from (name for name in ExperimentSpec.model_fields if name != "model")
    models = (CnnModel, DenseModel, RnnModel)
    names = dict.fromkeys(name for model in models for name in model.model_fields)
    yield from (f"model.{name}" for name in names if name != "blocks")
    yield from (f"model.blocks.N.{name}" for name in Block.model_fields if name != "convs")
    yield from (f"model.blocks.N.convs.N.{name}" for name in Conv.model_fields)


def assign(spec: ExperimentSpec, assignments: Sequence[str]) -> ExperimentSpec:
    """A copy of `spec` with fields set by texts such as `model.dense=300,100`.

    A value is read as JSON, or as text where the field holds one; a list needs no brackets. Another
    family of networks begins with its usual layers.

    Raises:
        SpecError: names every path that leads nowhere, or every value that cannot work.
    """
    raw = spec.model_dump(mode="json")
    problems = [problem for text in assignments if (problem := _assign(raw, text))]
    if problems:
        raise SpecError(problems)
    return parse_spec(raw)


def _assign(raw: Raw, text: str) -> Problem | None:
    path, equals, value = (part.strip() for part in text.partition("="))
    if not equals:
        return Problem(field=path, value="nothing", allowed="it should be set like epochs=5")
    try:
        before = get(raw, path)
    except (LookupError, ValueError, TypeError):
        return Problem(
            field=path, value=quoted(value), allowed="this spec has no such field; see --help"
        )
    if path == "model.family" and value in FRESH and value != before:
        raw["model"] = FRESH[value].model_dump(mode="json")
    else:
        put(raw, path, _value(value, before))
    return None


def _value(text: str, before: Any) -> Any:
    if isinstance(before, str):
        return text
    found = _json(text)
    if isinstance(before, list) and not isinstance(found, list):
        found = _json(f"[{text}]")
    return text if found is None and text != "null" else found


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
