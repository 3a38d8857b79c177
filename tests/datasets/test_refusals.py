"""Folders, archives and names that are refused, and with which words."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile

import pytest
from PIL import Image

from cnnlab import datasets
from cnnlab.datasets import (
    archives,
    pictures,
    pixels,
)
from cnnlab.spec import LabError
from tests.datasets.examples import (
    as_folder,
    as_tar,
    as_zip,
    picture,
    refusal,
    two_classes,
    with_member,
)


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
