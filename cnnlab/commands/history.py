"""`history copy`: the whole history into another database."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from cnnlab import words
from cnnlab.commands.shared import emit_json, err
from cnnlab.history import copying
from cnnlab.history.copying import Copied
from cnnlab.history.database import sqlite_url


@click.group("history")
def history_group() -> None:
    """The database that keeps every run."""


@history_group.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--json", "as_json", is_flag=True, help="Print the counts on stdout as JSON.")
def copy(source: str, target: str, as_json: bool) -> int:
    """Bring every run and sweep that is over FROM one history TO another.

    Each is a file, ~/.cnnlab/history.db say, or an address as in CNNLAB_DATABASE_URL, such as
    postgresql://lab@host/lab. It may be repeated: what is there already is not written again, what
    has gone on since is renewed, and names and notes that were changed there stay.
    """
    with err.status("Copying the history") as status:
        done = copying.copy(
            _address(source),
            _address(target),
            lambda some, of_all: status.update(f"Copying: {some:,} of {of_all:,}"),
        )
    if as_json:
        emit_json({name: asdict(counts) for name, counts in done.items()})
        return 0
    for name, counts in done.items():
        click.echo(_sentence(name, counts))
    return 0


def _address(text: str) -> str:
    """An address as SQLAlchemy wants it; what is none is a file."""
    return text if "://" in text else sqlite_url(Path(text).expanduser())


def _sentence(name: str, counts: Copied) -> str:
    parts = [f"{words.count(counts.new)} copied"]
    if counts.renewed:
        parts.append(f"{words.count(counts.renewed)} renewed, which had gone on since")
    if counts.there:
        parts.append(f"{words.count(counts.there)} there already")
    if counts.open:
        parts.append(
            f"{words.count(counts.open)} left out, as they are not over: copy again when they are"
        )
    rows = ", ".join(f"{words.count(count)} {table}" for table, count in counts.rows.items())
    written = f" (rows: {rows})" if rows else ""
    return f"{name.capitalize()}: {'; '.join(parts)}{written}."
