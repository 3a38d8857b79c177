"""Runs as CSV: epochs in one table, steps in another. For spreadsheets; a lab does not read them.

What is not known is an empty cell; NaN and infinity are `nan` and `inf`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from cnnlab.spec import Epoch, RunCard, Steps


def to_csv(cards: Sequence[RunCard]) -> str:
    """A row for each epoch of each run."""
    rows = (_head(card) | dict(row) for card in cards for row in card.epochs)
    return _written(Epoch.model_fields, rows)


def steps_csv(cards: Sequence[RunCard]) -> str:
    """A row for each step of each run; loss and accuracy are known where a window of steps ends."""
    names = list(Steps.model_fields)
    rows = (
        _head(card) | dict(zip(names, row, strict=True))
        for card in cards
        for row in zip(*(getattr(card.steps, name) for name in names), strict=True)
    )
    return _written(names, rows)


def _head(card: RunCard) -> dict[str, Any]:
    device = card.device.used if card.device else card.spec.device
    return {"run_id": card.run_id, "name": _harmless(card.name), "device": _harmless(device)}


def _harmless(text: str) -> str:
    """A text that a spreadsheet does not take for a formula: a quote goes before the sign."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _written(columns: Iterable[str], rows: Iterable[dict[str, Any]]) -> str:
    file = io.StringIO()
    table = csv.DictWriter(file, ["run_id", "name", "device", *columns], lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return file.getvalue()
