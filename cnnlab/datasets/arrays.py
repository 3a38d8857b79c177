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
from cnnlab.datasets.store import Plan, Progress
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
        images = _array(path, archive, names.pictures)
        labels = _array(path, archive, names.labels)
        held_out = _array(path, archive, names.test_labels) if names.test_labels else None
    images = images[..., None] if images.ndim == 3 else images
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
    notes = (*scale.notes, *warnings_of(labels, class_names, SPLIT))
    return Plan(
        images.shape,
        labels.astype(np.int32),
        class_names,
        partial(_fill, images, scale.factor, progress),
        lambda: _understood(names, images, counted(labels, class_names), held_out, notes),
    )


class _Names(NamedTuple):
    """The arrays of a file that are read, and those that are not."""

    pictures: str
    labels: str
    test_labels: str | None
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
    test = next((known[name] for name in TEST_LABELS if name in known), None)
    others = tuple(sorted({*held} - {pictures, labels}))
    return _Names(pictures, labels, test, others)


def _understood(
    names: _Names,
    images: np.ndarray,
    classes: dict[str, int],
    held_out: np.ndarray | None,
    notes: tuple[str, ...],
) -> Understood:
    test = None
    if held_out is not None and held_out.dtype.kind in "iu" and held_out.size == len(held_out):
        found, counts = np.unique(held_out, return_counts=True)
        test = dict(zip(map(str, found.tolist()), counts.tolist(), strict=True))
    return Understood(
        classes=classes,
        test_classes=test,
        left_out=left_out(names.others, "not part of the training part"),
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


def _fill(source: np.ndarray, factor: float, progress: Progress, images: np.ndarray) -> None:
    for start in range(0, len(source), CHUNK):
        part = source[start : start + CHUNK]
        if part.dtype != np.uint8:
            part = np.rint(part.astype(np.float32) * factor).clip(0, 255)
        images[start : start + CHUNK] = part
        progress(min(1.0, (start + CHUNK) / len(source)), "converting the pictures")


# --- IDX ------------------------------------------------------------------------------------


def idx(images: Path, labels: Path, class_names: Sequence[str]) -> Plan:
    """Read a pair of gzipped IDX files (format: http://yann.lecun.com/exdb/mnist/).

    Raises:
        LabError: corrupt or of another shape.
    """
    pixels, classes = _idx_array(images, 3), _idx_array(labels, 1)
    if len(pixels) != len(classes) or int(classes.max(initial=0)) >= len(class_names):
        raise LabError(f"{labels.name} does not fit the pictures in {images.name}.")
    return Plan(
        (*pixels.shape, 1),
        classes,
        tuple(class_names),
        partial(np.copyto, src=pixels[..., None]),
        lambda: told(classes, class_names, pixels, f"{images.name}: {len(pixels):,} pictures"),
    )


def _idx_array(path: Path, dimensions: int) -> np.ndarray:
    with archives.readable(path), gzip.open(path) as file:
        data = file.read(archives.output_limit(path))
        if data[:4] != bytes((0, 0, 8, dimensions)):
            raise LabError(f"{path.name} is no IDX file of bytes with {dimensions} dimensions.")
        shape = struct.unpack_from(f">{dimensions}I", data, 4)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
