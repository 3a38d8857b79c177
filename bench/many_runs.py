"""One full run of the History page over 100,000 runs, on SQLite and on PostgreSQL: server time.

As `bench.history`, each time a new session. The runs are a thousand different ones, each a hundred
times over, all in one session. Arm a is PostgreSQL, on this machine; arm b, the baseline, SQLite.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import String, Table, create_engine, func, insert, literal, select

from bench.history import card
from bench.measure import Arm, paired, save
from bench.opening import no_worker, opened
from cnnlab.history import History
from cnnlab.history.tables import epochs, runs
from cnnlab.ui import held
from cnnlab.ui.history.choice import MOST_LISTED
from tests.postgres_server import server

DIFFERENT, TIMES, PAIRS = 1_000, 100, 20
BUDGET_MS = 300.0


def fill(address: str, times: int = TIMES) -> None:
    """Make a history of `DIFFERENT` runs, each so many times."""
    with closing(History(address)) as history:
        history.add_cards([card(number) for number in range(DIFFERENT)], origin="example")
    engine = create_engine(address)
    with engine.begin() as connection:
        for number in range(1, times):
            run_id = (runs.c.run_id + f"-{number}").label("run_id")
            day = f"2026-{1 + number // 28:02}-{1 + number % 28:02}"
            created = literal(day, String) + func.substr(runs.c.created_at, 11)
            others = {"run_id": run_id, "created_at": created}
            connection.execute(_copies(runs, others))
            connection.execute(_copies(epochs, {"run_id": epochs.c.run_id + f"-{number}"}))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")  # what a server does by itself within a minute
    engine.dispose()


def _copies(table: Table, others: dict[str, Any]) -> Any:
    """An insert of the first thousand's rows with some columns changed."""
    columns = [others.get(column.name, column) for column in table.columns]
    first = select(*columns).where(table.c.run_id.not_like("example-%-%"))
    return insert(table).from_select([column.name for column in table.columns], first)


class Visit:
    """One browser opens the page on a database; each call gives the wall seconds of its script."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._took = 0.0

    def _around(self, page: Callable[[], object]) -> None:
        began = time.perf_counter()
        page()
        self._took = time.perf_counter() - began

    def __call__(self) -> float:
        held.let_go()
        with patch.dict(os.environ, {"CNNLAB_DATABASE_URL": self._address}):
            opened("history", self._around, MOST_LISTED)
        return self._took


@contextmanager
def visits() -> Iterator[tuple[Arm, Arm]]:
    """A visit on each of the two databases, both filled."""
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(patch.dict(os.environ, {"CNNLAB_HOME": home}))
        stack.enter_context(no_worker())
        running = stack.enter_context(server())
        stack.callback(held.let_go)  # before the server ends
        addresses = running.new(), f"sqlite:///{home}/many.db"
        for address in addresses:
            fill(address)
        postgres, sqlite = map(Visit, addresses)
        yield postgres, sqlite


def main() -> dict[str, Any]:
    """Measure, keep and return the result."""
    with visits() as (postgres, sqlite):
        result = paired(postgres, sqlite, PAIRS)
    result["name"] = f"The History page over {DIFFERENT * TIMES:,} runs"
    result["unit"] = "ms"
    for key in ("a", "b"):
        result[key] = {name: 1e3 * value for name, value in result[key].items()}
    result["arms"] = {"a": "on PostgreSQL", "b": "on SQLite"}
    result["budget"] = {"ms": BUDGET_MS}
    save("many_runs", result)
    return result


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
