"""What runs have learnt in one file, for another lab."""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cnnlab.learned.files import DRAFT, FACTS, PARTS, folder, place_of, read_arrays, read_facts
from cnnlab.learned.reading import kept
from cnnlab.spec import LabError

MEMBER = re.compile(
    rf"(?P<run>[^/\\]+)/(?P<file>{re.escape(FACTS)}|(?:{'|'.join(PARTS)}|film/\d{{4,6}})\.safetensors)"
)
ENDING = "-learned.zip"
"""Of the name of such a file, which else is that of the cards beside it."""
MOST_BYTES = 20 * 10**9
"""Of one file; what is packed has no smaller form, so its size says how much comes out."""


def pack(run_ids: Iterable[str], target: Path) -> list[str]:
    """Write what is kept of some runs into a file; the ids of those of which something is.

    Where that is none, no file is written.

    Raises:
        OSError: it cannot be written.
    """
    found = [run_id for run_id in run_ids if kept(run_id)]
    if not found:
        return []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for run_id in found:
            place = place_of(run_id)
            for path in sorted(place.rglob("*")):
                name = f"{run_id}/{path.relative_to(place).as_posix()}"
                if path.is_file() and MEMBER.fullmatch(name):
                    archive.write(path, name)
    return found


def packed_runs(source: Path | IO[bytes], name: str) -> set[str]:
    """The ids of the runs that a packed file holds something of, as their lab knows them.

    Raises:
        LabError: the file is no such file; it is called by its `name`.
    """
    with _opened(source, name) as archive:
        found = map(MEMBER.fullmatch, archive.namelist())
        return {match["run"] for match in found if match}


@contextmanager
def _opened(source: Path | IO[bytes], name: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(source) as archive:
            yield archive
    except (OSError, zipfile.BadZipFile, RuntimeError, EOFError) as error:  # one: it has a password
        raise LabError(f"{name} cannot be taken in: {error}.") from error


def unpack(source: Path | IO[bytes], name: str, ids: Mapping[str, str]) -> list[str]:
    """Take in what another lab has packed; the ids of the runs that have it now.

    Args:
        name: what a refusal calls it.
        ids: of the runs that were taken in: their id there, and here. Others are left, and so is
            whatever is here of a run already.

    Raises:
        LabError: the file is no such file, is damaged, or cannot be kept; then nothing is.
    """
    with _opened(source, name) as archive:
        folder().mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=folder()))
        try:
            _extract(archive, name, draft, ids)
            drawn = sorted(path for path in draft.iterdir())
            for place in drawn:
                _check(place)
            return [_settle(place, ids[place.name]) for place in drawn if not kept(ids[place.name])]
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _extract(archive: zipfile.ZipFile, name: str, draft: Path, ids: Mapping[str, str]) -> None:
    total = 0
    for info in archive.infolist():
        match = MEMBER.fullmatch(info.filename)
        if match is None or info.compress_type != zipfile.ZIP_STORED:
            raise LabError(f"{name} is refused: {info.filename[:80]!r} is none of a lab's files.")
        total += info.file_size
        if total > MOST_BYTES:
            raise LabError(f"{name} is refused: it holds more than {MOST_BYTES / 1e9:.0f} GB.")
        if match["run"] not in ids:
            continue
        target = place_of(match["run"], draft) / match["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(info) as member, target.open("wb") as file:
            shutil.copyfileobj(member, file)


def _check(place: Path) -> None:
    """Make sure that everything of a run can be read.

    Raises:
        LabError: names what cannot.
    """
    read_facts(place)
    for path in place.rglob("*.safetensors"):
        read_arrays(path)


def _settle(place: Path, run_id: str) -> str:
    place.replace(place_of(run_id))
    return run_id
