"""Steps of the history's transactions: each works on an open connection, and leaves it open."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Table,
    TextClause,
    delete,
    func,
    insert,
    select,
    update,
)

from cnnlab.history import rows, steps
from cnnlab.history.derived import derived
from cnnlab.history.owners import Owner
from cnnlab.history.tables import KEPT, LONGEST_ID, OPEN, epochs, imported_steps, runs, windows
from cnnlab.spec import Epoch, LabError, RunCard, Status, Steps, Window

_ID = re.compile(rf"[A-Za-z0-9._-]{{1,{LONGEST_ID}}}")
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no letter looks like a digit


def _new_id() -> str:
    """Twelve characters: the second it was made in (so ids sort by age), then chance."""
    number = int(time.time()) << 25 | secrets.randbits(25)
    return "".join(_DIGITS[number >> shift & 31] for shift in range(55, -5, -5))


def exists(connection: Connection, run_id: str) -> bool:
    """Is there a run with this whole id, deleted or not?"""
    query = select(runs.c.run_id).where(runs.c.run_id == run_id)
    return connection.execute(query).first() is not None


def deleted_of(connection: Connection, run_ids: Collection[str]) -> set[str]:
    """Which of some whole ids are those of runs that are deleted."""
    query = select(runs.c.run_id).where(runs.c.run_id.in_(run_ids), runs.c.deleted_at.is_not(None))
    return set(connection.execute(query).scalars())


def unused_id(connection: Connection) -> str:
    """An id for a new run."""
    while exists(connection, run_id := _new_id()):
        pass  # chance has repeated itself within a second
    return run_id


def find(connection: Connection, run_id: str) -> str:
    """The whole id of the run that is meant by an id or its first characters; none is deleted."""
    if not _ID.fullmatch(run_id):
        raise LabError(f"{run_id[:LONGEST_ID]!r} is no run's id; choose one from the history.")
    if exists(connection, run_id):
        if deleted_of(connection, [run_id]):
            raise LabError(
                f"The run {run_id} is deleted; its link on the History page, ?run={run_id}, "
                "offers to undo that."
            )
        return run_id
    query = (
        select(runs.c.run_id)
        .where(func.substr(runs.c.run_id, 1, len(run_id)) == run_id, runs.c.deleted_at.is_(None))
        .order_by(runs.c.run_id)
        .limit(3)
    )
    match connection.execute(query).scalars().all():
        case []:
            raise LabError(f"There is no run {run_id}; choose one from the history.")
        case [only]:
            return only
        case [*several]:
            names = ", ".join(several[:2]) + (" and others" if several[2:] else "")
            raise LabError(f"{run_id} could mean {names}; write more of the id.")


def run_row(connection: Connection, run_id: str, *, lock: bool = False) -> RowMapping:
    """The row of a run; `lock` keeps others from changing it until the transaction ends."""
    query = select(runs).where(runs.c.run_id == run_id)
    if lock:  # a word for database servers: SQLite's writers already come one at a time
        query = query.with_for_update()
    run = connection.execute(query).mappings().first()
    if run is None:
        raise _no_run(run_id)
    return run


def _no_run(run_id: str) -> LabError:
    return LabError(f"There is no run {run_id[:LONGEST_ID]!r}; choose one from the history.")


def open_run(connection: Connection, run_id: str) -> RowMapping:
    """The row of a run that is not over, for the rest of the transaction."""
    run = run_row(connection, run_id, lock=True)
    _refuse_if_over(run_id, run["status"])
    return run


def _refuse_if_over(run_id: str, status: str) -> None:
    if Status(status).over:
        raise LabError(f"The run {run_id} is over ({status}) and takes no more; start it again.")


def change(connection: Connection, run_id: str, values: rows.Values) -> None:
    """Set columns of a run's row."""
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(values))


def change_facts(connection: Connection, run: RowMapping, values: rows.Values) -> None:
    """Set columns of a run's row that lists are searched or ordered by."""
    change(connection, run["run_id"], values | derived({**run, **values}))


def add_window(connection: Connection, run_id: str, window: Window) -> None:
    """Keep the steps of a window, of a run that is not over.

    They come several times a second: the run's row is neither read whole nor held.
    """
    query = select(runs.c.status).where(runs.c.run_id == run_id)
    status = connection.execute(query).scalar()
    if status is None:
        raise _no_run(run_id)
    _refuse_if_over(run_id, status)
    if window.step_ms:  # one without steps says nothing that the next will not
        connection.execute(insert(windows).values(steps.window_values(run_id, window)))


def add_epoch(connection: Connection, run: RowMapping, epoch: Epoch) -> None:
    """Keep an epoch, and what the run's row says of it."""
    run_id = run["run_id"]
    connection.execute(insert(epochs).values(run_id=run_id, **epoch.model_dump()))
    progress = rows.progress_values([epoch], run["epochs_done"], run["best_val_accuracy"])
    change(connection, run_id, progress)


def go_on(connection: Connection, run: RowMapping, done: Sequence[Epoch]) -> None:
    """Let a run stand where it is resumed: after the epochs `done`, and no step further.

    An epoch that its process could not hand on before it was killed is entered now.
    """
    run_id = run["run_id"]
    connection.execute(
        delete(windows).where(windows.c.run_id == run_id, windows.c.epoch > len(done))
    )
    connection.execute(delete(epochs).where(epochs.c.run_id == run_id, epochs.c.epoch > len(done)))
    known = {row.epoch for row in epochs_of(connection, run_id)}
    missing = [row for row in done if row.epoch not in known]
    if missing:
        found = [{"run_id": run_id, **row.model_dump()} for row in missing]
        connection.execute(insert(epochs), found)
    change_facts(connection, run, rows.resumed_values(run, done))


def not_over(
    connection: Connection, table: Table, condition: ColumnElement[bool] | TextClause
) -> Sequence[RowMapping]:
    """Of the runs or sweeps that are not over: which, how they stand, and who owns them."""
    names = ("status", "epochs_done", *Owner._fields)
    key = table.primary_key.columns
    query = select(*key, *(table.c[name] for name in names if name in table.c)).where(condition)
    return connection.execute(query.order_by(*key)).mappings().all()


def training(connection: Connection, where: ColumnElement[bool]) -> Sequence[RowMapping]:
    """The runs that train now, the newest first, and who owns them; cells of sweeps are none."""
    query = (
        select(runs.c.run_id, runs.c.name, *(runs.c[name] for name in Owner._fields))
        .where(OPEN, KEPT, runs.c.status == Status.RUNNING, runs.c.sweep_id.is_(None), where)
        .order_by(runs.c.created_at.desc(), runs.c.run_id.desc())
    )
    return connection.execute(query).mappings().all()


def interrupt(connection: Connection, run: RowMapping, why: str) -> bool:
    """End a run whose process is gone, if it still stands as it was found."""
    cure = "resume it or train it again" if run["epochs_done"] else "start it again"
    error = f"{why} while this run was {run['status']}; {cure}."
    same = [runs.c[name] == run[name] for name in ("run_id", "status", *Owner._fields)]
    ending = update(runs).where(*same)
    return connection.execute(ending.values(status=Status.INTERRUPTED, error=error)).rowcount == 1


def epochs_of(connection: Connection, run_id: str) -> tuple[Epoch, ...]:
    """The finished epochs of one run."""
    query = select(epochs).where(epochs.c.run_id == run_id).order_by(epochs.c.epoch)
    return rows.epochs_from(connection.execute(query).mappings())


def steps_of(connection: Connection, run_id: str) -> Steps:
    """The steps of one run, measured here or imported."""
    imported = select(imported_steps.c.columns).where(imported_steps.c.run_id == run_id)
    packed = connection.execute(imported).scalar()
    if packed is not None:
        return steps.unpacked_steps(packed)
    return steps.steps_from(windows_of(connection, run_id))


def windows_of(connection: Connection, run_id: str) -> Iterable[RowMapping]:
    """The windows of a run that was measured here, in order."""
    query = select(windows).where(windows.c.run_id == run_id).order_by(windows.c.first_step)
    return connection.execute(query).mappings()


def card_of(connection: Connection, run_id: str, *, steps: bool = True) -> RunCard:
    """One run, whole."""
    return rows.card_from(
        run_row(connection, run_id),
        epochs_of(connection, run_id),
        steps_of(connection, run_id) if steps else Steps(),
    )


def insert_card(connection: Connection, run_id: str, card: RunCard, origin: str) -> str:
    """Enter a card as a run with this id; returns the id."""
    values = {"run_id": run_id, "origin": origin, **rows.card_values(card)}
    connection.execute(insert(runs).values(**values, **derived(values)))
    if card.epochs:
        found = [{"run_id": run_id, **epoch.model_dump()} for epoch in card.epochs]
        connection.execute(insert(epochs), found)
    packed = steps.packed_steps(card.steps)
    connection.execute(insert(imported_steps).values(run_id=run_id, columns=packed))
    return run_id


def enter_card(connection: Connection, card: RunCard, origin: str) -> str:
    """Enter a card, unless it is here already, under an id that no other run has; returns it."""
    for run_id in (card.run_id, id_of_copy(card)):
        if not exists(connection, run_id):
            return insert_card(connection, run_id, card, origin)
        if same(card_of(connection, run_id), card):
            change(connection, run_id, {"deleted_at": None})
            return run_id
    return insert_card(connection, unused_id(connection), card, origin)


def id_of_copy(card: RunCard) -> str:
    """The id for a card whose own is taken: the same for the same card, so that it comes once."""
    return f"{card.run_id}-{hashlib.sha256(card.model_dump_json().encode()).hexdigest()[:8]}"


def same(one: RunCard, other: RunCard) -> bool:
    """Do two cards hold the same, whatever their ids? NaN is NaN here, and 0 is -0."""

    def content(card: RunCard) -> dict[str, Any]:
        return json.loads(card.model_dump_json(exclude={"run_id"}))

    return content(one) == content(other)
