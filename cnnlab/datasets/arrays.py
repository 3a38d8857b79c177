"""Data sets that come as arrays: `.npz` files, and MNIST's own IDX files.

Of an `.npz`, Keras's `x_train` and `y_train` are read, MedMNIST's `train_images` and
`train_labels`, or what else is called so (`PICTURES`, `LABELS`). Pictures are (N, H, W) or
(N, H, W, C) with one or three channels; labels are whole numbers, (N,) or (N, 1). The classes are
the numbers that occur, and are called by them. Pixels should be uint8. Floating point is taken too:
up to 1 it is multiplied by 255, up to 255 it is taken as it is, and both are rounded; a little
beyond, as sharpening and resizing leave it, is clipped. Anything else is refused, Python objects
above all. The order is kept.
"""

from __future__ import annotations

import gzip
import math
import struct
import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from cnnlab.datasets import archives
from cnnlab.datasets.mixing import warnings_of
from cnnlab.datasets.store import HeldPlan, Plan, Progress
from cnnlab.datasets.understanding import counted, left_out, told, value_range
from cnnlab.datasets.windows import SPLIT
from cnnlab.spec import LabError, Understood

CLASSES = 65_536
"""Most classes; a larger label is a mistake, and would ask for as many outputs."""
CHUNK = 4096
"""Pictures converted at a time."""
PICTURES = (
    *("x_train", "train_images", "train_x", "xtrain", "trainx", "images_train", "train_data"),
    *("x", "images", "data", "pictures", "imgs", "features", "arr_0"),
)
"""What the pictures are called, in lower case; the first that is there is taken."""
LABELS = (
    *("y_train", "train_labels", "train_y", "ytrain", "trainy", "labels_train", "train_label"),
    *("y", "labels", "label", "targets", "target", "classes", "arr_1"),
)
TEST_LABELS = (
    *("y_test", "test_labels", "test_y", "ytest", "testy", "labels_test", "test_label"),
    *("y_val", "val_labels", "y_valid", "val_y"),
)
OVERSHOOT = 0.2
"""How far beyond 0 and 1 resizing and sharpening carry a value, as a share of the range."""
DARKEST = 32.0
"""Pictures whose brightest pixel is below that are hardly meant to go up to 255."""


class _Scale(NamedTuple):
    """How pixels become 0 to 255."""

    factor: float
    notes: tuple[str, ...] = ()


def npz(path: Path, progress: Progress) -> Plan:
    """Read a `.npz` file.

    Raises:
        LabError: corrupt, too large, without pictures and labels, or with other shapes or kinds.
    """
    progress(None, f"reading {path.name}")
    with archives.readable(path):
        archives.check_zip_entries(path)
    with archives.readable(path), zipfile.ZipFile(path) as archive:
        names = _names(path, archive)
        images = _channelled(_array(path, archive, names.pictures))
        labels = _array(path, archive, names.labels)
        held_out, why_not = _held_out(path, archive, names)
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise LabError(
            f"{names.pictures} of {path.name} has the shape {images.shape}; "
            "it must be (N, height, width) or (N, height, width, 1 or 3)."
        )
    numbers = _numbers(path, names.labels, labels, len(images))
    occurring, labels = np.unique(numbers, return_inverse=True)
    _check_classes(path, names.labels, occurring)
    class_names = tuple(str(number) for number in occurring.tolist())
    scale = _scale(path, names.pictures, images)
    test = _test_part(names, held_out, images, occurring) if held_out else _TestPart(notes=why_not)
    notes = (*scale.notes, *warnings_of(labels, class_names, SPLIT), *test.notes)
    fill = partial(_fill, factor=scale.factor, progress=progress)
    return Plan(
        images.shape,
        labels.astype(np.int32),
        class_names,
        partial(fill, images),
        lambda: _understood(names, images, counted(labels, class_names), test, notes),
        test=HeldPlan(test.labels, partial(fill, test.images)) if len(test.labels) else None,
    )


def _held_out(
    path: Path, archive: zipfile.ZipFile, names: _Names
) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """The arrays of the test part; where they cannot be read, why: learning does without."""
    try:
        return [_array(path, archive, name) for name in names.test], ()
    except LabError as error:
        return [], (f"Nothing is tested on. {error}",)


def _channelled(images: np.ndarray) -> np.ndarray:
    return images[..., None] if images.ndim == 3 else images


class _TestPart(NamedTuple):
    """The pictures of a file that are tested on, and what is to be said of that."""

    images: np.ndarray = np.empty(0)
    labels: np.ndarray = np.empty(0, np.int32)
    counts: dict[str, int] | None = None
    notes: tuple[str, ...] = ()


def _test_part(
    names: _Names, held_out: list[np.ndarray], images: np.ndarray, occurring: np.ndarray
) -> _TestPart:
    """What can be tested on: pictures as those to learn from, of classes that are learnt."""
    *found, numbers = held_out
    counts = None
    if numbers.dtype.kind in "iu" and numbers.size == len(numbers):
        each, often = np.unique(numbers, return_counts=True)
        counts = dict(zip(map(str, each.tolist()), often.tolist(), strict=True))
    said = " and ".join(names.test)
    if counts is None or not found:
        lacking = "pictures to test on" if counts else "class numbers"
        return _TestPart(counts=counts, notes=(f"Nothing is tested on {said}: no {lacking}.",))
    pictures, numbers = _channelled(found[0]), numbers.reshape(-1)
    alike = (pictures.shape[1:], pictures.dtype) == (images.shape[1:], images.dtype)
    if not alike or len(pictures) != len(numbers) or not _in_range(pictures, images):
        why = "their shapes or values are not those of the training part"
        return _TestPart(counts=counts, notes=(f"Nothing is tested on {said}: {why}.",))
    learnt = np.isin(numbers, occurring)
    left = int((~learnt).sum())
    notes = (f"Test pictures of classes that are not learnt are left out: {left:,}.",)
    labels = np.searchsorted(occurring, numbers[learnt]).astype(np.int32)
    return _TestPart(pictures[learnt], labels, counts, notes if left else ())


def _in_range(pictures: np.ndarray, images: np.ndarray) -> bool:
    """Whether values to test on are scaled as those that were learnt from."""
    if images.dtype == np.uint8:
        return True
    low, high = value_range(pictures)
    top = 1.0 if value_range(images)[1] <= 1 + OVERSHOOT else 255.0
    return -OVERSHOOT * top <= low and high <= top * (1 + OVERSHOOT)


class _Names(NamedTuple):
    """The arrays of a file that are read, and those that are not."""

    pictures: str
    labels: str
    test: tuple[str, ...]
    """Pictures and labels of the test part, or its labels alone; empty where it has none."""
    others: tuple[str, ...]


def _names(path: Path, archive: zipfile.ZipFile) -> _Names:
    held = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    known = {name.lower(): name for name in held}
    pictures = next((known[name] for name in PICTURES if name in known), None)
    labels = next((known[name] for name in LABELS if name in known), None)
    if pictures is None or labels is None:
        lacking = "x_train" if pictures is None else "y_train"
        raise LabError(
            f"{path.name} has no array {lacking}; x_train and y_train are needed, and it holds "
            f"{', '.join(held[:10]) or 'no arrays'}{' …' if len(held) > 10 else ''}."
        )
    test = _test_names(known)
    read = {pictures, labels, *(test if len(test) > 1 else ())}
    return _Names(pictures, labels, test, tuple(sorted({*held} - read)))


def _test_names(known: dict[str, str]) -> tuple[str, ...]:
    """As `_Names.test`, of the arrays of a file by their names in lower case."""
    for name in TEST_LABELS:
        if name in known:
            pictures = name.replace("labels", "images").replace("label", "data").replace("y", "x")
            return (known[pictures], known[name]) if pictures in known else (known[name],)
    return ()


def _understood(
    names: _Names,
    images: np.ndarray,
    classes: dict[str, int],
    test: _TestPart,
    notes: tuple[str, ...],
) -> Understood:
    return Understood(
        classes=classes,
        test_classes=test.counts,
        left_out=left_out(names.others, "neither learnt from nor tested on"),
        value_range=value_range(images),
        split=f"{names.pictures} with {names.labels}: {len(images):,} pictures",
        notes=notes,
    )


def _array(path: Path, archive: zipfile.ZipFile, name: str) -> np.ndarray:
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > archives.output_limit(path):
        raise LabError(f"{path.name} is refused: {name} unpacks to {info.file_size / 1e6:,.0f} MB.")
    with archive.open(info) as member:
        _check_header(path, name, member, info.file_size)
    with archive.open(info) as member:
        return np.asarray(np.lib.format.read_array(member, allow_pickle=False))


def _check_header(path: Path, name: str, member: IO[bytes], size: int) -> None:
    """Refuse what the header declares before memory is taken for it."""
    version = np.lib.format.read_magic(member)
    if version not in ((1, 0), (2, 0)):
        raise LabError(f"{name} of {path.name} is refused: it is no array of plain numbers.")
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else (np.lib.format.read_array_header_2_0)
    )
    shape, _, dtype = read(member)
    if dtype.hasobject:
        raise LabError(f"{name} of {path.name} is refused: it holds Python objects, not numbers.")
    if not shape or min(shape) < 1:
        raise LabError(f"{name} of {path.name} is empty: its shape is {shape}.")
    if math.prod(shape) * dtype.itemsize > size:
        raise LabError(f"{name} of {path.name} is truncated: get a fresh copy of it.")


# --- labels ---------------------------------------------------------------------------------


def _numbers(path: Path, name: str, labels: np.ndarray, images: int) -> np.ndarray:
    """The labels as whole numbers (N,), as the file has them."""
    if labels.shape not in ((images,), (images, 1)):
        raise LabError(
            f"{name} of {path.name} has the shape {labels.shape} for {images:,} pictures; "
            f"it must be ({images},) or ({images}, 1): one class number each, not one-hot."
        )
    if labels.dtype.kind not in "iu":
        raise LabError(f"{name} of {path.name} is {labels.dtype}; it must be whole numbers.")
    return labels.reshape(-1)


def _check_classes(path: Path, name: str, occurring: np.ndarray) -> None:
    if int(occurring[0]) < 0 or int(occurring[-1]) >= CLASSES:
        raise LabError(
            f"{name} of {path.name} goes from {int(occurring[0])} to {int(occurring[-1])}; classes "
            f"are numbered from 0, at most {CLASSES:,}."
        )
    if len(occurring) < 2:
        raise LabError(
            f"{path.name} holds only one class, {int(occurring[0])}: learning needs at least two."
        )


# --- pixels ---------------------------------------------------------------------------------


def _scale(path: Path, name: str, images: np.ndarray) -> _Scale:
    """What pixels are multiplied by to go from 0 to 255."""
    if images.dtype == np.uint8:
        return _Scale(1.0)
    if images.dtype.kind != "f":
        raise LabError(
            f"{name} of {path.name} is {images.dtype}; it must be uint8, or floating point "
            "from 0 to 1 or from 0 to 255."
        )
    low, high = value_range(images)  # NaN passes through both
    for top, darkest in ((1.0, 0.0), (255.0, DARKEST)):
        beyond = OVERSHOOT * top
        if -beyond <= low and darkest < high <= top + beyond:
            inside = low >= 0 and high <= top
            note = f"Values from {low:g} to {high:g} are clipped to the range from 0 to {top:g}."
            return _Scale(255.0 / top, () if inside else (note,))
    raise LabError(
        f"{name} of {path.name} goes from {low:g} to {high:g}; "
        "floating-point pixels must be finite, from 0 to 1 or from 0 to 255: scale them so, or "
        "save them as uint8."
    )


def _fill(source: np.ndarray, images: np.ndarray, factor: float, progress: Progress) -> None:
    for start in range(0, len(source), CHUNK):
        part = source[start : start + CHUNK]
        if part.dtype != np.uint8:
            part = np.rint(part.astype(np.float32) * factor).clip(0, 255)
        images[start : start + CHUNK] = part
        progress(min(1.0, (start + CHUNK) / len(source)), "converting the pictures")


# --- IDX ------------------------------------------------------------------------------------


def idx(train: Sequence[Path], test: Sequence[Path], class_names: Sequence[str]) -> Plan:
    """Read two pairs of gzipped IDX files (format: http://yann.lecun.com/exdb/mnist/).

    Args:
        train: pictures and labels, those of `test` likewise.

    Raises:
        LabError: corrupt or of another shape.
    """
    pixels, classes = _idx_pair(train, class_names)
    held_out, numbers = _idx_pair(test, class_names)
    if held_out.shape[1:] != pixels.shape[1:]:
        raise LabError(f"The pictures in {test[0].name} have another size than the others.")
    about = told(classes, class_names, pixels, f"{train[0].name}: {len(pixels):,} pictures")
    about = about.model_copy(update={"test_classes": counted(numbers, class_names)})
    return Plan(
        (*pixels.shape, 1),
        classes,
        tuple(class_names),
        partial(np.copyto, src=pixels[..., None]),
        lambda: about,
        test=HeldPlan(numbers, partial(np.copyto, src=held_out[..., None])),
    )


def _idx_pair(files: Sequence[Path], class_names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    images, labels = files
    pixels, classes = _idx_array(images, 3), _idx_array(labels, 1)
    if len(pixels) != len(classes) or int(classes.max(initial=0)) >= len(class_names):
        raise LabError(f"{labels.name} does not fit the pictures in {images.name}.")
    return pixels, classes


def _idx_array(path: Path, dimensions: int) -> np.ndarray:
    with archives.readable(path), gzip.open(path) as file:
        data = file.read(archives.output_limit(path))
        if data[:4] != bytes((0, 0, 8, dimensions)):
            raise LabError(f"{path.name} is no IDX file of bytes with {dimensions} dimensions.")
        shape = struct.unpack_from(f">{dimensions}I", data, 4)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
