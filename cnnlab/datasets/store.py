"""Prepared data sets on disk: one folder each, with images.npy, labels.npy and meta.json, and
test-images.npy and test-labels.npy where there is a test part.

A folder appears whole or not at all: it is written beside its place and then moved there. It is
never changed afterwards, so that any number of processes may map it into memory.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from cnnlab.spec import Frozen, LabError, Understood, home

FORMAT = 3
"""Raise it when a rule of preparation changes: what was prepared by the old rule is left alone."""

TEST = "test-"
"""Before the files of the test part."""

SPARE_BYTES = 64 * 2**20
"""Free disk space that preparing a data set leaves to others."""

LEFTOVER_SECONDS = 24 * 3600
"""Age after which an unfinished folder belongs to a process that was killed."""

Progress = Callable[[float | None, str], None]
"""Told the share done, 0 to 1 (None: unknown), and what is being done."""


Dtype = Literal["uint8", "float32", "float64"]
"""Pictures, sequences, tables."""


class Windows(Frozen):
    """How a table of rows becomes sequences; see `cnnlab.datasets.windows`."""

    window: int
    """Rows of a sequence."""
    horizon: int
    """Rows behind it that its class is about."""
    series: tuple[int, ...] = ()
    """Rows of each of several series, one behind the other; the table's last column is then the
    time, and no value."""


class Meta(Frozen):
    """What a page needs to know of a prepared data set without opening its arrays."""

    shape: tuple[int, int, int, int]
    """Pictures, height, width, channels; of sequences N, steps, features, 1; of a table rows, 1,
    columns, 1."""
    class_names: tuple[str, ...]
    understood: Understood
    dtype: Dtype = "uint8"
    windows: Windows | None = None
    """Of a table alone."""
    test_images: int = 0
    """Pictures of the test part."""


class Held(NamedTuple):
    """The test part of a data set: nothing is learnt from it, and nothing chosen by it."""

    images: np.ndarray
    labels: np.ndarray
    """(N,), class numbers as those of the training part."""


@dataclass(frozen=True)
class HeldPlan:
    """A test part that is about to be written; its pictures are of the training part's size."""

    labels: np.ndarray
    fill: Callable[[np.ndarray], None]
    """As `Plan.fill`."""


@dataclass(frozen=True)
class Plan:
    """A data set that is about to be written: all but its pixels is known."""

    shape: tuple[int, int, int, int]
    labels: np.ndarray
    """(N,), whole numbers from 0; of a table, what the classes will be made from."""
    class_names: tuple[str, ...]
    fill: Callable[[np.ndarray], None]
    """Writes the pixels, or values, into an array of `shape` and `dtype`."""
    understood: Callable[[], Understood]
    """What the files were taken for; asked after `fill`, which sees every value."""
    dtype: Dtype = "uint8"
    windows: Windows | None = None
    test: HeldPlan | None = None

    @property
    def test_images(self) -> int:
        """Pictures of the test part."""
        return len(self.test.labels) if self.test else 0


@dataclass(frozen=True)
class Prepared:
    """A data set from the store; the arrays are read-only maps of their files."""

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    understood: Understood
    windows: Windows | None = None
    test: Held | None = None


def folder() -> Path:
    """Where the owner's archives and the prepared data sets lie."""
    return home() / "datasets"


def key(name: str, identity: object) -> str:
    """A folder name for the data set `name` whose content is told apart by `identity`."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", name)[:40].strip("-").lower() or "data"
    digest = sha256(repr((FORMAT, identity)).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{readable}-{digest[:20]}"


def place(key: str) -> Path:
    """The folder of a prepared data set, whether it exists or not."""
    return folder() / ".prepared" / key


def folder_of(key: str) -> Path | None:
    """The folder of a prepared data set; None if it is not prepared."""
    here = place(key)
    return here if (here / "meta.json").is_file() else None


def meta(key: str) -> Meta | None:
    """The facts of a prepared data set; None if it is not prepared.

    Raises:
        LabError: it is there but damaged.
    """
    here = place(key)
    if not here.is_dir():
        return None
    try:
        return Meta.model_validate_json((here / "meta.json").read_bytes())
    except (OSError, ValueError) as error:
        raise _damaged(here, error) from error


def read(key: str) -> Prepared | None:
    """Map a prepared data set into memory; None if it is not prepared.

    Raises:
        LabError: it is there but damaged.
    """
    facts = meta(key)
    if facts is None:
        return None
    images, labels = _mapped(key, facts, "", facts.shape[0])
    test = Held(*_mapped(key, facts, TEST, facts.test_images)) if facts.test_images else None
    return Prepared(images, labels, facts.class_names, facts.understood, facts.windows, test)


def _mapped(key: str, facts: Meta, part: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures and labels of a part."""
    here = place(key)
    try:
        images = np.load(here / f"{part}images.npy", mmap_mode="r", allow_pickle=False)
        labels = np.load(here / f"{part}labels.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(here, error) from error
    kinds = (images.dtype, labels.dtype, images.shape, labels.shape)
    shape = (count, *facts.shape[1:])
    if kinds != (np.dtype(facts.dtype), _label_dtype(facts.windows), shape, (count,)):
        raise _damaged(here, "its arrays do not fit its meta.json")
    return images, labels


def _label_dtype(windows: Windows | None) -> np.dtype:
    """Class numbers; of a table, real numbers that classes are made from."""
    return np.dtype(np.float64 if windows else np.int32)


def _damaged(here: Path, why: object) -> LabError:
    return LabError(f"The prepared data set {here} is damaged ({why}): delete that folder.")


def prepare(key: str, plan: Plan) -> None:
    """Write the planned data set into the store.

    Two processes may do this at once: the first to finish wins, and both see the same content.

    Raises:
        LabError: it would not fit on the disk, or cannot be written.
    """
    here = place(key)
    try:
        here.parent.mkdir(parents=True, exist_ok=True)
        _check_room(here.parent, plan)
        _sweep(here.parent)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=here.parent))
    except OSError as error:
        raise unwritable(error) from error
    try:
        _write(draft, plan)
        _publish(draft, here)
    except OSError as error:
        raise unwritable(error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)  # gone already if it was moved


def unwritable(error: OSError) -> LabError:
    """What to say where nothing can be written in the folder of data sets."""
    return LabError(
        f"The data set cannot be prepared in {folder()}: {error.strerror or error}. "
        "Make room or grant access there, or let CNNLAB_HOME name another folder."
    )


def _check_room(here: Path, plan: Plan) -> None:
    each = math.prod(plan.shape[1:]) * np.dtype(plan.dtype).itemsize
    each += _label_dtype(plan.windows).itemsize
    needed = each * (plan.shape[0] + plan.test_images) + SPARE_BYTES
    free = shutil.disk_usage(here).free
    if needed > free:
        raise LabError(
            f"The prepared data set needs {needed / 1e6:,.0f} MB, but {here} has "
            f"{free / 1e6:,.0f} MB free: make room, or let CNNLAB_HOME name another folder."
        )


def _sweep(here: Path) -> None:
    """Remove what processes that were killed in the middle have left behind."""
    for draft in here.glob(".draft-*"):
        if time.time() - draft.stat().st_mtime > LEFTOVER_SECONDS:
            shutil.rmtree(draft, ignore_errors=True)


def _write(draft: Path, plan: Plan) -> None:
    _write_part(draft, plan, "", plan.labels, plan.fill)
    if plan.test:
        _write_part(draft, plan, TEST, plan.test.labels, plan.test.fill)
    facts = Meta(
        shape=plan.shape,
        class_names=plan.class_names,
        understood=plan.understood(),
        dtype=plan.dtype,
        windows=plan.windows,
        test_images=plan.test_images,
    )
    (draft / "meta.json").write_text(facts.model_dump_json(), encoding="utf-8")


def _write_part(
    draft: Path, plan: Plan, part: str, labels: np.ndarray, fill: Callable[[np.ndarray], None]
) -> None:
    file = draft / f"{part}images.npy"
    shape = (len(labels), *plan.shape[1:])
    images = np.lib.format.open_memmap(file, mode="w+", dtype=plan.dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):
        # A disk that fills up under a memory map kills the process; like this it is an OSError.
        with file.open("r+b") as handle:
            os.posix_fallocate(handle.fileno(), 0, file.stat().st_size)
    fill(images)
    images.flush()
    numbers = labels.astype(_label_dtype(plan.windows))
    np.save(draft / f"{part}labels.npy", numbers, allow_pickle=False)


def _publish(draft: Path, here: Path) -> None:
    try:
        draft.replace(here)
    except OSError:
        if not (here / "meta.json").exists():
            raise
        # Another process was first. Its folder has the same key, so it holds the same data set.
