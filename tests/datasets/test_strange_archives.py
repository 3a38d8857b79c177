"""Archives as Windows, Kaggle and CIFAR's own page make them."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cnnlab import datasets
from cnnlab.spec import LabError
from tests.datasets.drawn_files import as_zip, drawn, of_classes


def raw_zip(path: Path, files: dict[bytes, bytes]) -> str:
    """An archive whose names are those bytes, without the flag for UTF-8."""
    with zipfile.ZipFile(path, "w") as archive:
        for number, data in enumerate(files.values()):
            archive.writestr(f"name{number:0200}", data)
    content = path.read_bytes()
    for number, name in enumerate(files):
        old = f"name{number:0200}".encode()
        assert len(name) <= len(old)
        content = content.replace(old, name.ljust(len(old), b"_"))
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize("top", ["pets\\", "my pets\\all of them\\", ""])
def test_backslashes_separate_folders_as_slashes_do(tmp_path: Path, top: str) -> None:
    path = tmp_path / "ps5.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for kind, name in enumerate(("cats", "dogs")):
            for number in range(4):
                info = zipfile.ZipInfo("x")
                info.filename = f"{top}{name}\\{number}.jpg"
                archive.writestr(info, drawn(kind, number))
    told = datasets.fetch(str(path)).understood
    assert told is not None
    assert told.classes == {"cats": 4, "dogs": 4}


@pytest.mark.parametrize(
    ("method", "name"), [(9, "Deflate64"), (93, "Zstandard"), (98, "PPMd"), (77, "method 77")]
)
def test_a_method_that_is_not_read_is_named(tmp_path: Path, method: int, name: str) -> None:
    path = Path(as_zip(tmp_path / "a.zip", of_classes("", 3)))
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        at = -1
        while (at := content.find(signature, at + 1)) >= 0:
            content[at + place : at + place + 2] = struct.pack("<H", method)
    path.write_bytes(content)
    with pytest.raises(LabError, match=rf"packed with {name}, which is not read.*pack it again"):
        datasets.load(str(path))


@pytest.mark.parametrize("names", [("고양이", "개"), ("кошки", "собаки"), ("猫", "Hündchen")])
def test_names_in_utf8_are_read_without_their_flag(tmp_path: Path, names) -> None:
    files = {
        f"{name}/{number}.jpg".encode(): drawn(kind, number)
        for kind, name in enumerate(names)
        for number in range(3)
    }
    told = datasets.fetch(raw_zip(tmp_path / "a.zip", files)).understood
    assert told is not None
    assert told.classes == dict.fromkeys(sorted(names), 3)


@pytest.mark.parametrize(
    ("name", "encoding"), [("고양이", "cp949"), ("кошки", "cp866"), ("chaton né", "cp1252")]
)
def test_names_of_another_encoding_are_refused_and_never_guessed(
    tmp_path: Path, name: str, encoding: str
) -> None:
    files = {
        f"{kind}/{n}.jpg".encode(encoding): drawn(n, n) for kind in (name, "dog") for n in (0, 1)
    }
    with pytest.raises(LabError, match=r"is no UTF-8.*pack it again with UTF-8 names"):
        datasets.load(raw_zip(tmp_path / "a.zip", files))


# --- CIFAR's binary version -----------------------------------------------------------------


def as_tar(path: Path, files: dict[str, bytes]) -> str:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return str(path)


def records(count: int, label_bytes: int, classes: int, seed: int) -> tuple[bytes, np.ndarray]:
    rows = np.random.default_rng(seed).integers(0, 256, (count, label_bytes + 3072), np.uint8)
    rows[:, :label_bytes] = (np.arange(count) % classes)[:, None]
    return rows.tobytes(), rows


@pytest.mark.parametrize("pack", [as_tar, as_zip])
@pytest.mark.parametrize("top", ["", "downloads/"])
def test_the_binary_version_of_cifar10_is_read(tmp_path: Path, pack, top: str) -> None:
    folder = f"{top}cifar-10-batches-bin"
    parts = [records(20, 1, 10, seed) for seed in range(5)]
    files = {f"{folder}/data_batch_{n}.bin": part[0] for n, part in enumerate(parts, 1)}
    names = [f"name{n}" for n in range(10)]
    files |= {f"{folder}/batches.meta.txt": "\n".join(names).encode() + b"\n\n"}
    files |= {f"{folder}/test_batch.bin": records(20, 1, 10, 9)[0]}
    suffix = ".zip" if pack is as_zip else ".tar.gz"
    data = datasets.load(pack(tmp_path / f"cifar{suffix}", files))
    assert data.images.shape == (100, 32, 32, 3)
    assert data.understood.classes == dict.fromkeys(names, 10)
    first = parts[0][1][0, 1:].reshape(3, 32, 32)
    np.testing.assert_array_equal(data.images[0], first.transpose(1, 2, 0))


def test_the_binary_version_of_cifar100_is_read_by_its_fine_classes(tmp_path: Path) -> None:
    content, rows = records(200, 2, 100, 1)
    names = "\n".join(f"name{n}" for n in range(100)).encode()
    folder = tmp_path / "cifar-100-binary"
    folder.mkdir()
    (folder / "train.bin").write_bytes(content)
    (folder / "fine_label_names.txt").write_bytes(names)
    data = datasets.load(str(folder))
    np.testing.assert_array_equal(data.labels, rows[:, 1])
    assert len(data.class_names) == 100


@pytest.mark.parametrize("cut", [-1, -3073, 0])
def test_a_binary_batch_that_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    content, _ = records(20, 2, 100, 1)
    cut_off = content[:cut] + (b"" if cut != -3073 else b"x")
    names = "\n".join(f"name{n}" for n in range(100)).encode()
    files = {"cifar-100-binary/train.bin": cut_off, "cifar-100-binary/fine_label_names.txt": names}
    with pytest.raises(LabError, match="truncated"):
        datasets.load(as_tar(tmp_path / "a.tar.gz", files))
