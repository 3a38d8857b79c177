"""`History`: what the lab, its pages and the command line ask of the database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Unpack

from sqlalchemy import delete, insert, or_, select

from cnnlab.history import curves, listing, queries, recording, rows
from cnnlab.history.database import (
    default_url,
    open_database,
    outlasting,
    reading,
    transaction,
    writing,
)
from cnnlab.history.derived import derived
from cnnlab.history.listing import Order, Tally, Which
from cnnlab.history.owners import Alive, Owners, owner_of
from cnnlab.history.rows import RunSummary
from cnnlab.history.steps import memory_from
from cnnlab.history.sweeps import OPEN as OPEN_SWEEPS
from cnnlab.history.sweeps import Sweeps
from cnnlab.history.tables import (
    BROUGHT_IN,
    CELL,
    HERE,
    KEPT,
    LONGEST_ORIGIN,
    OPEN,
    runs,
    sweeps,
)
from cnnlab.processes import alive as process_alive
from cnnlab.processes import this_process
from cnnlab.spec import (
    Answered,
    Epoch,
    Event,
    ExperimentSpec,
    GalleryChosen,
    LabError,
    Part,
    PhaseChanged,
    Place,
    Profile,
    RunCard,
    Status,
    Steps,
    Trial,
    Window,
)


class History:
    """Every run of the lab, from the moment it is queued.

    A run that is over does not change any more, but for its name, note and session. An object may
    be used by many threads, and many processes may use one database.

    Every method raises `LabError` where the database fails, and, given a `run_id`, where no run
    has it, or the run is deleted. A `run_id` may be shortened to its first characters where they
    fit one run only; `deleted`, `restore` and the events of `record` want it whole.
    """

    def __init__(self, url: str | None = None, *, owner: tuple[int, float] | None = None) -> None:
        """Open the history at an SQLAlchemy URL (null: `default_url()`), making it where needed.

        Args:
            owner: the process that the runs begun here live and die with: its id and its start, as
                `processes.this_process` gives them. Null: this process. See `interrupt_orphans`.
        """
        opened = open_database(url or default_url())
        self._reading, self._writing = reading(opened), writing(opened)
        # Windows are many and cheap to lose: their commits do not wait for the disk. The next
        # epoch's commit takes them there.
        self._hasty = self._writing.execution_options(lasting=False)
        self._owners = Owners(self._hasty, owner or this_process())
        self.sweeps = Sweeps(self._reading, self._writing, self._owners)

    def close(self) -> None:
        """Let go of the database."""
        self._owners.close()
        self._reading.dispose()

    # --- a run's life -------------------------------------------------------------------------

    def create(
        self,
        spec: ExperimentSpec,
        *,
        name: str,
        session: str,
        status: Status = Status.QUEUED,
        place: Place | None = None,
        part: Part | None = None,
    ) -> str:
        """Enter a run that is going to happen, `place` in a sweep, `part` of a race or of repeats;
        returns its new id."""
        values: rows.Values = {
            "name": rows.checked_name(name),
            "session": rows.checked_session(session),
            "note": "",
            "status": status,
            "created_at": rows.now(),
            **self._owners.values(),
            "spec": spec.model_dump_json(),
            **rows.place_values(place, part),
            **rows.progress_values(()),
        }
        with transaction(self._writing) as connection:
            run_id = values["run_id"] = queries.unused_id(connection)
            connection.execute(insert(runs).values(**values, **derived(values)))
        return run_id

    def reopen(self, run_id: str) -> RunCard:
        """Queue a run again that broke off, so that it can be resumed; returns it, whole.

        Raises:
            LabError: it is not over, finished, deleted, or was measured elsewhere.
        """
        with transaction(self._writing) as connection:
            run_id = queries.find(connection, run_id)
            run = queries.run_row(connection, run_id, lock=True)
            if why := rows.cannot_resume(run):
                raise LabError(f"The run {run_id} {why}.")
            values = {"status": Status.QUEUED, "error": None, **self._owners.values()}
            queries.change(connection, run_id, values)
            return queries.card_of(connection, run_id)

    def record(self, run_id: str, event: Event) -> None:
        """Keep what a run says; an epoch is on the disk when this returns.

        A server that is away for a moment is waited for: a run is not to end because of it.

        Raises:
            LabError: the run is over, or this epoch or window is kept already.
        """
        if isinstance(event, PhaseChanged | GalleryChosen | Answered):
            return
        engine = self._hasty if isinstance(event, Window) else self._writing

        def write(again: bool) -> None:
            with transaction(engine) as connection:
                if not (again and recording.is_kept(connection, run_id, event)):
                    recording.keep(connection, run_id, event)

        outlasting(write)

    def mark(self, run_id: str, status: Status, error: str | None = None) -> None:
        """Say where a run stands, without an event of its own: withdrawn from the queue, say.

        Raises:
            LabError: the run is over.
        """
        with transaction(self._writing) as connection:
            run = queries.open_run(connection, queries.find(connection, run_id))
            queries.change(connection, run["run_id"], {"status": status, "error": error})

    def interrupt_orphans(self, alive: Alive = process_alive) -> list[str]:
        """End, as interrupted, the queued and running runs and sweeps whose lab is no more.

        That of another machine is no more when it has given no sign of life for some time, in which
        this method was called again and again.

        Args:
            alive: does the process with this id, started then (`owner` of `__init__`), still run?
        Returns:
            The ids of the runs that were interrupted.
        """
        with transaction(self._reading) as connection:
            found = queries.not_over(connection, runs, OPEN)
            swept = queries.not_over(connection, sweeps, sweeps.c.status.in_(OPEN_SWEEPS))
        gone = self._owners.gone({owner_of(row) for row in (*found, *swept)}, alive)
        for row in swept:
            if why := gone.get(owner_of(row)):
                self.sweeps.interrupt(row, why)
        orphans = [(run, gone[owner_of(run)]) for run in found if owner_of(run) in gone]
        if not orphans:
            return []
        with transaction(self._writing) as connection:
            return [
                run["run_id"] for run, why in orphans if queries.interrupt(connection, run, why)
            ]

    def trained_elsewhere(self, alive: Alive = process_alive) -> list[tuple[str, str]]:
        """Id and name of the runs that other processes of this machine train now, newest first.

        Args:
            alive: as for `interrupt_orphans`; a run whose process is no more is trained no more.
        """
        with transaction(self._reading) as connection:
            found = queries.training(connection, self._owners.here(runs))
        return [
            (run["run_id"], run["name"])
            for run in found
            if not self._owners.owns(run) and alive(run["owner_pid"], run["owner_started"])
        ]

    def open_runs(self) -> set[str]:
        """Ids of the runs that wait or are trained, whichever process does it."""
        with transaction(self._reading) as connection:
            query = select(runs.c.run_id).where(OPEN)
            return set(connection.execute(query).scalars())

    def settled(self, run_ids: Collection[str]) -> set[str]:
        """Which of some runs will not be resumed: they finished, or are deleted."""
        over = or_(runs.c.status == Status.FINISHED, runs.c.deleted_at.is_not(None))
        with transaction(self._reading) as connection:
            query = select(runs.c.run_id).where(runs.c.run_id.in_(run_ids), over)
            return set(connection.execute(query).scalars())

    def deleted(self, run_ids: Collection[str]) -> set[str]:
        """Which of some runs are deleted, and can be restored."""
        with transaction(self._reading) as connection:
            return queries.deleted_of(connection, run_ids)

    # --- reading ------------------------------------------------------------------------------

    def card(self, run_id: str, *, steps: bool = True) -> RunCard:
        """One run, whole, as it stands now; `steps=False` leaves its steps out."""
        with transaction(self._reading) as connection:
            return queries.card_of(connection, queries.find(connection, run_id), steps=steps)

    def find(self, run_id: str) -> str:
        """The whole id that the first characters of one stand for."""
        with transaction(self._reading) as connection:
            return queries.find(connection, run_id)

    def steps(self, run_id: str) -> Steps:
        """The steps of a run so far, in columns."""
        with transaction(self._reading) as connection:
            return queries.steps_of(connection, queries.find(connection, run_id))

    def origin(self, run_id: str) -> str | None:
        """Where an imported run comes from; null: it was measured here."""
        with transaction(self._reading) as connection:
            run = queries.run_row(connection, queries.find(connection, run_id))
        origin: str | None = run["origin"]
        return origin

    def memory(self, run_id: str) -> dict[str, tuple[float | None, ...]]:
        """Memory beside each step of a run, columns `rss_mb` and `device_mb` (10^6 bytes), null
        where it was not read; empty for a run that was imported.
        """
        with transaction(self._reading) as connection:
            run_id = queries.find(connection, run_id)
            return memory_from(queries.windows_of(connection, run_id))

    def epochs(self, run_ids: Sequence[str]) -> dict[str, tuple[Epoch, ...]]:
        """The finished epochs of many runs, by whole id; none for an id that is not there."""
        with transaction(self._reading) as connection:
            return curves.epochs_of(connection, run_ids)

    def accuracies(self, run_ids: Sequence[str]) -> dict[str, list[float]]:
        """The validation accuracy of each epoch of many runs, by whole id; gaps are left out."""
        with transaction(self._reading) as connection:
            return curves.accuracies_of(connection, run_ids)

    def summaries(
        self,
        *,
        order: Order = "created_at",
        limit: int | None = None,
        include_deleted: bool = False,
        **which: Unpack[Which],
    ) -> list[RunSummary]:
        """The runs that fit all of `which`, in an order, at most `limit` of them.

        Args:
            order: the newest first; or by a figure, the best first and those without it last.
        """
        query = listing.ordered(which, order, limit, include_deleted)
        with transaction(self._reading) as connection:
            found = connection.execute(query).mappings().all()
        return [rows.summary_from(row) for row in found]

    def tally(self, session: str | None = None) -> Tally:
        """How many runs there are in one session, or in all, and of which kinds."""
        with transaction(self._reading) as connection:
            return listing.tally(connection, session)

    def sessions(self) -> list[str]:
        """The names of the sessions, the one with the newest run first."""
        with transaction(self._reading) as connection:
            return list(connection.execute(listing.sessions()).scalars())

    def own_data(self) -> set[str]:
        """The data sets that runs were trained on here."""
        query = listing.distinct(runs.c.trained_on, HERE, KEPT)
        with transaction(self._reading) as connection:
            return set(connection.execute(query).scalars())

    def whole_runs(self) -> dict[str, int]:
        """By data set, how many runs were trained to their end."""
        with transaction(self._reading) as connection:
            return {row.trained_on: row.runs for row in connection.execute(listing.whole_runs())}

    def sweeps_brought_in(self) -> list[str]:
        """Ids of the sweeps whose cells were brought in as cards."""
        query = listing.distinct(runs.c.sweep_id, BROUGHT_IN, CELL, KEPT)
        with transaction(self._reading) as connection:
            return [*connection.execute(query).scalars()]

    # --- putting in order ---------------------------------------------------------------------

    def add_card(self, card: RunCard, *, origin: str) -> str:
        """Enter a run that was measured elsewhere; `origin` says where. Returns its id.

        Nothing is overwritten: a run that is here already stays as it is (and comes back, were it
        deleted), and one that only shares its id with another gets an id of its own.

        Raises:
            LabError: the run is not over, or the card cannot be kept as it is.
        """
        (run_id,) = self.add_cards([card], origin=origin)
        return run_id

    def add_cards(self, cards: Sequence[RunCard], *, origin: str) -> list[str]:
        """As `add_card` for many, in order: all of them, or none where one cannot be kept.

        Raises:
            LabError: as `add_card`.
        """
        for card in cards:
            rows.check_card(card)
        origin = rows.checked("origin", origin, 1, LONGEST_ORIGIN)
        with transaction(self._writing) as connection:
            return [queries.enter_card(connection, card, origin) for card in cards]

    def keep_profile(self, run_id: str, profile: Profile) -> None:
        """Keep where the time of a run's steps goes, in the place of an earlier answer."""
        with transaction(self._writing) as connection:
            values = {"profile": profile.model_dump_json()}
            queries.change(connection, queries.find(connection, run_id), values)

    def add_trial(self, run_id: str, trial: Trial) -> None:
        """Keep one more thing that was tried to make a run's steps faster."""
        with transaction(self._writing) as connection:
            run_id = queries.find(connection, run_id)
            before = rows.trials_from(queries.run_row(connection, run_id, lock=True))
            queries.change(connection, run_id, {"trials": rows.trials_text((*before, trial))})

    def rename(self, run_id: str, name: str) -> None:
        """Give a run another name, of 1 to 120 characters."""
        self._tell(run_id, {"name": rows.checked_name(name)})

    def annotate(self, run_id: str, note: str) -> None:
        """Replace a run's note, of at most 10,000 characters."""
        self._tell(run_id, {"note": rows.checked_note(note)})

    def move(self, run_id: str, session: str) -> None:
        """Put a run into another session, whose name has 1 to 60 characters."""
        self._tell(run_id, {"session": rows.checked_session(session)})

    def delete(self, run_id: str) -> None:
        """Set a run aside until it is restored or purged.

        Raises:
            LabError: the run is not over yet.
        """
        with transaction(self._writing) as connection:
            run_id = queries.find(connection, run_id)
            status = queries.run_row(connection, run_id)["status"]
            if not Status(status).over:
                raise LabError(f"The run {run_id} is {status}; stop it before you delete it.")
            queries.change(connection, run_id, {"deleted_at": rows.now()})

    def restore(self, run_id: str) -> None:
        """Bring a deleted run back."""
        with transaction(self._writing) as connection:
            run_id = queries.run_row(connection, run_id)["run_id"]
            queries.change(connection, run_id, {"deleted_at": None})

    def purge(self, before: datetime) -> int:
        """Remove for good the runs that were deleted before a time; returns how many.

        A `before` without a time zone is local time.
        """
        limit = before.astimezone(UTC).isoformat(timespec="microseconds")
        with transaction(self._writing) as connection:
            return connection.execute(delete(runs).where(runs.c.deleted_at < limit)).rowcount

    def _tell(self, run_id: str, values: rows.Values) -> None:
        with transaction(self._writing) as connection:
            run = queries.run_row(connection, queries.find(connection, run_id), lock=True)
            queries.change_facts(connection, run, values)
