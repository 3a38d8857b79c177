"""A data set that somebody hands in: put aside, looked through, then kept by a name or thrown away.

What is put aside lies in a hidden folder of its own below the owner's data sets, where no listing
and no link finds it. Only when it is kept it takes its name there, and what was prepared of it
moves along, so that nothing is read twice.
"""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from uuid import uuid4

from cnnlab.datasets import archives, names, store, texts
from cnnlab.datasets.catalogue import DatasetInfo
from cnnlab.datasets.loading import fetch
from cnnlab.datasets.registry import REGISTRY
from cnnlab.datasets.store import Progress
from cnnlab.spec import LabError

SUFFIXES = (".npz", *texts.SUFFIXES, *archives.SUFFIXES)
"""Of the files that can be handed in."""
NAME = re.compile(r"\w[\w .()+-]{0,59}")
"""What a kept data set may be called: no part of a path, nothing hidden, no options."""
PREPARED = "prepared"
"""Beside a draft: the keys of what was prepared of it, one a line."""


def put_aside(content: bytes, file_name: str) -> Path:
    """Write what was handed in where it can be looked through; the file, which is no data set yet.

    Raises:
        LabError: it is empty, of no kind that can be read, or cannot be written.
    """
    tidy()
    safe = re.sub(r"[^\w .()+-]", "_", Path(file_name.replace("\\", "/")).name)[-80:].lstrip(". ")
    if not suffix_of(safe):
        raise LabError(
            f"{safe or 'The file'} is no data set: hand in an archive of pictures by class "
            f"({', '.join(archives.SUFFIXES)}), a .npz file or a .csv file."
        )
    if not content:
        raise LabError(f"{safe} is empty: nothing can be learnt from it.")
    draft = _folder() / uuid4().hex / safe
    try:
        draft.parent.mkdir(parents=True)
        draft.write_bytes(content)
    except OSError as error:
        shutil.rmtree(draft.parent, ignore_errors=True)
        raise store.unwritable(error) from error
    return draft


def suffix_of(file_name: str) -> str:
    """The ending by which a file is known, `.tar.gz` as a whole; empty if it is none of them."""
    return max((end for end in SUFFIXES if file_name.lower().endswith(end)), key=len, default="")


def read(draft: Path, options: str, progress: Progress) -> DatasetInfo:
    """Read what was put aside: what it was taken for.

    Args:
        options: how a table is read, as behind the name of a data set; empty for the lab's guess.

    Raises:
        LabError: it cannot be learnt from, and why.
    """
    name = _named(_there(draft), options)
    key = names.key_of(name)
    with (draft.parent / PREPARED).open("a", encoding="utf-8") as file:
        file.write(f"{key}\n")
    return fetch(name, progress)


def columns(draft: Path) -> list[str]:
    """The columns of a table by their names; empty for what is no table.

    Raises:
        LabError: its first line cannot be read.
    """
    if not texts.is_table(draft):
        return []
    from cnnlab.datasets import headers  # with pandas, for which no run need wait

    return headers.header_of(draft).names


def keep(draft: Path, title: str, options: str) -> str:
    """Give what was put aside, and read with these options, a name; the data set's.

    Args:
        title: what to call it, without the ending of the file.

    Raises:
        LabError: that is no name, or one that is taken; or it cannot be written.
    """
    file_name = _free(title.strip(), suffix_of(_there(draft).name))
    before = names.key_of(_named(draft, options))
    try:
        draft.replace(store.folder() / file_name)
        names.remember_options(file_name, options)
        name = _named(file_name, options)
        if store.place(before).is_dir():
            store.place(before).replace(store.place(names.key_of(name)))
    except OSError as error:
        raise store.unwritable(error) from error
    discard(draft)
    return name


def discard(draft: Path) -> None:
    """Throw away what was put aside, and what was prepared of it."""
    listed = draft.parent / PREPARED
    for key in listed.read_text(encoding="utf-8").split() if listed.is_file() else ():
        shutil.rmtree(store.place(key), ignore_errors=True)
    shutil.rmtree(draft.parent, ignore_errors=True)


def tidy() -> None:
    """Throw away what nobody decided about for a day."""
    for folder in _folder().glob("*"):
        if time.time() - folder.stat().st_mtime > store.LEFTOVER_SECONDS:
            discard(folder / PREPARED)


def _named(file: Path | str, options: str) -> str:
    return f"{file}?{options}" if options else str(file)


def _there(draft: Path) -> Path:
    if not draft.is_file():
        raise LabError("What was handed in is gone, after a day or in another window: do it again.")
    return draft


def _folder() -> Path:
    return store.folder() / ".handed-in"


def _free(title: str, suffix: str) -> str:
    """The name of the file, if it may be that of a data set and none has it."""
    if not NAME.fullmatch(title):
        raise LabError(
            "A data set is called by letters, digits, spaces and . ( ) + - _, at most 60 of them, "
            "the first a letter or digit; choose such a name."
        )
    wanted = title if title.lower().endswith(suffix) else title + suffix
    taken = {path.name for path in store.folder().iterdir()} | {*REGISTRY}
    taken |= {Path(file.path).parts[0] for entry in REGISTRY.values() for file in entry.files}
    if wanted.casefold() in {name.casefold() for name in taken}:
        raise LabError(f"There is a data set {wanted} already; choose another name.")
    return wanted
