"""`Sweeps`: the sweeps of the history; their cells are runs like any other."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, RowMapping, Update, insert, select, update

from cnnlab.history import queries, rows
from cnnlab.history.database import transaction
from cnnlab.history.owners import Owner, Owners
from cnnlab.history.tables import LONGEST_ID, sweeps
from cnnlab.spec import LabError, SweepPlan, SweepStatus

OPEN = tuple(status for status in SweepStatus if not status.over)


@dataclass(frozen=True, slots=True)
class SweepRecord:
    """One sweep as it stands."""

    sweep_id: str
    name: str
    session: str
    created_at: str
    """ISO 8601, UTC."""
    status: SweepStatus
    error: str | None
    plan: SweepPlan
    seconds: float
    """Of its budget, used so far."""


class Sweeps:
    """Every sweep of the lab, from the moment it is queued; reached as `History.sweeps`.

    Every method raises `LabError` where the database fails, and, given a `sweep_id`, where no sweep
    has it; the first characters of an id will do.
    """

    def __init__(self, reading: Engine, writing: Engine, owners: Owners) -> None:
        self._reading, self._writing, self._owners = reading, writing, owners

    def create(self, plan: SweepPlan, *, name: str, session: str) -> str:
        """Enter a sweep that is going to happen; returns its new id."""
        with transaction(self._writing) as connection:
            sweep_id = queries.unused_id(connection)
            values = {
                "sweep_id": sweep_id,
                "name": rows.checked_name(name),
                "session": rows.checked_session(session),
                "created_at": rows.now(),
                "plan": plan.model_dump_json(),
                "seconds": 0.0,
                **self._queued(),
            }
            connection.execute(insert(sweeps).values(values))
        return sweep_id

    def get(self, sweep_id: str) -> SweepRecord:
        """One sweep."""
        with transaction(self._reading) as connection:
            return _record(_find(connection, sweep_id))

    def all(self) -> list[SweepRecord]:
        """All sweeps, newest first."""
        query = select(sweeps).order_by(sweeps.c.created_at.desc(), sweeps.c.sweep_id.desc())
        with transaction(self._reading) as connection:
            return [_record(row) for row in connection.execute(query).mappings()]

    def mark(self, sweep_id: str, status: SweepStatus, error: str | None = None) -> None:
        """Say where a sweep stands."""
        self._put(sweep_id, {"status": status, "error": error})

    def spend(self, sweep_id: str, seconds: float) -> None:
        """Say how much of its budget a sweep has used so far, in all."""
        self._put(sweep_id, {"seconds": seconds})

    def resume(self, sweep_id: str, budget_seconds: float | None = None) -> SweepRecord:
        """Queue a sweep again, as this process's own, perhaps with another budget.

        Raises:
            LabError: it is queued or running already, or finished.
        """
        with transaction(self._writing) as connection:
            found = _record(_find(connection, sweep_id, lock=True))
            if not found.status.over or found.status is SweepStatus.FINISHED:
                raise LabError(
                    f"The sweep {found.sweep_id} is {found.status}; only one that was paused, "
                    "stopped or interrupted can go on."
                )
            plan = found.plan
            if budget_seconds is not None:
                plan = plan.model_copy(update={"budget_seconds": budget_seconds})
            values = {"plan": plan.model_dump_json(), "error": None, **self._queued()}
            connection.execute(_where(found.sweep_id).values(values))
        return self.get(found.sweep_id)

    def interrupt(self, found: RowMapping, why: str) -> None:
        """End a sweep as interrupted, unless it stands no more as it was `found`.

        Args:
            why: how its owner came to be gone, as a sentence begins.
        """
        same = [sweeps.c[name] == found[name] for name in ("status", *Owner._fields)]
        error = f"{why} while this sweep was under way; resume it."
        ending = _where(found["sweep_id"]).where(*same)
        with transaction(self._writing) as connection:
            connection.execute(ending.values(status=SweepStatus.INTERRUPTED, error=error))

    def _queued(self) -> rows.Values:
        return {"status": SweepStatus.QUEUED, **self._owners.values()}

    def _put(self, sweep_id: str, values: rows.Values) -> None:
        with transaction(self._writing) as connection:
            row = _find(connection, sweep_id, lock=True)
            connection.execute(_where(row["sweep_id"]).values(values))


def _where(sweep_id: str) -> Update:
    return update(sweeps).where(sweeps.c.sweep_id == sweep_id)


def _find(connection: Connection, sweep_id: str, *, lock: bool = False) -> RowMapping:
    """The sweep that is meant by an id or its first characters; `lock` as in `queries.run_row`."""
    query = select(sweeps).where(sweeps.c.sweep_id.startswith(sweep_id, autoescape=True)).limit(2)
    found = connection.execute(query.with_for_update() if lock else query).mappings().all()
    if not found or not sweep_id:
        raise LabError(f"There is no sweep {sweep_id[:LONGEST_ID]!r}; `sweep --list` shows them.")
    if len(found) > 1:
        raise LabError(f"{sweep_id} could mean several sweeps; write more of the id.")
    return found[0]


def _record(row: RowMapping) -> SweepRecord:
    plain = ("sweep_id", "name", "session", "created_at", "error", "seconds")
    try:
        plan = SweepPlan.model_validate_json(row["plan"])
    except ValueError as error:
        raise LabError(
            f"The sweep {row['sweep_id']} was written by another CNN Lab and cannot be read by "
            "this one; update it."
        ) from error
    values = {name: row[name] for name in plain}
    return SweepRecord(**values, status=SweepStatus(row["status"]), plan=plan)
