"""What differs between runs: every field and fact, as a table of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from cnnlab import words
from cnnlab.spec import Frozen, RunCard, choice

DEVICES = {"auto": "any", "cpu": "CPU"}
"""What a device that was asked for or used is called; a card goes by its key."""
HASH_LENGTH = 12


def flatten(value: Any, name: str = "") -> dict[str, Any]:
    """Nested plain data as one level with dotted names: `model.blocks.0.convs.1.filters`.

    A list of plain values stays one value.
    """
    if isinstance(value, Mapping):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list | tuple) and any(isinstance(v, Mapping | list) for v in value):
        items = [(str(index), item) for index, item in enumerate(value)]
    else:
        return {name: value}
    flat: dict[str, Any] = {}
    for key, item in items:
        flat |= flatten(item, f"{name}.{key}" if name else key)
    return flat


def differences(cards: Sequence[RunCard]) -> pd.DataFrame:
    """Only what differs between the runs, as text: a row for each field, a column for each run id.

    Fields of the spec go by their own dotted names; facts follow as `dataset.…`, `device.…`,
    `environment.…` and the model's `model.parameters`, `model.flops_per_image`.
    """
    facts = [_all_facts(card) for card in cards]
    names = list(dict.fromkeys(name for each in facts for name in each))
    found = {name: [each.get(name) for each in facts] for name in names}
    # Most fields of many runs are the same; only the rest is worth putting into words.
    rows = {
        name: [_written(name, value) for value in row]
        for name, row in found.items()
        if any(value != row[0] for value in row[1:])
    }
    differing = {name: row for name, row in rows.items() if len(set(row)) > 1}
    frame = pd.DataFrame.from_dict(
        differing, orient="index", columns=[card.run_id for card in cards], dtype="str"
    )
    return frame.rename_axis("field")


def agreements(card: RunCard, differing: pd.DataFrame) -> dict[str, str]:
    """The rest of `differences`: what one of the runs shares with all others, as text by field."""
    facts = _all_facts(card)
    return {
        name: _written(name, value) for name, value in facts.items() if name not in differing.index
    }


def facts_of(record: Frozen, name: str = "") -> dict[str, Any]:
    """The facts of a part of a card by dotted name, without what is told of the files beside."""
    return flatten(record.model_dump(mode="json", exclude={"understood", "warnings"}), name)


def _written(name: str, value: Any) -> str:
    """A setting to its last digit; a fraction that was measured, such as a load, to three; of a
    hash as much as tells two apart.
    """
    if isinstance(value, str):
        if name.endswith("sha256"):
            return value[:HASH_LENGTH]
        return DEVICES.get(value, value) if name.startswith("device") else choice(name, value)
    measured = isinstance(value, float) and name.startswith("environment.")
    return words.number(value) if measured else words.value(value)


def _all_facts(card: RunCard) -> dict[str, Any]:
    facts = flatten(card.spec.model_dump(mode="json"))
    for name in ("model", "dataset", "device"):
        part = getattr(card, name)
        facts |= facts_of(part, name) if part else {}
    # The spec's own field says it already.
    facts.pop("device.requested", None)
    return facts | flatten(card.environment, "environment")
