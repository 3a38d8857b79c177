"""Run cards as files: JSON that another lab reads without loss, and tables of epochs as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from cnnlab.spec import RUN_SCHEMA, Epoch, LabError, RunCard, problems_of

LARGEST_BYTES = 100_000_000
MOST_PROBLEMS = 3


def to_json(cards: Sequence[RunCard]) -> str:
    """One card as an object, several as a list; steps included."""
    plain = [card.model_dump(mode="json", by_alias=True) for card in cards]
    return json.dumps(plain[0] if len(plain) == 1 else plain, ensure_ascii=False, indent=1) + "\n"


def to_csv(cards: Sequence[RunCard]) -> str:
    """A row for each epoch of each run."""
    file = io.StringIO()
    columns = ["run_id", "name", "device", *Epoch.model_fields]
    table = csv.DictWriter(file, columns, lineterminator="\n")
    table.writeheader()
    for card in cards:
        device = card.device.used if card.device else card.spec.device
        head = {"run_id": card.run_id, "name": card.name, "device": device}
        for row in card.epochs:
            table.writerow(head | row.model_dump())
    return file.getvalue()


def from_json(data: bytes) -> list[RunCard]:
    """The cards in a file that `to_json` wrote, here or elsewhere.

    Raises:
        LabError: it is too large, no JSON, or holds something that is no run card of this schema.
    """
    if len(data) > LARGEST_BYTES:
        limit = f"{LARGEST_BYTES / 1e6:.0f} MB"
        raise LabError(f"The file is larger than {limit}; export fewer runs into one file.")
    try:
        found = json.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise LabError(
            "The file is not JSON, so it holds no run cards; export them anew."
        ) from error
    items = found if isinstance(found, list) else [found]
    if not items:
        raise LabError("The file holds an empty list; export a run into it first.")
    return [_card(item, number) for number, item in enumerate(items, 1)]


def _card(item: Any, number: int) -> RunCard:
    schema = item.get("schema") if isinstance(item, dict) else None
    if schema != RUN_SCHEMA:
        raise LabError(
            f"Run card {number} is of the schema {str(schema)[:40]!r}, but this lab reads "
            f"{RUN_SCHEMA!r}; export it with a lab of the same version."
        )
    try:
        return RunCard.model_validate(item)
    except ValidationError as error:
        problems = problems_of(error)
        said = "; ".join(map(str, problems[:MOST_PROBLEMS]))
        more = f"; and {len(problems) - MOST_PROBLEMS} more" if problems[MOST_PROBLEMS:] else ""
        raise LabError(f"Run card {number} cannot be read: {said}{more}.") from error
