"""Files that are tables of text, alone or in an archive around them, and in which encoding."""

from __future__ import annotations

import codecs
import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cnnlab.datasets import archives

SUFFIXES = (".csv", ".tsv")


def is_table(path: Path) -> bool:
    """Whether a file is a table of text, or an archive around a single one."""
    if path.is_dir():
        return False
    name = path.name.lower()
    return name.endswith(SUFFIXES) or (name.endswith(".zip") and single_table(path) is not None)


def single_table(path: Path) -> str | None:
    """The name of the table in an archive that holds no other file; null if it is none such."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return None  # whoever reads its pictures will say what is wrong with it
    files = [name for name in names if not re.search(r"(^|/)(\.|__MACOSX)", name)]
    one = len(files) == 1 and files[0].lower().endswith(SUFFIXES)
    return files[0] if one else None


@contextmanager
def opened(path: Path) -> Iterator[IO[str]]:
    """The text of a table from its beginning."""
    if path.suffix.lower() != ".zip":
        with path.open("rb") as file:
            yield _text(file)
        return
    with archives.readable(path):
        wanted = single_table(path)
        found = [
            member.read(archives.output_limit(path))
            for member in archives.members(path)
            if member.name == wanted
        ]
    yield _text(io.BytesIO(found[0]))


def _text(file: IO[bytes]) -> IO[str]:
    start = file.read(2)
    file.seek(0)
    wide = start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return io.TextIOWrapper(file, encoding="utf-16" if wide else "utf-8-sig", newline="")


def skip(file: IO[str], lines: int) -> IO[str]:
    """The same text, some lines further on."""
    for _ in range(lines):
        file.readline()
    return file
