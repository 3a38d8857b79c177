"""The archives of CIFAR-10 and CIFAR-100 as published, read without executing anything.

They hold Python pickles, and a pickle is a program. Two fences stand before it: its instructions
are looked through first, and only those that build plain data pass; and the few names it may ask
for (numpy's array reconstruction) get stand-ins here, so that no code but this file's runs.
Format: https://www.cs.toronto.edu/~kriz/cifar.html
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable, Collection
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cnnlab.datasets import archives
from cnnlab.datasets.store import HeldPlan, Plan, Progress
from cnnlab.datasets.understanding import counted, value_range
from cnnlab.spec import LabError, Understood

MEMBER_BYTES = 256 * 10**6
"""Most bytes of one pickle; CIFAR-100's has 155 MB."""
PICTURE_BYTES = 3 * 32 * 32
FILES = 16
"""More files than a CIFAR archive has."""

PLAIN_DATA = frozenset((
    "PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "DUP", "NONE", "NEWTRUE", "NEWFALSE",
    "MEMOIZE", "INT", "BININT", "BININT1", "BININT2", "LONG1", "FLOAT", "BINFLOAT", "STRING",
    "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "UNICODE",
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "EMPTY_LIST", "APPEND", "APPENDS", "LIST",
    "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_DICT", "DICT", "SETITEM",
    "SETITEMS", "PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET", "GLOBAL",
    "STACK_GLOBAL", "REDUCE", "BUILD",
))  # fmt: skip
"""Instructions that a pickled dictionary of lists, texts and arrays consists of."""


class Layout(NamedTuple):
    """Where a CIFAR archive keeps its pictures and what it calls them."""

    batches: tuple[str, ...]
    test: str
    meta: str
    class_names: str = ""
    """Where the pickle has them; the binary version has a line for each."""
    labels: str = ""
    """Where a pickle has them; empty for the binary version."""
    label_bytes: int = 1
    """Before each picture of the binary version; the last of them is its class."""


LAYOUTS = {
    "cifar-10-batches-py": Layout(
        tuple(f"data_batch_{i}" for i in range(1, 6)),
        "test_batch",
        "batches.meta",
        "label_names",
        "labels",
    ),
    "cifar-100-python": Layout(("train",), "test", "meta", "fine_label_names", "fine_labels"),
    "cifar-10-batches-bin": Layout(
        tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin", "batches.meta.txt"
    ),
    "cifar-100-binary": Layout(("train.bin",), "test.bin", "fine_label_names.txt", label_bytes=2),
}

Batch = tuple[np.ndarray, np.ndarray]
"""Pixels, uint8 (N, 3072), and labels, int32 (N,)."""


def layout_of(path: Path) -> str | None:
    """The folder name of the CIFAR archive at `path`, None if it is another kind of archive.

    Raises:
        LabError: the archive is hostile or corrupt.
    """
    names = {_whole(path, member.name) for member in islice(archives.members(path), FILES)}
    for folder, layout in LAYOUTS.items():
        if not names.isdisjoint(f"{folder}/{batch}" for batch in layout.batches):
            return folder
    return None


def _whole(path: Path, name: str) -> str:
    """The name of a file with its folder, which may be the one at `path` itself."""
    above = f"{path.name}/" if path.is_dir() and "/" not in name else ""
    return above + "/".join(name.split("/")[-2:])


def plan(path: Path, progress: Progress) -> Plan:
    """Read the pictures of a CIFAR archive, in the published order; its test part may lack.

    Raises:
        LabError: no such archive, hostile, corrupt or of another shape.
    """
    folder = layout_of(path)
    if folder is None:
        raise LabError(f"{path.name} is no archive of CIFAR-10 or CIFAR-100 that is read.")
    layout = LAYOUTS[folder]
    wanted = {f"{folder}/{name}" for name in (*layout.batches, layout.meta)}
    test = f"{folder}/{layout.test}"
    found: dict[str, bytes] = {}
    for member in archives.members(path):
        if (name := _whole(path, member.name)) in wanted | {test}:
            progress(min(len(found) / len(wanted), 1), f"reading {name}")
            found[name.rpartition("/")[2]] = member.read(MEMBER_BYTES)
    if lacking := wanted - {f"{folder}/{name}" for name in found}:
        raise LabError(f"{path.name} lacks {sorted(lacking)[0]}.")
    read = _pickled if layout.labels else _binary
    class_names, batches = read(path, folder, layout, found)
    held_out = batches.pop() if layout.test in found else None
    labels = np.concatenate([labels for _, labels in batches])
    pixels = [pixels for pixels, _ in batches]
    return Plan(
        (len(labels), 32, 32, 3),
        labels,
        class_names,
        partial(_fill, pixels),
        lambda: Understood(
            classes=counted(labels, class_names),
            test_classes=counted(held_out[1], class_names) if held_out else None,
            value_range=value_range(*pixels),
            split=f"{', '.join(layout.batches)} of {folder}: {len(labels):,} pictures",
        ),
        test=HeldPlan(held_out[1], partial(_fill, [held_out[0]])) if held_out else None,
    )


def _read_from(layout: Layout, files: Collection[str]) -> list[str]:
    """The files that hold pictures, in order: that of the test part, if it is there, last."""
    return [*layout.batches, *([layout.test] if layout.test in files else [])]


def _fill(batches: list[np.ndarray], images: np.ndarray) -> None:
    done = 0
    for pixels in batches:  # stored as planes: all red, all green, all blue
        images[done : done + len(pixels)] = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        done += len(pixels)


def _binary(
    path: Path, _: str, layout: Layout, files: dict[str, bytes]
) -> tuple[tuple[str, ...], list[Batch]]:
    lines = files[layout.meta].decode("utf-8", "replace").split()
    class_names = _class_names(path, lines)
    size = layout.label_bytes + PICTURE_BYTES
    batches: list[Batch] = []
    for name in _read_from(layout, files):
        if not files[name] or len(files[name]) % size:
            raise LabError(f"{path.name} is truncated in {name!r}: get a fresh copy of it.")
        rows = np.frombuffer(files[name], np.uint8).reshape(-1, size)
        labels = rows[:, layout.label_bytes - 1].astype(np.int32)
        if labels.max() >= len(class_names):
            raise LabError(f"{path.name} has labels that do not fit its pictures and classes.")
        batches.append((rows[:, layout.label_bytes :], labels))
    return class_names, batches


def _pickled(
    path: Path, folder: str, layout: Layout, files: dict[str, bytes]
) -> tuple[tuple[str, ...], list[Batch]]:
    read = {
        name: read_pickle(data, f"{folder}/{name} of {path.name}") for name, data in files.items()
    }
    class_names = _class_names(path, read[layout.meta].get(layout.class_names))
    names = _read_from(layout, files)
    batches = [_batch(path, read[name], layout, len(class_names)) for name in names]
    return class_names, batches


def _class_names(path: Path, names: Any) -> tuple[str, ...]:
    if not isinstance(names, list) or len(names) < 2:
        raise LabError(f"{path.name} does not name its classes as CIFAR does.")
    if not all(isinstance(name, bytes | str) for name in names):
        raise LabError(f"{path.name} does not name its classes as CIFAR does.")
    return tuple(n if isinstance(n, str) else n.decode("utf-8", "replace") for n in names)


def _batch(
    path: Path, batch: dict[str, Any], layout: Layout, classes: int
) -> tuple[np.ndarray, np.ndarray]:
    pixels, labels = batch.get("data"), batch.get(layout.labels)
    pixels = pixels.array if isinstance(pixels, _Array) else None
    if pixels is None or pixels.ndim != 2 or pixels.shape[1] != PICTURE_BYTES:
        raise LabError(f"{path.name} has pictures of another shape than CIFAR's.")
    numbers = isinstance(labels, list) and all(
        type(label) is int and 0 <= label < classes for label in labels
    )
    if not numbers or len(labels or ()) != len(pixels):
        raise LabError(f"{path.name} has labels that do not fit its pictures and classes.")
    return pixels, np.array(labels, dtype=np.int32)


# --- pickles --------------------------------------------------------------------------------


class _Name:
    """Stands for a name that a pickle asks for; calling it is all that can be done with it."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("it changes a name")


class _Dtype:
    """Stands for `numpy.dtype`: of bytes, or it is refused."""

    def __init__(self, code: Any, *_: Any) -> None:
        if code not in ("u1", b"u1"):
            raise pickle.UnpicklingError(f"it has an array of {code!r}, not of bytes")

    def __setstate__(self, state: Any) -> None:
        """Byte order and alignment, which bytes do not have."""


class _Array:
    """Stands for `numpy.ndarray`: takes the pixels when the pickle hands them over."""

    array: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, columns_first, data = state
        if not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
            raise pickle.UnpicklingError("it has an array of other things than bytes")
        order = "F" if columns_first else "C"
        self.array = np.frombuffer(data, np.uint8).reshape(shape, order=order)  # type: ignore[call-overload]


def _encode(text: Any, encoding: Any) -> bytes:
    """What `_codecs.encode` is asked for in pickles that Python 3 wrote for Python 2."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("it encodes something else than bytes")
    return text.encode("latin1")


class _Reader(pickle.Unpickler):
    """Knows the four names that a pickled array consists of, and no other."""

    def find_class(self, module: str, name: str) -> Any:
        match module, name:
            case (("numpy.core.multiarray" | "numpy._core.multiarray"), "_reconstruct"):
                return _Name(lambda *_: _Array())
            case "numpy", "ndarray":
                return _Name(lambda *_: _Array())
            case "numpy", "dtype":
                return _Name(_Dtype)
            case "_codecs", "encode":
                return _Name(_encode)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def read_pickle(data: bytes, what: str) -> dict[str, Any]:
    """The dictionary in a pickle of plain data and byte arrays.

    Raises:
        LabError: it is corrupt, or wants anything else; `what` names it.
    """
    try:
        _check_instructions(data)
        content = _Reader(io.BytesIO(data), encoding="bytes").load()
    except Exception as error:  # the parser of untrusted bytes fails in more ways than it lists
        raise LabError(
            f"{what} is refused as corrupt or harmful ({error}): get a fresh copy."
        ) from error
    if not isinstance(content, dict):
        raise LabError(f"{what} is no dictionary, so it is none of CIFAR's files.")
    return {
        key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key): value
        for key, value in content.items()
        if isinstance(key, bytes | str)
    }


def _check_instructions(data: bytes) -> None:
    for operation, argument, _ in pickletools.genops(data):
        if operation.name not in PLAIN_DATA:
            raise pickle.UnpicklingError(f"it contains the instruction {operation.name}")
        stores = operation.name in ("PUT", "BINPUT", "LONG_BINPUT")
        if stores and not (argument is not None and 0 <= argument <= len(data)):
            raise pickle.UnpicklingError("it asks for more memory than it can need")
