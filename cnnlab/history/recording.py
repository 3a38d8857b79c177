"""What a run says, as rows: each event on an open connection, which is left open."""

from __future__ import annotations

from sqlalchemy import Connection, select

from cnnlab.history import queries, rows
from cnnlab.history.tables import epochs, windows
from cnnlab.spec import (
    EpochEnded,
    Event,
    LabError,
    RunEnded,
    RunResumed,
    RunStarted,
    Window,
)


def keep(connection: Connection, run_id: str, event: Event) -> None:
    """Keep one event of a run.

    Raises:
        LabError: the run is over.
    """
    if isinstance(event, Window):
        queries.add_window(connection, run_id, event)
        return
    run = queries.open_run(connection, run_id)
    match event:
        case RunStarted():
            queries.change_facts(connection, run, rows.started_values(event))
        case RunResumed():
            queries.go_on(connection, run, event.epochs)
        case EpochEnded():
            queries.add_epoch(connection, run, event.row)
        case RunEnded():
            if not event.status.over:
                raise LabError(f"A run cannot end as {event.status}; end it as finished.")
            queries.change_facts(connection, run, rows.ended_values(run, event))


def is_kept(connection: Connection, run_id: str, event: Event) -> bool:
    """Whether an event was kept before, where the answer to that was lost on its way.

    What a run says at its beginning may be kept twice.
    """
    match event:
        case Window():
            query = select(windows.c.first_step).where(
                windows.c.run_id == run_id, windows.c.first_step == event.first_step
            )
        case EpochEnded():
            query = select(epochs.c.epoch).where(
                epochs.c.run_id == run_id, epochs.c.epoch == event.row.epoch
            )
        case RunEnded():
            return bool(queries.run_row(connection, run_id)["status"] == event.status)
        case _:
            return False
    return connection.execute(query).first() is not None
