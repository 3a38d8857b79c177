"""Data sets: what loads, what is refused, and that nothing half done is ever seen."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import http.server
import io
import os
import pickle
import subprocess
import sys
import tarfile
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cnnlab import datasets
from cnnlab.datasets import (
    archives,
    arrays,
    cifar,
    downloads,
    loading,
    names,
    pictures,
    pixels,
    registry,
    shapes,
    store,
)
from cnnlab.spec import LabError

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("CNNLAB_HOME", str(home))
    return home


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


# --- shapes ---------------------------------------------------------------------------------


def test_shapes_are_synthetic_pictures_of_a_hundred_classes():
    data = datasets.load("shapes", limit=600)
    assert data.synthetic
    assert data.images.shape == (600, 32, 32, 3)
    assert (data.images.dtype, data.labels.dtype) == (np.uint8, np.int32)
    assert len(set(data.class_names)) == 100
    assert np.bincount(data.labels, minlength=100).tolist() == [6] * 100


def test_fewer_shapes_are_the_first_of_more():
    few, more = datasets.load("shapes", limit=130), datasets.load("shapes", limit=1100)
    assert np.array_equal(few.images, more.images[:130])
    assert np.array_equal(few.labels, more.labels[:130])


def test_all_shapes_are_drawn_once_and_then_mapped(monkeypatch):
    entry = dataclasses.replace(datasets.REGISTRY["shapes"], train_images=500)
    monkeypatch.setitem(datasets.REGISTRY, "shapes", entry)
    monkeypatch.setattr(shapes, "PICTURES", 500)
    first = datasets.load("shapes")
    monkeypatch.setattr(shapes, "draw", lambda count: pytest.fail("drawn again"))
    again = datasets.load("shapes", limit=40)
    assert first.synthetic
    assert again.synthetic
    assert np.array_equal(first.images[:40], again.images)


def test_colour_alone_does_not_tell_shapes_apart():
    data = datasets.load("shapes", limit=2000)
    means = data.images.reshape(2000, -1, 3).mean(axis=1)
    centres = np.stack([means[:1500][data.labels[:1500] == c].mean(axis=0) for c in range(100)])
    nearest = np.linalg.norm(means[1500:, None] - centres, axis=2).argmin(axis=1)
    right = (nearest == data.labels[1500:]).mean()
    assert 0.01 < right < 0.3


# --- folders and archives of pictures -------------------------------------------------------


@pytest.mark.parametrize("kind", ["", ".zip", ".tar", ".tar.gz", ".tar.xz", ".tar.bz2", ".tgz"])
def test_every_container_gives_the_same_data_set(tmp_path, kind):
    files = two_classes()
    reference = datasets.load(str(as_folder(tmp_path / "reference", files)))
    pack = as_zip if kind == ".zip" else as_tar if kind else as_folder
    data = datasets.load(str(pack(tmp_path / f"animals{kind}", files)))
    assert data.class_names == ("cat", "dog")
    assert data.images.shape == (6, 5, 6, 3)
    assert data.images.dtype == np.uint8
    assert data.labels.dtype == np.int32
    assert not data.synthetic
    assert np.array_equal(data.images, reference.images)
    assert np.array_equal(data.labels, reference.labels)


def test_pixels_stay_with_their_labels_and_classes_are_mixed(tmp_path):
    data = datasets.load(str(as_zip(tmp_path / "a.zip", two_classes(each=20))))
    assert np.array_equal(data.images[:, 0, 0, 0] == 250, data.labels == 1)
    assert 0 < data.labels[:20].sum() < 20


def test_limit_takes_the_first_pictures(tmp_path):
    path = str(as_zip(tmp_path / "a.zip", two_classes()))
    whole, part = datasets.load(path), datasets.load(path, limit=4)
    assert np.array_equal(part.images, whole.images[:4])
    assert part.class_names == whole.class_names


@pytest.mark.parametrize("other", ["test", "val", "Validation"])
def test_of_train_and_test_only_train_is_taken(tmp_path, other):
    files = two_classes(prefix="pets/train/") | {f"pets/{other}/bird/0.png": b"not read"}
    data = datasets.load(str(as_zip(tmp_path / "a.zip", files)))
    assert data.class_names == ("cat", "dog")
    assert len(data.images) == 6


def test_a_class_may_be_called_train(tmp_path):
    files = two_classes() | {f"train/{i}.png": picture() for i in range(2)}
    assert datasets.load(str(as_zip(tmp_path / "a.zip", files))).class_names == (
        "cat",
        "dog",
        "train",
    )


def test_files_that_are_no_pictures_and_hidden_ones_are_left_out(tmp_path):
    files = two_classes() | {
        "README.md": b"words",
        "cat/.DS_Store": b"x",
        "__MACOSX/cat/._0.png": b"x",
        ".git/dog/0.png": b"x",
    }
    assert len(datasets.load(str(as_zip(tmp_path / "a.zip", files))).images) == 6
    assert len(datasets.load(str(as_folder(tmp_path / "a", files))).images) == 6


def test_an_archive_made_with_dot_in_front_loads(tmp_path):
    data = datasets.load(str(as_tar(tmp_path / "a.tar", two_classes(prefix="./"))))
    assert data.class_names == ("cat", "dog")


def test_grey_pictures_have_one_channel_and_one_coloured_one_makes_three(tmp_path):
    grey = {f"{c}/{i}.png": picture(mode="L") for c in "ab" for i in range(2)}
    assert datasets.load(str(as_zip(tmp_path / "g.zip", grey))).images.shape == (4, 5, 6, 1)
    mixed = datasets.load(str(as_zip(tmp_path / "m.zip", grey | {"a/c.png": picture()})))
    assert mixed.images.shape == (5, 5, 6, 3)
    assert sorted(np.ptp(mixed.images[:, 0, 0], axis=1).tolist()) == [0, 0, 0, 0, 170]


def test_the_most_common_size_wins_and_the_longest_side_is_capped(tmp_path):
    odd = two_classes() | {"cat/odd.png": picture(size=(40, 9))}
    assert datasets.load(str(as_zip(tmp_path / "a.zip", odd))).images.shape == (7, 5, 6, 3)
    large = {f"{c}/{i}.jpg": picture(size=(1024, 512), form="JPEG") for c in "ab" for i in (0, 1)}
    data = datasets.load(str(as_zip(tmp_path / "b.zip", large)))
    assert data.images.shape == (4, 128, 256, 3)
    assert np.abs(data.images.astype(int) - (200, 30, 30)).max() <= 3


def test_transparent_pictures_lie_on_white(tmp_path):
    out = io.BytesIO()
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(out, "PNG")
    files = {f"{c}/{i}.png": out.getvalue() for c in "ab" for i in (0, 1)}
    assert (datasets.load(str(as_zip(tmp_path / "a.zip", files))).images == 255).all()


def test_sixteen_bit_grey_keeps_its_upper_bits(tmp_path):
    out = io.BytesIO()
    Image.fromarray(np.full((4, 4), 0x8123, np.uint16)).save(out, "PNG")
    files = {f"{c}/{i}.png": out.getvalue() for c in "ab" for i in (0, 1)}
    data = datasets.load(str(as_zip(tmp_path / "a.zip", files)))
    assert data.images.shape == (4, 4, 4, 1)
    assert (data.images == 0x81).all()


@pytest.mark.parametrize("size", [(8, 4), (400, 200)])  # decoded at the first and the second look
def test_the_exif_orientation_is_honoured(tmp_path, size):
    image = Image.new("RGB", size)
    image.paste((255, 255, 255), (0, 0, size[0] // 2, size[1]))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right to stand upright: what was left is then on top
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif, quality=95)
    files = {f"{c}/{i}.jpg": out.getvalue() for c in "ab" for i in (0, 1)}
    images = datasets.load(str(as_zip(tmp_path / "a.zip", files))).images
    assert images.shape[1] == 2 * images.shape[2]
    assert images[0, 0].min() > 200
    assert images[0, -1].max() < 50


def test_the_real_cifar10_pictures_load():
    path = SHARED / "cifar10-images.tar.xz"
    if not path.exists():
        pytest.skip("needs the real pictures")
    names = [member.name for _, member in zip(range(40), archives.members(path), strict=False)]
    assert all(name.startswith("train/airplane/") for name in names)
    assert cifar.layout_of(path) is None


@pytest.mark.soak
def test_the_whole_of_the_real_cifar10_pictures_is_prepared():
    path = SHARED / "cifar10-images.tar.xz"
    if not path.exists():
        pytest.skip("needs the real pictures")
    data = datasets.load(str(path))
    assert data.images.shape == (50_000, 32, 32, 3)
    assert np.bincount(data.labels).tolist() == [5000] * 10
    assert data.class_names[0] == "airplane"


# --- what is refused ------------------------------------------------------------------------


def test_pictures_without_classes_are_refused(tmp_path):
    assert "no pictures" in refusal(as_zip(tmp_path / "a.zip", {"README": b""}))
    assert "no pictures" in refusal(as_zip(tmp_path / "b.zip", {}))
    assert "no pictures" in refusal(as_tar(tmp_path / "b.tar", {}))
    (tmp_path / "empty").mkdir()
    assert "no pictures" in refusal(tmp_path / "empty")
    one_class = {f"cat/{i}.png": picture() for i in range(3)}
    assert "only one class, 'cat'" in refusal(as_zip(tmp_path / "c.zip", one_class))
    lonely = two_classes() | {"owl/0.png": picture()}
    assert "'owl'" in refusal(as_zip(tmp_path / "d.zip", lonely))
    stray = two_classes() | {"stray.png": picture()}
    assert "'stray.png'" in refusal(as_zip(tmp_path / "e.zip", stray))
    only_test = two_classes(prefix="test/") | two_classes(prefix="val/")
    assert "no folder 'train'" in refusal(as_zip(tmp_path / "f.zip", only_test))


@pytest.mark.parametrize("size", [(6, 5), (90, 90)])  # decoded at the first and the second look
@pytest.mark.parametrize("damage", ["empty", "text", "truncated"])
def test_an_unreadable_picture_is_named(tmp_path, damage, size):
    whole = Image.effect_noise(size, 90)
    out = io.BytesIO()
    whole.save(out, "JPEG")
    data = {"empty": b"", "text": b"hello", "truncated": out.getvalue()[:-60]}[damage]
    files = two_classes() | {"dog/bad.jpg": data}
    assert "'dog/bad.jpg'" in refusal(as_zip(tmp_path / "a.zip", files))
    assert "'dog/bad.jpg'" in refusal(as_folder(tmp_path / "a", files))


def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(pixels, "PIXELS", 29)
    assert "6 x 5 pixels" in refusal(as_zip(tmp_path / "a.zip", two_classes()))


def test_formats_that_start_programs_are_not_tried(tmp_path):
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n"
    files = two_classes() | {"dog/bad.png": postscript}
    assert "'dog/bad.png'" in refusal(as_zip(tmp_path / "a.zip", files))


@pytest.mark.parametrize(
    "name", ["../cat/0.png", "a/../../b.png", "/etc/0.png", "C:/0.png", "..\\x"]
)
def test_a_member_that_points_outside_is_refused(tmp_path, name):
    files = two_classes() | {name: picture()}
    assert repr(name) in refusal(as_zip(tmp_path / "a.zip", files))
    assert repr(name) in refusal(as_tar(tmp_path / "a.tar", files))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    info = tarfile.TarInfo("cat/0.png")
    info.type, info.linkname = kind, "/etc/passwd"
    assert "'cat/0.png'" in refusal(with_member(tmp_path / "a.tar", info))


def test_links_in_a_zip_are_refused(tmp_path):
    info = zipfile.ZipInfo("cat/0.png")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert "'cat/0.png'" in refusal(tmp_path / "a.zip")


def test_a_device_in_a_folder_is_refused_and_not_opened(tmp_path):
    folder = as_folder(tmp_path / "a", two_classes())
    os.mkfifo(folder / "cat" / "pipe.png")
    assert "'cat/pipe.png'" in refusal(folder)


def test_a_picture_twice_is_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("cat/0.png"))
    assert "twice" in refusal(tmp_path / "a.tar")


def test_too_many_entries_are_refused(tmp_path, monkeypatch):
    files = two_classes()
    monkeypatch.setattr(archives, "ENTRIES", 5)
    for path in (
        as_zip(tmp_path / "a.zip", files),
        as_tar(tmp_path / "a.tar.gz", files),
        as_folder(tmp_path / "a", files),
    ):
        assert "more than 5 entries" in refusal(path)


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar.xz", "a.tar.bz2"])
def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.setattr(archives, "FREE_BYTES", 100_000)
    pack = as_zip if name.endswith("zip") else as_tar
    files = two_classes() | {"cat/notes.txt": b"\0" * 30_000_000}
    assert "decompresses to more than" in refusal(pack(tmp_path / name, files))


def test_a_bomb_behind_the_end_of_a_tar_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "FREE_BYTES", 100_000)
    plain = as_tar(tmp_path / "plain.tar", two_classes()).read_bytes()
    out = tmp_path / "a.tar.xz"
    import lzma

    out.write_bytes(lzma.compress(plain + b"\0" * 30_000_000))
    assert "decompresses to more than" in refusal(out)


def test_a_header_that_declares_gigabytes_is_refused_before_they_are_read(tmp_path):
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 4 * 2**30
    (tmp_path / "a.tar").write_bytes(info.tobuf() + b"\0" * 4096)
    assert "headers of a member are too long" in refusal(tmp_path / "a.tar")


def test_a_file_larger_than_a_picture_may_be_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "FILE_BYTES", 50)
    for path in (
        as_zip(tmp_path / "a.zip", two_classes()),
        as_tar(tmp_path / "a.tar", two_classes()),
        as_folder(tmp_path / "a", two_classes()),
    ):
        assert "cat/0.png" in refusal(path)


def test_an_encrypted_zip_is_refused(tmp_path):
    data = bytearray(as_zip(tmp_path / "a.zip", two_classes()).read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    assert "encrypted" in refusal(tmp_path / "a.zip")


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.xz", "a.tar.bz2"])
def test_a_truncated_archive_is_refused_wherever_it_ends(tmp_path, name):
    pack = as_zip if name.endswith("zip") else as_tar
    whole = pack(tmp_path / name, two_classes(each=6)).read_bytes()
    end = 12 * 1024 if name == "a.tar" else len(whole)  # a plain tar ends in padding
    for length in (
        0,
        1,
        *(end * n // 9 for n in range(1, 9)),
        *(n for n in (512, 1024) if n < end),
    ):
        (tmp_path / name).write_bytes(whole[:length])
        refusal(tmp_path / name)


def test_a_damaged_header_in_the_middle_is_not_taken_for_the_end(tmp_path):
    path = as_tar(tmp_path / "a.tar", two_classes(each=6))
    data = bytearray(path.read_bytes())
    start = data.index(b"dog/5.png")
    data[start + 150] ^= 0xFF  # its checksum
    path.write_bytes(data)
    assert "damaged in the middle" in refusal(path)


def test_names_without_a_data_set_are_refused_with_a_hint(tmp_path, home):
    assert "did you mean cifar10" in refusal("cifar-10")
    as_zip(tmp_path / "a.zip", two_classes())
    (home / "datasets").mkdir(parents=True)
    as_zip(home / "datasets" / "flowers.zip", two_classes())
    with pytest.raises(LabError, match=r"flowers\.zip"):
        datasets.info("flower.zip")
    (tmp_path / "notes.txt").write_text("words")
    assert "is no data set" in refusal(tmp_path / "notes.txt")
    for name in ("", "/dev/null", "no\0name", "x" * 5000, "~nobody-of-that-name/x"):
        with pytest.raises(LabError):
            datasets.info(name)


# --- arrays ---------------------------------------------------------------------------------


def npz(path: Path, x, y, **more) -> Path:
    np.savez_compressed(path, x_train=x, y_train=y, **more)
    return path


X = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
Y = np.array([0, 2, 1, 0, 2])


@pytest.mark.parametrize("y", [Y, Y[:, None], Y.astype(np.uint8)])
@pytest.mark.parametrize("x", [X, X[..., None], np.stack([X] * 3, axis=3), np.asfortranarray(X)])
def test_npz_files_keep_their_order(tmp_path, x, y):
    data = datasets.load(str(npz(tmp_path / "a.npz", x, y, x_test=X)))
    assert data.class_names == ("0", "1", "2")
    assert data.labels.tolist() == Y.tolist()
    assert data.labels.dtype == np.int32
    assert np.array_equal(data.images[..., 0], X)


def test_floating_point_pixels_follow_the_stated_rule(tmp_path):
    unit = datasets.load(str(npz(tmp_path / "a.npz", (X / 255).astype(np.float32), Y)))
    assert np.array_equal(unit.images[..., 0], X)
    byte = datasets.load(str(npz(tmp_path / "b.npz", X.astype(np.float64) + 0.2, Y)))
    assert np.array_equal(byte.images[..., 0], X)


@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        (X.astype(np.int64), Y, "int64"),
        (X - 300.0, Y, "from -300"),
        (np.full((5, 4, 3), np.nan), Y, "nan"),
        (X, Y[:4], "shape"),
        (X, np.eye(3)[Y], "one-hot"),
        (X, Y * 1.0, "whole numbers"),
        (X, Y - 1, "from -1"),
        (X, Y * 10**6, "2000000"),
        (X, Y * 0, "only one class"),
        (X[:, 0], Y, "shape"),
        (np.zeros((5, 4, 4, 2), np.uint8), Y, "shape"),
        (X[:0], Y[:0], "empty"),
        (np.array([b"x"] * 5, dtype=object), Y, "objects"),
    ],
)
def test_other_arrays_are_refused(tmp_path, x, y, says):
    assert says in refusal(npz(tmp_path / "a.npz", x, y))


def test_an_npz_without_the_two_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", images=X)
    assert "x_train" in refusal(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(b"no zip at all")
    assert "corrupt" in refusal(tmp_path / "b.npz")


def test_an_array_that_declares_more_than_it_holds_is_refused_before_memory_is_taken(tmp_path):
    header = io.BytesIO()
    shape = (10**9, 1000, 1000)
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x_train.npy", header.getvalue())
        archive.writestr("y_train.npy", header.getvalue())
    assert "truncated" in refusal(tmp_path / "a.npz")


def test_the_real_mnist_loads():
    path = SHARED / "mnist.npz"
    if not path.exists():
        pytest.skip("needs the real file")
    data = datasets.load(str(path))
    assert data.images.shape == (60_000, 28, 28, 1)
    assert data.labels[:5].tolist() == [5, 0, 4, 1, 9]


# --- CIFAR's own archives -------------------------------------------------------------------


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


@pytest.mark.parametrize("protocol", [2, 4])
def test_cifar10_as_published_is_read_in_order(tmp_path, protocol):
    files = cifar10_files(protocol)
    data = datasets.load(str(as_tar(tmp_path / "cifar-10-python.tar.gz", files)))
    assert data.images.shape == (20, 32, 32, 3)
    assert data.labels[:8].tolist() == [1, 0, 1, 2, 2, 0, 1, 2]
    assert data.class_names[3] == "name 3"
    red, green, blue = cifar_pixels(4, 1)[2].reshape(3, 32, 32)
    assert np.array_equal(data.images[2], np.stack([red, green, blue], axis=2))


def test_cifar100_as_published_is_read(tmp_path):
    data = datasets.load(str(as_tar(tmp_path / "any-name.tar.gz", cifar100_files())))
    assert data.labels.tolist() == [99, 0, 1, 2, 3, 4]
    assert len(data.class_names) == 100


class Hostile:
    """Unpickled in the usual way, it would make a file."""

    def __init__(self, call, *arguments):
        self.reduced = (call, arguments)

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_a_hostile_pickle_is_refused_and_nothing_of_it_runs(tmp_path, protocol):
    trap = tmp_path / "sprung"
    attacks = [
        Hostile(os.system, f"touch {trap}"),
        Hostile(eval, f"open({str(trap)!r}, 'w')"),
        Hostile(np.save, str(trap), 1),
        Hostile(np.load, str(trap)),
        Hostile(getattr, trap, "touch"),
    ]
    for attack in attacks:
        files = cifar10_files()
        files["cifar-10-batches-py/data_batch_3"] = pickle.dumps({b"data": attack}, protocol)
        assert "data_batch_3" in refusal(as_tar(tmp_path / "a.tar.gz", files))
        assert not list(tmp_path.glob("sprung*"))


def test_a_pickle_cannot_ask_for_memory_it_does_not_need(tmp_path):
    memo = b"\x80\x02}r\xff\xff\xff\x7f."  # LONG_BINPUT 2**31 - 1
    huge = pickle.dumps({b"data": Hostile(np.ndarray, (10**12,))}, 2)
    for content in (memo, huge, b"", b"\x80\x02", b"no pickle"):
        files = cifar100_files() | {"cifar-100-python/train": content}
        refusal(as_tar(tmp_path / "a.tar.gz", files))


@pytest.mark.parametrize(
    "train",
    [
        {b"data": cifar_pixels(6, 0)},
        {b"data": cifar_pixels(6, 0), b"fine_labels": [0, 1]},
        {b"data": cifar_pixels(2, 0), b"fine_labels": [0, 100]},
        {b"data": cifar_pixels(2, 0), b"fine_labels": [0, -1]},
        {b"data": cifar_pixels(2, 0), b"fine_labels": [0, b"1"]},
        {b"data": cifar_pixels(2, 0)[:, :3000], b"fine_labels": [0, 1]},
        {b"data": cifar_pixels(2, 0).astype(np.float32), b"fine_labels": [0, 1]},
        {b"data": b"bytes", b"fine_labels": [0, 1]},
        [1, 2],
    ],
)
def test_a_cifar_archive_of_another_shape_is_refused(tmp_path, train):
    files = cifar100_files() | {"cifar-100-python/train": python2(train)}
    refusal(as_tar(tmp_path / "a.tar.gz", files))


def test_a_cifar_archive_without_a_batch_is_refused(tmp_path):
    files = cifar10_files()
    del files["cifar-10-batches-py/data_batch_4"]
    assert "data_batch_4" in refusal(as_tar(tmp_path / "a.tar.gz", files))


# --- downloads ------------------------------------------------------------------------------


@pytest.fixture
def host(tmp_path):
    """A web server for the files in a folder; `/short/NAME` breaks off, as throttled hosts do."""
    served = tmp_path / "served"
    served.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(served))

        def do_GET(self):
            if not self.path.startswith("/short/"):
                return super().do_GET()
            data = (served / self.path.removeprefix("/short/")).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            return self.wfile.write(data[: len(data) // 2])

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield served, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def publish(monkeypatch, host, where="/", **changes):
    """Let cifar100 come from the local host: the published file, changed as a test needs it."""
    served, url = host
    data = as_tar(served / "cifar-100-python.tar.gz", cifar100_files()).read_bytes()
    file = downloads.Published(
        "cifar-100-python.tar.gz",
        f"{url}{where}cifar-100-python.tar.gz",
        hashlib.sha256(data).hexdigest(),
        len(data),
    )
    file = dataclasses.replace(file, **changes)
    entry = dataclasses.replace(datasets.REGISTRY["cifar100"], files=(file,))
    monkeypatch.setitem(datasets.REGISTRY, "cifar100", entry)
    return file


def leftovers(home: Path) -> list[str]:
    return [path.name for path in (home / "datasets").rglob("*") if path.is_file()]


def test_a_published_archive_is_downloaded_once(monkeypatch, host, home, capsys):
    publish(monkeypatch, host)
    assert not datasets.info("cifar100").ready
    said: list[tuple[float | None, str]] = []
    facts = datasets.fetch("cifar100", lambda share, what: said.append((share, what)))
    assert facts.ready
    assert any(what.startswith("downloading") and share == 1.0 for share, what in said)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(downloads, "obtain", lambda *_: pytest.fail("asked for it again"))
    assert datasets.load("cifar100").labels.tolist() == [99, 0, 1, 2, 3, 4]
    assert not [name for name in leftovers(home) if name.startswith(".")]


def test_an_archive_that_the_owner_put_there_is_used(monkeypatch, host, home):
    file = publish(monkeypatch, host, url="http://127.0.0.1:9/gone")
    as_folder(home / "datasets", {file.path: (host[0] / file.path).read_bytes()})
    assert len(datasets.load("cifar100").images) == 6
    assert "cifar-100-python.tar.gz" not in [facts.name for facts in datasets.known()]


def test_an_archive_with_another_checksum_is_refused_and_left_alone(monkeypatch, host, home):
    file = publish(monkeypatch, host)
    as_folder(home / "datasets", {file.path: b"something else"})
    with pytest.raises(LabError, match="not the published archive"):
        datasets.load("cifar100")
    assert (home / "datasets" / file.path).read_bytes() == b"something else"


@pytest.mark.parametrize(
    ("where", "changes", "says"),
    [
        ("/", {"sha256": "0" * 64}, "SHA-256"),
        ("/", {"size": 100}, "SHA-256"),
        ("/short/", {}, "broke off"),
        ("/missing/", {}, "404"),
        ("/", {"url": "http://127.0.0.1:9/x"}, "cannot be reached"),
        ("/", {"url": "http://no-such-host.invalid/x"}, "cannot be reached"),
    ],
)
def test_a_failed_download_says_what_to_do_and_leaves_nothing(
    monkeypatch, host, home, where, changes, says
):
    publish(monkeypatch, host, where, **changes)
    with pytest.raises(LabError) as caught:
        datasets.load("cifar100")
    message = str(caught.value)
    assert says in message
    assert "cifar100" in message
    assert str(home / "datasets" / "cifar-100-python.tar.gz") in message
    assert "shapes" in message
    assert leftovers(home) == []


def test_a_silent_host_is_given_up(monkeypatch, home):
    import socket

    monkeypatch.setattr(downloads, "SILENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        file = downloads.Published("x.npz", url, "0" * 64, 10)
        with pytest.raises(LabError, match="said nothing"):
            downloads.obtain("mnist", file, lambda share, what: None)
    assert leftovers(home) == []


def test_fashion_mnist_is_read_from_its_own_files(tmp_path):
    import gzip

    pixels = np.arange(3 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(3, 28, 28)
    head = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in pixels.shape)
    images, labels = tmp_path / "x.gz", tmp_path / "y.gz"
    images.write_bytes(gzip.compress(head + pixels.tobytes()))
    labels.write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x03" + bytes((9, 0, 5))))
    plan = arrays.idx(images, labels, registry.FASHION)
    out = np.empty(plan.shape, np.uint8)
    plan.fill(out)
    assert np.array_equal(out[..., 0], pixels)
    assert plan.labels.tolist() == [9, 0, 5]
    labels.write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x03" + bytes((9, 0))))
    with pytest.raises(LabError, match="corrupt"):
        arrays.idx(images, labels, registry.FASHION)


def keras_literals(module: str) -> set[str]:
    import importlib.util

    spec = importlib.util.find_spec("keras")
    source = (Path(spec.origin).parent / "src" / "datasets" / f"{module}.py").read_text()
    return {
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "mnist", "fashion_mnist"])
def test_places_and_checksums_are_those_that_keras_names(name):
    literals = keras_literals(name)
    for file in datasets.REGISTRY[name].files:
        assert any(file.url.startswith(text) for text in literals if text.startswith("https:"))
        assert file.sha256 in literals or name == "fashion_mnist"


# --- the store ------------------------------------------------------------------------------


def test_a_prepared_data_set_is_mapped_and_not_decoded_again(tmp_path, monkeypatch):
    path = as_zip(tmp_path / "a.zip", two_classes())
    datasets.load(str(path))
    monkeypatch.setattr(pictures, "plan", lambda *_: pytest.fail("decoded again"))
    images = datasets.load(str(path)).images
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError):
        images[0] = 0


def test_a_changed_source_is_prepared_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(names, "LISTING_SECONDS", 0)
    folder = as_folder(tmp_path / "a", two_classes())
    assert len(datasets.load(str(folder)).images) == 6
    (folder / "cat" / "new.png").write_bytes(picture())
    assert not datasets.info(str(folder)).ready
    assert len(datasets.load(str(folder)).images) == 7


def test_a_full_disk_is_noticed_before_it_is_filled(tmp_path, monkeypatch):
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(store.shutil, "disk_usage", lambda path: usage(1, 1, 1))
    assert "make room" in refusal(as_zip(tmp_path / "a.zip", two_classes()))


def test_a_home_that_cannot_be_written_is_named(tmp_path, home):
    home.write_text("a file where a folder should be")
    with pytest.raises(LabError, match="CNNLAB_HOME"):
        datasets.load(str(as_zip(tmp_path / "a.zip", two_classes())))


def test_what_fails_in_the_middle_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "SMALL_PIXELS", 0)

    def fail(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(pictures, "fitted", fail)
    with pytest.raises(KeyboardInterrupt):
        datasets.load(str(as_zip(tmp_path / "a.zip", two_classes())))
    assert list((store.folder() / ".prepared").iterdir()) == []


def test_what_a_killed_process_left_is_removed_when_it_is_old(tmp_path):
    shelf = store.folder() / ".prepared"
    for name in (".draft-old", ".draft-new"):
        (shelf / name).mkdir(parents=True)
    os.utime(shelf / ".draft-old", (0, 0))
    datasets.load(str(as_zip(tmp_path / "a.zip", two_classes())))
    assert not (shelf / ".draft-old").exists()
    assert (shelf / ".draft-new").exists()


def test_a_damaged_store_says_what_to_delete(tmp_path):
    path = str(as_zip(tmp_path / "a.zip", two_classes()))
    datasets.load(path)
    (shelf,) = (store.folder() / ".prepared").iterdir()
    for name in ("images.npy", "meta.json"):
        (shelf / name).write_bytes((shelf / name).read_bytes()[:40])
        with pytest.raises(LabError, match="delete that folder"):
            datasets.load(path)


def test_two_processes_may_prepare_at_once(tmp_path, home):
    path = str(as_zip(tmp_path / "a.zip", two_classes(each=30)))
    code = f"from cnnlab import datasets; print(datasets.load({path!r}).images.sum())"
    command = [sys.executable, "-c", code]
    with ThreadPoolExecutor(3) as pool:
        runs = list(
            pool.map(
                lambda _: subprocess.run(command, capture_output=True, text=True, check=True),
                range(3),
            )
        )
    assert len({run.stdout for run in runs}) == 1
    assert len(list((home / "datasets" / ".prepared").iterdir())) == 1


def test_a_second_writer_leaves_the_first_ones_work(tmp_path):
    path = as_zip(tmp_path / "a.zip", two_classes())
    plan = pictures.plan(path, lambda share, what: None)
    store.prepare("same-key", plan)
    before = store.place("same-key").stat().st_ino
    store.prepare("same-key", plan)
    assert store.place("same-key").stat().st_ino == before
    assert len(list(store.place("same-key").parent.iterdir())) == 1


# --- what pages ask -------------------------------------------------------------------------


def test_known_lists_the_registry_and_what_the_owner_put_there(home):
    as_folder(home / "datasets" / "pets", two_classes())
    as_zip(home / "datasets" / "birds.zip", two_classes())
    as_folder(home / "datasets", {"notes.txt": b"", ".hidden.zip": b""})
    names = [facts.name for facts in datasets.known()]
    assert names == [*datasets.REGISTRY, "birds.zip", "pets"]
    assert len(datasets.load("birds.zip").images) == 6
    assert [facts.ready for facts in datasets.known()][-2:] == [True, False]


def test_one_bad_folder_does_not_hide_the_other_data_sets(home):
    folder = as_folder(home / "datasets" / "pets", two_classes())
    (folder / "broken.png").symlink_to(folder / "nowhere")
    last = datasets.known()[-1]
    assert (last.name, last.ready) == ("pets", False)
    assert "cannot be read" in last.origin
    with pytest.raises(LabError):
        datasets.info("pets")


def test_info_of_a_path_knows_only_what_is_prepared(tmp_path):
    path = as_zip(tmp_path / "a.zip", two_classes())
    before = datasets.info(str(path))
    assert (before.image_shape, before.classes, before.train_images) == (None, None, None)
    assert not before.ready
    after = datasets.fetch(str(path))
    assert (after.image_shape, after.classes, after.train_images) == ((5, 6, 3), 2, 6)
    assert after.ready


def test_a_page_that_asks_twice_lists_a_folder_once_but_a_run_looks_again(tmp_path, monkeypatch):
    folder = as_folder(tmp_path / "a", two_classes())
    datasets.info(str(folder))
    (folder / "cat" / "new.png").write_bytes(picture())
    with monkeypatch.context() as patch:
        patch.setattr(archives, "listing", lambda path: pytest.fail("listed again"))
        assert not datasets.info(str(folder)).ready
    assert len(datasets.load(str(folder)).images) == 7
    assert datasets.info(str(folder)).train_images == 7


@pytest.mark.parametrize("name", [*datasets.REGISTRY])
def test_info_of_the_registry_needs_nothing(name):
    facts = datasets.info(name)
    assert facts.synthetic == facts.ready == (name in ("shapes", "waves"))
    assert facts.origin
    assert facts.classes
    assert facts.train_images


def test_a_gallery_shows_pictures_of_their_class(tmp_path):
    path = str(as_zip(tmp_path / "a.zip", two_classes(each=5)))
    assert datasets.gallery(path) == []
    datasets.load(path)
    shown = datasets.gallery(path, per_class=3)
    assert [name for name, _ in shown] == ["cat", "dog"]
    assert all(pictures.shape == (3, 5, 6, 3) for _, pictures in shown)
    assert (shown[1][1][:, 0, 0, 0] == 250).all()


def test_a_gallery_never_prepares_anything(tmp_path, monkeypatch):
    folder = as_folder(tmp_path / "a", two_classes())
    datasets.load(str(folder))
    (folder / "cat" / "new.png").write_bytes(picture())
    monkeypatch.setattr(names, "LISTING_SECONDS", 0)
    assert datasets.gallery(str(folder)) == []
    assert len(list((store.folder() / ".prepared").iterdir())) == 1


def test_a_gallery_looks_only_for_the_classes_that_it_shows(tmp_path, monkeypatch):
    path = str(npz(tmp_path / "a.npz", X, np.array([7, 900, 3, 3, 500])))
    datasets.load(path)
    looked: list[int] = []
    find = np.flatnonzero
    monkeypatch.setattr(np, "flatnonzero", lambda where: looked.append(1) or find(where))
    shown = datasets.gallery(path, classes=2)
    assert [(name, len(images)) for name, images in shown] == [("3", 2), ("7", 1)]
    assert len(looked) == 2


def test_a_gallery_of_shapes_is_drawn():
    shown = datasets.gallery("shapes", per_class=2, classes=4)
    assert [name for name, _ in shown] == list(shapes.CLASS_NAMES[:4])
    assert all(pictures.shape == (2, 32, 32, 3) for _, pictures in shown)


def test_nothing_here_imports_keras_or_torch(tmp_path):
    path = as_zip(tmp_path / "a.zip", two_classes())
    code = (
        "import sys; from cnnlab import datasets; datasets.known();"
        f"datasets.fetch({str(path)!r}); datasets.gallery({str(path)!r});"
        "datasets.gallery('shapes');"
        "assert not {'keras', 'torch', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- whatever comes -------------------------------------------------------------------------

many = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NAMES = st.sampled_from(["a", "b", "train", "test", "..", ".", "", "a b", "é", "x" * 99, "/", "c:"])
FILES = st.sampled_from(["0.png", "1.png", "2.jpg", "README", ".png", "0.PNG", "\n.png"])
CONTENTS = st.sampled_from(
    [picture(), picture(mode="L"), picture(size=(3, 9)), picture(form="JPEG"), b"", b"junk"]
)
TREES = st.dictionaries(
    st.tuples(st.lists(NAMES, max_size=3), FILES).map(lambda p: "/".join([*p[0], p[1]])),
    CONTENTS,
    max_size=12,
)


def loads_or_is_refused(path: Path) -> None:
    try:
        data = datasets.load(str(path))
    except LabError:
        return
    assert data.images.dtype == np.uint8
    assert data.images.ndim == 4
    assert data.images.shape[3] in (1, 3)
    assert data.labels.shape == data.images.shape[:1]
    assert 0 <= data.labels.min() <= data.labels.max() < len(data.class_names)


@many
@given(files=TREES, kind=st.sampled_from([".zip", ".tar", ".tar.gz"]))
def test_any_archive_loads_or_is_refused(tmp_path, files, kind):
    path = tmp_path / f"a{kind}"
    (as_zip if kind == ".zip" else as_tar)(path, files)
    loads_or_is_refused(path)


def build_samples(folder: Path) -> dict[str, bytes]:
    """One small healthy file of every kind."""
    made = [
        as_zip(folder / "a.zip", two_classes(each=2)),
        as_tar(folder / "a.tar", two_classes(each=2)),
        as_tar(folder / "a.tar.gz", two_classes(each=2)),
        as_tar(folder / "a.tar.xz", two_classes(each=2)),
        as_tar(folder / "a.tar.bz2", two_classes(each=2)),
        npz(folder / "a.npz", X, Y),
    ]
    return {path.name: path.read_bytes() for path in made}


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return build_samples(tmp_path_factory.mktemp("samples"))


@many
@given(data=st.data())
def test_any_damage_to_an_archive_loads_or_is_refused(tmp_path, samples, data):
    name = data.draw(st.sampled_from(sorted(samples)))
    content = bytearray(samples[name])
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=6)
    ):
        content[place] = value
    keep = data.draw(st.one_of(st.none(), st.integers(0, len(content))))
    path = tmp_path / name
    path.write_bytes(content[:keep])
    loads_or_is_refused(path)


@many
@given(data=st.data())
def test_any_damage_to_a_pickle_is_read_or_refused(data):
    content = bytearray(cifar100_files()["cifar-100-python/train"])
    places = st.one_of(st.integers(0, 200), st.integers(0, len(content) - 1))
    for place, value in data.draw(
        st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=4)
    ):
        content[place] = value
    try:
        read = cifar.read_pickle(bytes(content), "a batch")
    except LabError:
        return
    assert isinstance(read, dict)


@many
@given(data=st.data())
def test_any_damage_to_a_picture_is_named(tmp_path, data):
    form = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"]))
    content = bytearray(picture(form=form))
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=4)
    ):
        content[place] = value
    path = as_zip(tmp_path / "a.zip", two_classes() | {"cat/x.png": bytes(content)})
    try:
        said, pictures_read = "", len(datasets.load(str(path)).images)
    except LabError as error:
        said, pictures_read = str(error), 0
    assert pictures_read == 7 or "'cat/x.png'" in said


def test_a_sample_drawn_ahead_is_what_a_run_would_draw():
    drawn = datasets.load("shapes", 500)
    datasets.draw_ahead()
    kept = datasets.load("shapes", 500)
    assert isinstance(kept.images, np.memmap)
    assert np.array_equal(kept.images, drawn.images)
    assert np.array_equal(kept.labels, drawn.labels)
    assert len(datasets.load("shapes", loading.SAMPLE + 1).labels) == loading.SAMPLE + 1
