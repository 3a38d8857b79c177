"""Run cards as files: JSON and Parquet, which another lab reads without loss.

One run is a JSON object, several are a list of them; `run-card.schema.json` beside this module says
in JSON Schema what stands in one. A file is read whole or refused in one sentence.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from cnnlab.report import parquet
from cnnlab.spec import RUN_SCHEMA, LabError, RunCard, decoded, problems_of

LARGEST_BYTES = 64_000_000
# Of JSON, where each takes time and memory; a dozen runs of fifty long epochs have as many.
MOST_VALUES = 5_000_000
LARGEST_INTEGER = 2**63 - 1
MOST_PROBLEMS = 3
SCHEMA_FILE = Path(__file__).with_name("run-card.schema.json")


def to_json(cards: Sequence[RunCard]) -> str:
    """One card as an object, several as a list, a line each; steps included."""
    lines = [card.model_dump_json(by_alias=True) for card in cards]
    return (lines[0] if len(lines) == 1 else "[\n" + ",\n".join(lines) + "\n]") + "\n"


def imported_from(file_name: str) -> str:
    """How the history says where a run came from."""
    return f"imported from {file_name.encode(errors='replace').decode()}"


def read_file(path: Path) -> list[RunCard]:
    """The cards in a file.

    Raises:
        LabError: as `read`, or the file cannot be read; names it.
    """
    try:
        # Only files: a pipe or a device may never end.
        if path.exists() and not path.is_file():
            raise LabError(f"{path} is no file; name one that holds run cards.")
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise LabError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        return read(data)
    except LabError as error:
        raise LabError(f"{path.name} is refused: {error}") from error


def read(data: bytes) -> list[RunCard]:
    """The cards in what `to_json` or `parquet.to_parquet` wrote, here or elsewhere.

    Raises:
        LabError: it is too large, of another kind, or holds something that is no run card.
    """
    if len(data) > LARGEST_BYTES:
        limit = f"{LARGEST_BYTES / 1e6:.0f} MB"
        raise LabError(f"The file is larger than {limit}; export fewer runs into one file.")
    if data.startswith(parquet.MAGIC):
        items = parquet.from_parquet(data, _loaded)
    else:
        # Counted before they are read: each is parted from the next by a comma.
        if data.count(b",") > MOST_VALUES:
            raise LabError(
                f"The file holds more than {MOST_VALUES:,} values; export fewer runs into one "
                "file, or as Parquet."
            )
        found = _loaded(_decoded(data))
        items = found if isinstance(found, list) else [found]
    if not items:
        raise LabError("The file holds no run; export one into it first.")
    return [_card(item, number) for number, item in enumerate(items, 1)]


def _decoded(data: bytes) -> str:
    try:
        return decoded(data)
    except UnicodeDecodeError as error:
        raise LabError(
            "The file is not JSON in UTF-8 or UTF-16, so it holds no run cards; export them anew."
        ) from error


def _loaded(text: str) -> Any:
    """JSON, and nothing that only looks like it.

    Raises:
        LabError: no JSON; NaN without quotes, a field that stands twice, an integer beyond 64
            bits, or lists within lists beyond all measure.
    """
    try:
        return json.loads(
            text, parse_constant=_no_constant, parse_int=_integer, object_pairs_hook=_object
        )
    except json.JSONDecodeError as error:
        raise LabError(
            f"The file is not JSON ({error.msg} in line {error.lineno}), so it holds no run "
            "cards; export them anew."
        ) from error
    except (RecursionError, ValueError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise LabError(f"The file is not JSON as a lab writes it: {reason!s:.120}.") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} stands in it as a number, which is written as text")


def _integer(text: str) -> int:
    # Bounded before it is read: that takes a time that grows with the square of the digits.
    if len(text) > 20 or abs(value := int(text)) > LARGEST_INTEGER:
        raise ValueError(f"the number {text[:20]}… has more than 64 bits")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field stands in it twice")
    return found


def _card(item: Any, number: int) -> RunCard:
    schema = item.get("schema") if isinstance(item, dict) else None
    if schema != RUN_SCHEMA:
        raise LabError(
            f"Run card {number} is of the schema {str(schema)[:40]!r}, but this lab reads "
            f"{RUN_SCHEMA!r}; export it with a lab of the same version."
        )
    try:
        card = RunCard.model_validate(item)
    except ValidationError as error:
        problems = problems_of(error)
        said = "; ".join(map(str, problems[:MOST_PROBLEMS]))
        more = f"; and {len(problems) - MOST_PROBLEMS} more" if problems[MOST_PROBLEMS:] else ""
        raise LabError(f"Run card {number} cannot be read: {said}{more}.") from error
    _check(card, number)
    return card


def _check(card: RunCard, number: int) -> None:
    """What the fields alone do not say.

    Raises:
        LabError: columns of steps differ in length, or what is in the card could not be written.
    """
    if len({len(column) for _, column in card.steps}) > 1:
        raise LabError(f"The steps of run card {number} are columns of unequal length; mend them.")
    try:
        card.model_dump_json(exclude={"steps", "epochs"})
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise LabError(
            f"Run card {number} holds text or nesting that cannot be kept; export it anew."
        ) from error


# --- the schema -----------------------------------------------------------------------------


def json_schema() -> str:
    """What `run-card.schema.json` holds: the card as JSON Schema, made from the model."""
    schema = RunCard.model_json_schema(mode="serialization", by_alias=True)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"CNN Lab run card, {RUN_SCHEMA}",
        # It has a default in the model, but a card without it is not taken for one.
        "required": ["schema", *schema["required"]],
    }
    return json.dumps(head | _exact(schema) | head, ensure_ascii=False, indent=1) + "\n"


def _exact(schema: Any) -> Any:
    """Say of numbers, as the model cannot, which three words may stand in their place."""
    if isinstance(schema, list):
        return [_exact(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kinds = schema.get("anyOf", [])
    if {"type": "number"} in kinds and {"type": "string"} in kinds:
        words = {"enum": ["nan", "inf", "-inf"]}
        kinds = [words if kind == {"type": "string"} else kind for kind in kinds]
        return schema | {"anyOf": kinds}
    return {name: _exact(item) for name, item in schema.items()}
