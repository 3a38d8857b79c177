"""What the name of a data set means: an entry of the registry, or a file or folder here."""

from __future__ import annotations

import difflib
import time
from pathlib import Path

from cnnlab.datasets import archives, store, texts, windows
from cnnlab.datasets.registry import REGISTRY
from cnnlab.datasets.windows import source
from cnnlab.spec import LabError

LISTING_SECONDS = 10
"""How long `info` trusts a listing of a folder: a page asks several times in a row."""
OPTIONS = ".options"
"""Below the owner's folder: how tables are read that were kept with options, a file for each."""
_folder_keys: dict[Path, tuple[str, float]] = {}
"""Keys of folders, and when they were listed (monotonic seconds)."""


_stand_ins: dict[str, str] = {}


def stand_in(name: str, key: str) -> None:
    """Let a name mean, in this process, a data set that was put into the store under `key`.

    A path that is named on another computer is then never opened on this one.
    """
    _stand_ins[name] = key


def key_of(name: str, remembered: bool = False) -> str:
    """The name of a data set in the store; another one as soon as its files change.

    Listing a large folder takes a noticeable time; `remembered` allows a recent listing.

    Raises:
        LabError: there is no such data set.
    """
    if key := _stand_ins.get(name):
        return key
    if entry := REGISTRY.get(name):
        return store.key(name, [file.sha256 for file in entry.files])
    path = path_of(name)
    if path.is_dir():
        return _folder_key(path, remembered)
    facts = path.stat()
    identity: tuple[object, ...] = (str(path), facts.st_size, facts.st_mtime_ns)
    if texts.is_table(path):
        identity += (windows.options(name),)
    return store.key(path.name, identity)


def _folder_key(path: Path, remembered: bool) -> str:
    known, listed = _folder_keys.get(path, ("", -LISTING_SECONDS))
    if remembered and time.monotonic() - listed < LISTING_SECONDS:
        return known
    key = store.key(path.name, (str(path), archives.listing(path)))
    _folder_keys[path] = key, time.monotonic()
    return key


def _is_source(path: Path) -> bool:
    return path.is_dir() or (
        path.is_file() and path.name.lower().endswith((".npz", *texts.SUFFIXES, *archives.SUFFIXES))
    )


def path_of(name: str) -> Path:
    """The file or folder that a name means: in the owner's data set folder, or a path.

    Raises:
        LabError: there is none, or it is of no kind that can be read.
    """
    shown = repr(name if len(name) <= 80 else f"{name[:77]}...")
    name, _ = source(name)
    try:
        for path in (store.folder() / name, Path(name).expanduser()):
            if name and _is_source(path):
                return path.resolve()
        if name and Path(name).expanduser().exists():
            raise LabError(
                f"{name} is no data set: it must be a folder, .csv, .npz, "
                f"{', '.join(archives.SUFFIXES)}."
            )
    except (OSError, ValueError, RuntimeError) as error:  # no name for a file, no such home
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise LabError(f"There is no data set {shown}: {reason}.") from error
    near = difflib.get_close_matches(name, [*REGISTRY, *own_names()], n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}" if near else f"choose {', '.join(REGISTRY)}"
    raise LabError(
        f"There is no data set {shown}: {hint}, or name a folder or an archive of pictures, "
        "a .npz file or a .csv file."
    )


def own_names() -> list[str]:
    """The names in `home()/datasets` that are neither hidden nor the registry's own files."""
    folder = store.folder()
    if not folder.is_dir():
        return []
    taken = {
        file.local.relative_to(folder).parts[0]
        for entry in REGISTRY.values()
        for file in entry.files
        if file.local.is_file() and file.local.stat().st_size == file.size
    }
    names = sorted(path.name for path in folder.iterdir() if _is_source(path))
    own = [name for name in names if name not in {*taken, *REGISTRY} and name[0] != "."]
    return [_as_kept(name) for name in own]


def remember_options(file_name: str, options: str) -> None:
    """Let a file in the owner's folder be read in this way wherever it is listed.

    Args:
        options: none where it is empty; then those of an earlier file of that name are forgotten.

    Raises:
        OSError: the folder cannot be written.
    """
    place = store.folder() / OPTIONS / file_name
    if not options:
        place.unlink(missing_ok=True)
        return
    place.parent.mkdir(exist_ok=True)
    place.write_text(options, encoding="utf-8")


def _as_kept(file_name: str) -> str:
    """The name of a file in the owner's folder, with the options that it was kept with."""
    place = store.folder() / OPTIONS / file_name
    options = place.read_text(encoding="utf-8") if place.is_file() else ""
    return f"{file_name}?{options}" if options else file_name
