"""The room that it all may take: what goes first, and what goes with a run that is deleted.

Where it grows beyond `Settings.total_mb`, what was deleted goes, then the films of the oldest runs,
then all of the oldest runs. Nothing of a run that is on its way is touched.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from cnnlab.learned.files import (
    ASIDE,
    DRAFT,
    FILM,
    folder,
    place_of,
    read_facts,
    settings,
    write_facts,
)
from cnnlab.spec import LabError

log = logging.getLogger(__name__)

ASIDE_SECONDS = 24 * 3600
"""How long that of a deleted run is there to come back with it."""


class Standing(Protocol):
    """What `tidy` needs to know of runs; `cnnlab.history.History` says it."""

    def open_runs(self) -> set[str]: ...


def used_bytes() -> int:
    """Bytes that it all takes."""
    return _bytes(folder())


def _bytes(place: Path) -> int:
    total = 0
    for path in place.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # a run that is on its way has just replaced it
            continue
    return total


def discard(run_id: str) -> None:
    """Remove all that a run has learnt."""
    shutil.rmtree(place_of(run_id), ignore_errors=True)


def set_aside(run_id: str) -> None:
    """Of a run that is deleted: out of the way, to come back if that is undone within a day.

    Raises:
        LabError: it cannot be moved.
    """
    _move(place_of(run_id), place_of(run_id, folder() / ASIDE))


def bring_back(run_id: str) -> None:
    """Of a run whose deletion is undone.

    Raises:
        LabError: it cannot be moved.
    """
    _move(place_of(run_id, folder() / ASIDE), place_of(run_id))


def _move(place: Path, target: Path) -> None:
    if not place.exists() or target.exists():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        place.replace(target)
        os.utime(target)  # the day begins now
    except OSError as error:
        raise LabError(f"{place} cannot be moved: {error.strerror or error}.") from error


def tidy(runs: Standing) -> None:
    """Remove what was deleted a day ago, or left half unpacked, then whatever is beyond the limit.

    Raises:
        LabError: the limit, or the history, cannot be read.
    """
    for place in [*_aside(), *folder().glob(f"{DRAFT}*")]:
        if time.time() - place.stat().st_mtime > ASIDE_SECONDS:
            shutil.rmtree(place, ignore_errors=True)
    limit, total = settings().total_mb * 10**6, used_bytes()
    if total <= limit:
        return
    in_use = runs.open_runs()
    for thing in list(_in_turn(in_use)):
        if total <= limit:
            return
        total -= _remove(thing)


def _aside() -> list[Path]:
    return sorted((folder() / ASIDE).glob("*"), key=lambda place: place.stat().st_mtime)


def _in_turn(in_use: set[str]) -> Iterator[Path]:
    """Whatever may go, first what goes first."""
    yield from _aside()
    places = [p for p in folder().glob("[!.]*") if p.is_dir() and p.name not in in_use]
    oldest_first = sorted(places, key=_made_at)
    yield from (place / FILM for place in oldest_first)
    yield from oldest_first


def _made_at(place: Path) -> str:
    try:
        return read_facts(place).made_at
    except LabError:
        return ""  # what cannot be read goes first


def _remove(thing: Path) -> int:
    """Remove a run's film, or all of it; the bytes that were won."""
    before = _bytes(thing)
    shutil.rmtree(thing, ignore_errors=True)
    if thing.name == FILM and before:
        log.info("the film of the run %s made room", thing.parent.name)
        try:
            facts = read_facts(thing.parent)
            write_facts(thing.parent, facts.model_copy(update={"frames": ()}))
        except (LabError, OSError):
            log.warning("the facts of %s are behind", thing.parent, exc_info=True)
    return before - _bytes(thing)
