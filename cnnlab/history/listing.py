"""Which runs are listed, in which order and how many: questions that an index answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    TextClause,
    case,
    func,
    or_,
    select,
)

from cnnlab.history.tables import BROUGHT_IN, CELL, HERE, KEPT, PART, PROFILED, WHOLE, runs
from cnnlab.spec import Status

Kind = Literal["cpu", "accelerator"]
Order = Literal[
    "created_at",
    "best_val_accuracy",
    "step_ms_median",
    "fit_seconds",
    "parameters",
    "images_per_second",
    "joules_each",
]
LOW_IS_BETTER = frozenset({"step_ms_median", "fit_seconds", "parameters", "joules_each"})

_Condition = ColumnElement[bool] | TextClause


class Which(TypedDict, total=False):
    """What is asked of runs; what is not named, or null, is not asked."""

    session: str | None
    sweep_id: str | None
    group_id: str | None
    """`Part.group_id`."""
    run_ids: Collection[str]
    group_ids: Collection[str]
    statuses: Collection[Status]
    kinds: Collection[Kind]
    used: str
    """The device, as it is used."""
    trained_on: str
    """The data set, if lists know it: `derived.listable`."""
    words: str
    """Each of these words stands somewhere in it: name, network, data, device, note, id, …"""
    cells: bool | None
    """Only cells of sweeps; or none."""
    here: bool | None
    """Only runs that were measured here; or none."""
    before: str
    """They were made before this time."""
    profiled: bool
    """Only runs that were taken apart."""
    part_kind: str
    """Only runs that belong to something larger of this kind, as `Part.kind` has it."""
    whole: bool
    """Only finished runs that nobody cut short: no cells of sweeps, no short legs of races."""


def ordered(which: Which, order: Order, limit: int | None, include_deleted: bool) -> Select[Any]:
    """The rows of runs; those of a few among very many are found before any is read."""
    conditions = _conditions(which) + ([] if include_deleted else [KEPT])
    by = _by(order)
    if limit is None:
        return select(runs).where(*conditions).order_by(*by)
    chosen = select(runs.c.run_id).where(*conditions).order_by(*by).limit(limit)
    return select(runs).where(runs.c.run_id.in_(chosen)).order_by(*by)


def _by(order: Order) -> list[ColumnElement[Any]]:
    newest: list[ColumnElement[Any]] = [runs.c.created_at.desc(), runs.c.run_id.desc()]
    if order == "created_at":
        return newest
    figure = runs.c[order]
    best = figure.asc() if order in LOW_IS_BETTER else figure.desc()
    return [best.nulls_last(), *newest]


def _conditions(which: Mapping[str, Any]) -> list[_Condition]:
    """What SQL asks, in the words of the indices."""
    asked: list[_Condition] = []
    for name in ("session", "sweep_id", "group_id", "used", "trained_on", "part_kind"):
        if (value := which.get(name)) is not None:
            asked.append(runs.c[name] == value)
    for name, column in (("run_ids", "run_id"), ("group_ids", "group_id"), ("statuses", "status")):
        if (values := which.get(name)) is not None:
            asked.append(runs.c[column].in_(values))
    if which.get("sweep_id") is not None:
        asked.append(CELL)
    if (kinds := which.get("kinds")) is not None:
        asked.append(_KIND.in_(kinds))
    for flag, yes, no in (("cells", CELL, runs.c.sweep_id.is_(None)), ("here", HERE, BROUGHT_IN)):
        if (value := which.get(flag)) is not None:
            asked.append(yes if value else no)
    named = {"profiled": PROFILED, "part_kind": PART, "whole": WHOLE}
    asked += [condition for name, condition in named.items() if which.get(name)]
    if before := which.get("before"):
        asked.append(runs.c.created_at < before)
    return [*asked, *map(_holds, which.get("words", "").casefold().split())]


def _holds(word: str) -> _Condition:
    """Whether a word stands in what is known of a run, or in its status."""
    places = (runs.c.words, runs.c.status)
    return or_(*(place.contains(word, autoescape=True) for place in places))


_KIND: ColumnElement[str] = case((runs.c.used.startswith("cpu"), "cpu"), else_="accelerator")


def _kind(used: str | None) -> Kind:
    """As `_KIND`, of one run."""
    return "cpu" if (used or "").startswith("cpu") else "accelerator"


# --- how many, and which names there are ----------------------------------------------------


@dataclass(frozen=True)
class Tally:
    """How many runs there are."""

    alone: int
    """Those that are no cells of sweeps."""
    cells: int
    statuses: frozenset[Status]
    kinds: frozenset[Kind]


def tally(connection: Connection, session: str | None) -> Tally:
    """Count the runs of one session, or all."""
    columns = (runs.c.status, runs.c.used, runs.c.sweep_id.is_not(None).label("cell"))
    query = select(*columns, func.count().label("runs")).where(KEPT).group_by(*columns)
    if session is not None:
        query = query.where(runs.c.session == session)
    found = connection.execute(query).all()

    def count(cells: bool) -> int:
        return sum(row.runs for row in found if bool(row.cell) is cells)

    return Tally(
        count(False),
        count(True),
        frozenset(Status(row.status) for row in found),
        frozenset(_kind(row.used) for row in found),
    )


def distinct(column: ColumnElement[str], *where: TextClause) -> Select[str]:
    """The values of a column, in order: an index is asked for the next one, and the next."""
    first = select(func.min(column).label("value")).where(*where).cte("found", recursive=True)
    following = select(func.min(column)).where(column > first.c.value, *where).scalar_subquery()
    found = first.union_all(select(following).where(first.c.value.is_not(None)))
    return select(found.c.value).where(found.c.value.is_not(None))


def whole_runs() -> Select[str, int]:
    """The data sets that runs were trained on to their end, and on how many of them."""
    name, count = runs.c.trained_on, func.count().label("runs")
    return select(name, count).where(WHOLE, KEPT, name.is_not(None)).group_by(name)


def sessions() -> Select[str]:
    """The names of the sessions, the one with the newest run first."""
    name = distinct(runs.c.session, KEPT).subquery()
    newest = select(func.max(runs.c.created_at)).where(runs.c.session == name.c.value, KEPT)
    return select(name.c.value).order_by(newest.scalar_subquery().desc(), name.c.value)
