"""A whole history into another database: from a file to a server that labs share, or back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, Table, delete, insert, select

from cnnlab.history.database import open_database, parsed, place, reading, transaction, writing
from cnnlab.history.tables import metadata, owners, runs, sweeps
from cnnlab.spec import LabError, Status, SweepStatus

TOGETHER = 100
"""Runs that are written at once: all of them with their epochs and steps, or none."""
ROWS = 5_000
"""Rows that are held in memory at once."""

NOT_COPIED = (owners,)
"""Who lives now is no part of what was measured."""

Progress = Callable[[int, int], None]
"""Is told how many runs, or sweeps, are written, of how many."""


@dataclass(frozen=True)
class Kind:
    """What is copied as a whole."""

    table: Table
    key: Column[str]
    come: Column[Any]
    """How far one has come: of two copies the further one is kept."""
    open: Collection[str]

    @property
    def parts(self) -> list[Table]:
        """The tables that hold it, that of its own first."""
        return [
            table
            for table in metadata.sorted_tables
            if table is self.table or any(key.column is self.key for key in table.foreign_keys)
        ]


RUNS = Kind(runs, runs.c.run_id, runs.c.epochs_done, [s for s in Status if not s.over])
SWEEPS = Kind(sweeps, sweeps.c.sweep_id, sweeps.c.seconds, [s for s in SweepStatus if not s.over])


@dataclass(frozen=True)
class Copied:
    """What a copy of runs or of sweeps came to."""

    new: int
    renewed: int
    """Those that had gone on since they were copied."""
    there: int
    """Those that were there already, and stay as they are."""
    open: int
    """Those that wait or are under way, here or there, which are left alone."""
    rows: dict[str, int]
    """Rows that were written, by table."""


def copy(source: str, target: str, tell: Progress) -> dict[str, Copied]:
    """Bring all that is over from one history into another: `runs` and `sweeps`.

    It may be broken off and repeated: what is there already is not written again. Names and notes
    that were changed in the target stay.

    Raises:
        LabError: one of them cannot be opened, the target belongs to a newer CNN Lab, there is no
            source, or both are the same.
    """
    _check(source, target)
    with ExitStack() as stack:
        there = open_database(source)
        stack.callback(there.dispose)
        here = open_database(target)
        stack.callback(here.dispose)
        return {kind.table.name: _copy(kind, there, here, tell) for kind in (SWEEPS, RUNS)}


def _check(source: str, target: str) -> None:
    if source == target:
        raise LabError("A history cannot be copied into itself; name another target.")
    url = parsed(source)
    file = Path(url.database or "")
    if url.get_backend_name() == "sqlite" and not file.is_file():
        raise LabError(f"There is no history {place(url)}; name one that is there.")


def _copy(kind: Kind, source: Engine, target: Engine, tell: Progress) -> Copied:
    """All of one kind."""
    with transaction(reading(source)) as connection:
        found = _standing(connection, kind)
    with transaction(reading(target)) as connection:
        there = _standing(connection, kind)
    left_alone = {
        key
        for states in (found, there)
        for key, (status, _) in states.items()
        if status in kind.open
    }
    fresh = [key for key in found if key not in there and key not in left_alone]
    renewed = [
        key for key in found.keys() & there.keys() - left_alone if _further(found[key], there[key])
    ]
    rows, wanted = Counter[str](), [*fresh, *renewed]
    for begin in range(0, len(wanted), TOGETHER):
        tell(begin, len(wanted))
        rows += _write(kind, wanted[begin : begin + TOGETHER], source, target)
    same = found.keys() & there.keys() - left_alone - set(renewed)
    return Copied(len(fresh), len(renewed), len(same), len(left_alone & found.keys()), dict(rows))


def _standing(connection: Connection, kind: Kind) -> dict[str, tuple[str, float]]:
    """Where each of a kind stands: its status, and how far it has come."""
    query = select(kind.key, kind.table.c.status, kind.come)
    return {key: (status, come) for key, status, come in connection.execute(query)}


def _further(one: tuple[str, float], other: tuple[str, float]) -> bool:
    """Whether one has come further than the other, or as far and to its end."""
    return (one[1], one[0] == Status.FINISHED) > (other[1], other[0] == Status.FINISHED)


def _write(kind: Kind, keys: Sequence[str], source: Engine, target: Engine) -> Counter[str]:
    """Write some of a kind with all that belongs to them, in one transaction; counts the rows."""
    rows = Counter[str]()
    with transaction(reading(source)) as there, transaction(writing(target)) as here:
        here.execute(delete(kind.table).where(kind.key.in_(keys)))  # their parts go with them
        for table in kind.parts:
            query = select(table).where(table.c[kind.key.name].in_(keys))
            found = there.execute(query.execution_options(yield_per=ROWS)).mappings()
            for part in found.partitions():
                here.execute(insert(table), [dict(row) for row in part])
                rows[table.name] += len(part)
    return rows
