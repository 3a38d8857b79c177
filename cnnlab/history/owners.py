"""Who began a run or sweep, and whether that lab still lives.

A process of this machine is asked for by its id. One of another machine cannot be: it raises a
count in the database every few seconds, its heartbeat. Beats are counted, not dated, so that no
machine's clock matters; and a look counts only where the database answered, so that its own outage
ends nobody's run.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Engine,
    RowMapping,
    Table,
    and_,
    delete,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import insert

from cnnlab.history.database import is_server, transaction
from cnnlab.history.tables import owners
from cnnlab.processes import this_host
from cnnlab.spec import LabError

log = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
SILENT_LOOKS = 5
"""Whose count stood still over so many looks, `BEAT_SECONDS` apart, is gone."""

Alive = Callable[[int, float], bool]
"""Whether the process of this machine with this id, that started then, still runs."""


class Owner(NamedTuple):
    """A lab or command, wherever it runs; columns of the rows that it owns have these names."""

    owner_host: str
    owner_pid: int
    owner_started: float


def owner_of(row: RowMapping) -> Owner:
    """The owner that a row of a run or sweep names."""
    return Owner(*(row[name] for name in Owner._fields))


class Owners:
    """This process as the owner of what it begins, and what it knows of the others."""

    def __init__(self, database: Engine, process: tuple[int, float]) -> None:
        """
        Args:
            database: for writes that need not wait for the disk.
            process: id and start of the process, as `processes.this_process` gives them.
        """
        self._database, self._server = database, is_server(database)
        self._mine = Owner(this_host(), *process)
        self._heart = _Heart(database, self._mine)
        self._still: dict[Owner, _Still] = {}
        self._looking = threading.Lock()

    def values(self) -> dict[str, Any]:
        """What a row keeps of its owner, which from now on gives signs of life."""
        if self._server:
            self._heart.begin()
        return self._mine._asdict()

    def close(self) -> None:
        """Give no more signs of life."""
        self._heart.stop()

    def here(self, table: Table) -> ColumnElement[bool]:
        """The rows whose owner is a process that can be seen from here.

        A file belongs to one machine, whose name may have changed meanwhile.
        """
        return table.c.owner_host == self._mine.owner_host if self._server else true()

    def owns(self, row: RowMapping) -> bool:
        """Whether a row of this machine is this process's own."""
        return owner_of(row)[1:] == self._mine[1:]

    def gone(self, named: Collection[Owner], alive: Alive) -> dict[Owner, str]:
        """Those that live no more, each with what is known of that, as a sentence begins.

        Args:
            named: the owners of what is not over.
        """
        if not self._server:
            return {owner: "The lab ended" for owner in named if not alive(*owner[1:])}
        with transaction(self._database) as connection:
            beats = {
                owner_of(row): row["beats"] for row in connection.execute(select(owners)).mappings()
            }
            known = dict.fromkeys(named) | beats
            near = {owner for owner in known if owner.owner_host == self._mine.owner_host}
            found = {owner: "The lab ended" for owner in near if not alive(*owner[1:])}
            found |= self._silent({owner: known[owner] for owner in known.keys() - near})
            for owner in beats.keys() & found.keys():
                connection.execute(delete(owners).where(_is(owner)))
        return found

    def _silent(self, beats: dict[Owner, int | None]) -> dict[Owner, str]:
        """Owners on other machines whose heart has stopped; null: one that never beat."""
        now = time.monotonic()
        with self._looking:
            self._still = {
                owner: self._still[owner].seen(count, now)
                if owner in self._still
                else _Still(count, now)
                for owner, count in beats.items()
            }
            return {
                owner: f"The lab on {owner.owner_host.partition('#')[0]} gave no sign of life"
                for owner, still in self._still.items()
                if still.looks >= SILENT_LOOKS
            }


@dataclass(frozen=True)
class _Still:
    """How often in a row an owner's count was found as it had been."""

    count: int | None
    looked_at: float
    looks: int = 0

    def seen(self, count: int | None, now: float) -> _Still:
        """After another look; one right after the last says nothing new."""
        if count != self.count:
            return _Still(count, now)
        if now - self.looked_at < BEAT_SECONDS:
            return self
        return _Still(count, now, self.looks + 1)


class _Heart:
    """The thread that raises this process's count."""

    def __init__(self, database: Engine, mine: Owner) -> None:
        self._database, self._mine = database, mine
        self._beginning = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Beat once, and from now on.

        Raises:
            LabError: the database failed.
        """
        with self._beginning:
            if self._thread is None:
                self._beat()
                self._thread = threading.Thread(
                    target=self._go_on, name="cnnlab-heart", daemon=True
                )
                self._thread.start()

    def stop(self) -> None:
        """Beat no more; the count is taken away."""
        self._stopped.set()
        if self._thread is None:
            return
        self._thread.join(timeout=10)
        try:
            with transaction(self._database) as connection:
                connection.execute(delete(owners).where(_is(self._mine)))
        except LabError:
            log.warning("the last sign of life stays in the history", exc_info=True)

    def _go_on(self) -> None:
        while not self._stopped.wait(BEAT_SECONDS):
            try:
                self._beat()
            except LabError:
                log.warning("no sign of life could be given", exc_info=True)

    def _beat(self) -> None:
        first = insert(owners).values(**self._mine._asdict(), beats=1)
        beat = first.on_conflict_do_update(
            index_elements=Owner._fields, set_={"beats": owners.c.beats + 1}
        )
        with transaction(self._database) as connection:
            connection.execute(beat)


def _is(owner: Owner) -> ColumnElement[bool]:
    return and_(*(owners.c[name] == value for name, value in owner._asdict().items()))
