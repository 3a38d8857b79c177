"""Data sets as small as they can be, in every container."""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlab import datasets
from cnnlab.datasets import (
    store,
)
from cnnlab.spec import LabError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def picture(colour=(200, 30, 30), size=(6, 5), mode="RGB", form="PNG", **options) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).convert(mode).save(out, form, **options)
    return out.getvalue()


def two_classes(each=3, prefix="") -> dict[str, bytes]:
    return {
        f"{prefix}{name}/{i}.png": picture((shade, 10 * i, 0))
        for name, shade in (("cat", 50), ("dog", 250))
        for i in range(each)
    }


def as_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return path


def as_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def as_tar(path: Path, files: dict[str, bytes]) -> Path:
    mode = {"gz": "w:gz", "xz": "w:xz", "bz2": "w:bz2"}.get(path.suffix[1:], "w")
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def with_member(path: Path, info: tarfile.TarInfo, data: bytes = b"") -> Path:
    with tarfile.open(path, "w") as archive:
        archive.addfile(info, io.BytesIO(data))
    return path


def refusal(path: Path | str) -> str:
    """The sentence with which a data set is refused; nothing of it stays in the store."""
    with pytest.raises(LabError) as caught:
        datasets.load(str(path))
    prepared = store.folder() / ".prepared"
    assert not prepared.exists() or not list(prepared.iterdir())
    return str(caught.value)


def npz(path: Path, x, y, **more) -> Path:
    np.savez_compressed(path, x_train=x, y_train=y, **more)
    return path


X = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)


Y = np.array([0, 2, 1, 0, 2])


def cifar_pixels(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)


def python2(content: dict, protocol: int = 2) -> bytes:
    """A pickle as Python 2 and an older numpy wrote it."""
    return pickle.dumps(content, protocol).replace(b"cnumpy._core", b"cnumpy.core")


def cifar10_files(protocol: int = 2) -> dict[str, bytes]:
    files = {
        f"cifar-10-batches-py/data_batch_{i}": python2(
            {b"data": cifar_pixels(4, i), b"labels": [i, 0, 1, 2], b"batch_label": b"x"}, protocol
        )
        for i in range(1, 6)
    }
    names = [f"name {i}".encode() for i in range(10)]
    return files | {"cifar-10-batches-py/batches.meta": python2({b"label_names": names}, protocol)}


def cifar100_files() -> dict[str, bytes]:
    train = {b"data": cifar_pixels(6, 0), b"fine_labels": [99, 0, 1, 2, 3, 4]}
    names = [f"name {i}".encode() for i in range(100)]
    return {
        "cifar-100-python/meta": python2({b"fine_label_names": names}),
        "cifar-100-python/train": python2(train),
    }
