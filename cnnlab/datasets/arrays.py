"""Data sets that come as arrays: `.npz` files in Keras's layout, and MNIST's own IDX files.

Of an `.npz`, `x_train` and `y_train` are read. Pictures are (N, H, W) or (N, H, W, C) with one or
three channels; labels are whole numbers from 0, (N,) or (N, 1). Pixels should be uint8. Floating
point is taken too, if finite and not negative: up to 1 it is multiplied by 255, up to 255 it is
taken as it is, and both are rounded. Anything else is refused, Python objects above all.
The order is kept.
"""

from __future__ import annotations

import gzip
import math
import struct
import zipfile
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from cnnlab.datasets import archives
from cnnlab.datasets.store import Plan, Progress
from cnnlab.spec import LabError

CLASSES = 65_536
"""Most classes; a larger label is a mistake, and would ask for as many outputs."""
CHUNK = 4096
"""Pictures converted at a time."""


def npz(path: Path, progress: Progress) -> Plan:
    """Read a `.npz` file in Keras's layout.

    Raises:
        LabError: corrupt, too large, without the two arrays, or with other shapes or kinds.
    """
    progress(None, f"reading {path.name}")
    with archives.readable(path):
        archives.check_zip_entries(path)
    with archives.readable(path), zipfile.ZipFile(path) as archive:
        images = _array(path, archive, "x_train")
        labels = _array(path, archive, "y_train")
    images = images[..., None] if images.ndim == 3 else images
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise LabError(
            f"x_train of {path.name} has the shape {images.shape}; "
            "it must be (N, height, width) or (N, height, width, 1 or 3)."
        )
    labels = _labels(path, labels, len(images))
    fill = partial(_fill, images, _scale(path, images), progress)
    class_names = tuple(str(number) for number in range(int(labels.max()) + 1))
    return Plan(images.shape, labels, class_names, fill)


def _array(path: Path, archive: zipfile.ZipFile, name: str) -> np.ndarray:
    if f"{name}.npy" not in archive.namelist():
        raise LabError(f"{path.name} has no array {name}; x_train and y_train are needed.")
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


def _labels(path: Path, labels: np.ndarray, images: int) -> np.ndarray:
    """The labels as int32 (N,), checked."""
    if labels.shape not in ((images,), (images, 1)):
        raise LabError(
            f"y_train of {path.name} has the shape {labels.shape} for {images:,} pictures; "
            f"it must be ({images},) or ({images}, 1): one class number each, not one-hot."
        )
    if labels.dtype.kind not in "iu":
        raise LabError(f"y_train of {path.name} is {labels.dtype}; it must be whole numbers.")
    labels = labels.reshape(-1)
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= CLASSES:
        raise LabError(
            f"y_train of {path.name} goes from {low} to {high}; classes are numbered from 0, "
            f"at most {CLASSES:,}."
        )
    if low == high:
        raise LabError(f"{path.name} holds only one class, {low}: learning needs at least two.")
    return labels.astype(np.int32)


def _scale(path: Path, images: np.ndarray) -> float:
    """What pixels are multiplied by to go from 0 to 255."""
    if images.dtype == np.uint8:
        return 1.0
    if images.dtype.kind != "f":
        raise LabError(
            f"x_train of {path.name} is {images.dtype}; it must be uint8, or floating point "
            "from 0 to 1 or from 0 to 255."
        )
    low, high = float(images.min()), float(images.max())  # NaN passes through both
    if not (low >= 0 and high <= 255):
        raise LabError(
            f"x_train of {path.name} goes from {low:g} to {high:g}; "
            "floating-point pixels must be finite, from 0 to 1 or from 0 to 255."
        )
    return 255.0 if high <= 1 else 1.0


def _fill(source: np.ndarray, scale: float, progress: Progress, images: np.ndarray) -> None:
    for start in range(0, len(source), CHUNK):
        part = source[start : start + CHUNK]
        if part.dtype != np.uint8:
            part = np.rint(part.astype(np.float32) * scale)
        images[start : start + CHUNK] = part
        progress(min(1.0, (start + CHUNK) / len(source)), "converting the pictures")


def idx(images: Path, labels: Path, class_names: tuple[str, ...]) -> Plan:
    """Read a pair of gzipped IDX files (format: http://yann.lecun.com/exdb/mnist/).

    Raises:
        LabError: corrupt or of another shape.
    """
    pixels, classes = _idx_array(images, 3), _idx_array(labels, 1)
    if len(pixels) != len(classes) or int(classes.max(initial=0)) >= len(class_names):
        raise LabError(f"{labels.name} does not fit the pictures in {images.name}.")
    fill = partial(np.copyto, src=pixels[..., None])
    return Plan((*pixels.shape, 1), classes, class_names, fill)


def _idx_array(path: Path, dimensions: int) -> np.ndarray:
    with archives.readable(path), gzip.open(path) as file:
        data = file.read(archives.output_limit(path))
        if data[:4] != bytes((0, 0, 8, dimensions)):
            raise LabError(f"{path.name} is no IDX file of bytes with {dimensions} dimensions.")
        shape = struct.unpack_from(f">{dimensions}I", data, 4)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
