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
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cnnlab.datasets import archives
from cnnlab.datasets.store import Plan, Progress
from cnnlab.spec import LabError

MEMBER_BYTES = 256 * 10**6
"""Most bytes of one pickle; CIFAR-100's has 155 MB."""
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
    """Where a CIFAR archive keeps its training pictures and what it calls them."""

    batches: tuple[str, ...]
    labels: str
    meta: str
    class_names: str


LAYOUTS = {
    "cifar-10-batches-py": Layout(
        tuple(f"data_batch_{i}" for i in range(1, 6)), "labels", "batches.meta", "label_names"
    ),
    "cifar-100-python": Layout(("train",), "fine_labels", "meta", "fine_label_names"),
}


def layout_of(path: Path) -> str | None:
    """The folder name of the CIFAR archive at `path`, None if it is another kind of archive.

    Raises:
        LabError: the archive is hostile or corrupt.
    """
    if path.is_dir() or path.suffix.lower() == ".zip":
        return None
    names = {member.name for member in islice(archives.members(path), FILES)}
    for folder, layout in LAYOUTS.items():
        if not names.isdisjoint(f"{folder}/{batch}" for batch in layout.batches):
            return folder
    return None


def plan(path: Path, progress: Progress) -> Plan:
    """Read the training pictures of a CIFAR archive, in the published order.

    Raises:
        LabError: no such archive, hostile, corrupt or of another shape.
    """
    folder = layout_of(path)
    if folder is None:
        raise LabError(f"{path.name} is no archive of CIFAR-10 or CIFAR-100 for Python.")
    layout = LAYOUTS[folder]
    wanted = {f"{folder}/{name}" for name in (*layout.batches, layout.meta)}
    found: dict[str, dict[str, Any]] = {}
    for name, read in archives.members(path):
        if name in wanted:
            progress(min(len(found) / len(wanted), 1), f"reading {name}")
            content = read_pickle(read(MEMBER_BYTES), f"{name} of {path.name}")
            found[name.rpartition("/")[2]] = content
    if len(found) != len(wanted):
        raise LabError(f"{path.name} lacks {sorted(wanted - {f'{folder}/{n}' for n in found})[0]}.")
    class_names = _class_names(path, found[layout.meta].get(layout.class_names))
    batches = [_batch(path, found[name], layout, len(class_names)) for name in layout.batches]
    labels = np.concatenate([labels for _, labels in batches])
    fill = partial(_fill, [pixels for pixels, _ in batches])
    return Plan((len(labels), 32, 32, 3), labels, class_names, fill)


def _fill(batches: list[np.ndarray], images: np.ndarray) -> None:
    done = 0
    for pixels in batches:  # stored as planes: all red, all green, all blue
        images[done : done + len(pixels)] = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        done += len(pixels)


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
    if pixels is None or pixels.ndim != 2 or pixels.shape[1] != 3 * 32 * 32:
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
