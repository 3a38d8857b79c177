"""Run cards as Parquet: a row for each run, with its epochs and steps as typed columns.

Texts of a card are columns of text, its records (`spec`, `timing` …) columns of JSON, so that
nothing is lost: `read_table(F)["epochs"]` in pyarrow, or `pandas.read_parquet`, gives the curves.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cnnlab.spec import Epoch, LabError, RunCard, Steps

MAGIC = b"PAR1"
# Of what is packed, which a small file can hold very much of.
MOST_RUNS = 10_000
MOST_VALUES = 20_000_000
MOST_BYTES = 1_000_000_000

_TEXTS = ("schema", "run_id", "name", "session", "status", "error", "note", "created_at")
_RECORDS = (
    *("spec", "model", "dataset", "device", "environment"),
    *("timing", "memory", "energy", "disturbances", "test", "profile", "trials"),
    *("machine", "sweep", "part"),
)
_NEWER = ("test", "profile", "trials", "machine", "sweep", "part")
"""Columns that files of earlier labs lack."""
_COUNTS = ("step", "epoch")


def _type(name: str) -> pa.DataType:
    return pa.int64() if name in _COUNTS else pa.float64()


_EPOCHS = pa.list_(pa.struct([(name, _type(name)) for name in Epoch.model_fields]))
_STEPS = pa.struct([(name, pa.list_(_type(name))) for name in Steps.model_fields])
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in (*_TEXTS, *_RECORDS)),
        ("epochs", _EPOCHS),
        ("steps", _STEPS),
    ]
)


def to_parquet(cards: Sequence[RunCard]) -> bytes:
    """The cards as a Parquet file, compressed with zstd."""
    file = io.BytesIO()
    table = pa.Table.from_pylist([_row(card) for card in cards], SCHEMA)
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()


def _row(card: RunCard) -> dict[str, Any]:
    plain = card.model_dump(mode="json", by_alias=True, exclude={"epochs", "steps"})
    records = {
        name: None if plain[name] is None else json.dumps(plain[name], ensure_ascii=False)
        for name in _RECORDS
    }
    epochs = [dict(row) for row in card.epochs]
    return plain | records | {"epochs": epochs, "steps": dict(card.steps)}


def from_parquet(data: bytes, load: Callable[[str], Any]) -> list[dict[str, Any]]:
    """The cards in a Parquet file as plain data, not validated yet.

    Args:
        load: reads the JSON of a record.

    Raises:
        LabError: it is damaged, has other columns, or unpacks to more than a lab would write.
    """
    try:
        file = pq.ParquetFile(
            io.BytesIO(data),
            thrift_string_size_limit=MOST_BYTES // 100,
            thrift_container_size_limit=MOST_RUNS * 100,
        )
        _check(file)
        rows = file.read().to_pylist()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise LabError("The Parquet file is damaged; export the runs anew.") from error
    for row in rows:
        row |= {name: load(row[name]) for name in _RECORDS if row.get(name) is not None}
    return rows


def _check(file: pq.ParquetFile) -> None:
    lacking = set(_NEWER) - set(file.schema_arrow.names)
    known = pa.schema([field for field in SCHEMA if field.name not in lacking])
    if not file.schema_arrow.equals(known):
        raise LabError(
            "The Parquet file has not the columns of run cards; write it with `runs export "
            "--format parquet`."
        )
    facts = file.metadata
    groups = [facts.row_group(number) for number in range(facts.num_row_groups)]
    columns = [group.column(place) for group in groups for place in range(group.num_columns)]
    if (
        facts.num_rows > MOST_RUNS
        or sum(column.num_values for column in columns) > MOST_VALUES
        or sum(column.total_uncompressed_size for column in columns) > MOST_BYTES
    ):
        raise LabError("The Parquet file unpacks to too much; export fewer runs into one file.")
