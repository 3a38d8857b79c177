"""The gate for data sets of one's own: what a browser hands in, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cnnlab.datasets import DatasetInfo, Progress, drafts, snapshots
from cnnlab.spec import LabError
from cnnlab.ui import lab
from cnnlab.ui.rights import presenters_only

MOST_CLASSES, MOST_SHOTS = 20, 500
"""Of a set that is made with the camera: they wait in memory until they are used."""


@presenters_only
def hand_in(content: bytes, file_name: str) -> Path:
    """Put a file aside, to be looked through.

    Raises:
        LabError: as all of the gate, this browser may only watch; it is no file of a data set, or
            cannot be written.
    """
    return drafts.put_aside(content, file_name)


@presenters_only
def look_through(draft: Path, options: str, progress: Progress) -> DatasetInfo:
    """Read what was put aside.

    Raises:
        LabError: as all of the gate; something is timed, which it would disturb; nothing can be
            learnt from it.
    """
    if lab.lab().busy():
        raise LabError("Something is being timed; the file is read when you ask again after it.")
    return drafts.read(draft, options, progress)


@presenters_only
def keep(draft: Path, title: str, options: str) -> str:
    """Make a data set of what was looked through; its name.

    Raises:
        LabError: as all of the gate; the title is no name or taken; it cannot be written.
    """
    return drafts.keep(draft, title, options)


@presenters_only
def throw_away(draft: Path) -> None:
    """Forget what was put aside."""
    drafts.discard(draft)


@presenters_only
def class_name(shots: Mapping[str, Sequence[bytes]], wanted: str) -> str:
    """A name for a class beside those that there are.

    Raises:
        LabError: as all of the gate; it is no name of a folder, or taken; there are enough.
    """
    name = wanted.strip()
    if len(shots) >= MOST_CLASSES:
        raise LabError(f"There are {MOST_CLASSES} classes, and no more can wait; use them first.")
    if not drafts.NAME.fullmatch(name):
        raise LabError("A class is called by letters, digits and spaces; choose such a name.")
    if name.casefold() in {other.casefold() for other in shots}:
        raise LabError(f"There is a class {name} already; choose another name.")
    return name


@presenters_only
def take_picture(shots: Mapping[str, Sequence[bytes]], content: bytes) -> bytes:
    """What the camera saw, as it is kept beside the shots that there are.

    Raises:
        LabError: as all of the gate; there are enough, or it is no picture.
    """
    if sum(map(len, shots.values())) >= MOST_SHOTS:
        raise LabError(f"There are {MOST_SHOTS} pictures, and no more can wait; use them first.")
    return snapshots.square(content)


@presenters_only
def keep_pictures(
    shots: Mapping[str, Sequence[bytes]], side: int, title: str, progress: Progress
) -> str:
    """Make a data set of pictures by class; its name.

    Raises:
        LabError: as all of the gate; as `look_through` and `keep`; nothing is left of it then.
    """
    draft = drafts.put_aside(snapshots.archive(shots, side), "pictures.zip")
    try:
        found = look_through(draft, "", progress)
        assert found.understood
        snapshots.check(found.understood, shots)
        return drafts.keep(draft, title, "")
    except LabError:
        drafts.discard(draft)
        raise
