"""What somebody hands in: put aside, looked through, kept by a name that is no path."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlab import datasets
from cnnlab.datasets import drafts, snapshots, store
from cnnlab.spec import LabError
from tests.datasets.drawn_files import drawn
from tests.datasets.examples import as_zip, picture, two_classes

TABLE = "\n".join(["time,a,b", *(f"{row},{row * 7 % 11},{row % 5}" for row in range(90))]).encode()


def silent(_share: float | None, _what: str) -> None:
    """Progress that nobody follows."""


def zipped(tmp_path: Path, **options: str) -> bytes:
    return as_zip(tmp_path / "made.zip", two_classes(**options)).read_bytes()


def handed_in(content: bytes, file_name: str, options: str = "") -> Path:
    draft = drafts.put_aside(content, file_name)
    drafts.read(draft, options, silent)
    return draft


def prepared() -> set[str]:
    return {path.name for path in (store.folder() / ".prepared").glob("*")}


def known() -> list[str]:
    return [info.name for info in datasets.known() if info.name not in datasets.REGISTRY]


def test_what_was_handed_in_is_understood_before_it_is_kept(tmp_path: Path) -> None:
    draft = drafts.put_aside(zipped(tmp_path), "pets.zip")
    info = drafts.read(draft, "", silent)
    assert info.understood
    assert info.understood.classes == {"cat": 3, "dog": 3}
    assert not known()


def test_what_is_kept_is_listed_ready_and_the_same(tmp_path: Path) -> None:
    draft = handed_in(zipped(tmp_path), "pets.zip")
    before = np.array(datasets.load(str(draft)).images)
    assert drafts.keep(draft, "my pets", "") == "my pets.zip"
    assert known() == ["my pets.zip"]
    assert datasets.info("my pets.zip").ready
    assert (datasets.load("my pets.zip").images == before).all()
    assert len(prepared()) == 1
    assert not draft.parent.exists()


def test_a_table_stays_read_as_it_was_kept() -> None:
    draft = handed_in(TABLE, "week.csv")
    drafts.read(draft, "values=b&window=8", silent)
    name = drafts.keep(draft, "week", "values=b&window=8")
    assert known() == [name] == ["week.csv?values=b&window=8"]
    assert datasets.info(name).image_shape == (8, 1, 1)
    assert len(prepared()) == 1  # the other reading is forgotten


def test_options_of_an_earlier_file_of_that_name_are_forgotten() -> None:
    drafts.keep(handed_in(TABLE, "a.csv", "window=8"), "week", "window=8")
    (store.folder() / "week.csv").unlink()
    assert drafts.keep(handed_in(TABLE, "b.csv"), "week", "") == "week.csv"
    assert known() == ["week.csv"]


def test_columns_are_named_of_tables_alone(tmp_path: Path) -> None:
    assert drafts.columns(drafts.put_aside(TABLE, "week.csv")) == ["time", "a", "b"]
    assert drafts.columns(drafts.put_aside(zipped(tmp_path), "pets.zip")) == []


@pytest.mark.parametrize(
    "title",
    ["", "  ", ".hidden", "../pets", "a/b", "a\\b", "~", "x?window=2", "C:pets", "a" * 61, "a\nb"],
)
def test_a_name_that_could_be_a_path_is_refused(tmp_path: Path, title: str) -> None:
    draft = handed_in(zipped(tmp_path), "pets.zip")
    with pytest.raises(LabError, match="choose such a name"):
        drafts.keep(draft, title, "")
    assert draft.is_file()


def test_a_name_that_is_taken_is_refused_in_any_case(tmp_path: Path) -> None:
    drafts.keep(handed_in(zipped(tmp_path), "pets.zip"), "pets", "")
    for title in ("pets", "PETS", "pets.zip"):
        with pytest.raises(LabError, match="already; choose another"):
            drafts.keep(handed_in(zipped(tmp_path), "other.zip"), title, "")


def test_no_upload_stands_in_for_a_published_archive() -> None:
    images, out = np.zeros((4, 5, 5), np.uint8), io.BytesIO()
    np.savez(out, x_train=images, y_train=[0, 1, 0, 1])
    with pytest.raises(LabError, match="already; choose another"):
        drafts.keep(handed_in(out.getvalue(), "a.npz"), "mnist", "")


@pytest.mark.parametrize(
    ("file_name", "kept"),
    [
        ("../../etc/pets.zip", "pets.zip"),
        ("C:\\Users\\ann\\pets.zip", "pets.zip"),
        ("..zip.zip", "zip.zip"),
        ("a?b=c.zip", "a_b=c.zip".replace("=", "_")),
    ],
)
def test_a_file_lies_in_the_lab_whatever_it_was_called(
    tmp_path: Path, file_name: str, kept: str
) -> None:
    draft = drafts.put_aside(zipped(tmp_path), file_name)
    assert draft.name == kept
    assert store.folder() in draft.parents


@pytest.mark.parametrize("file_name", ["notes.txt", "model.keras", "pets", "", ".zip.exe"])
def test_a_file_of_another_kind_is_refused_and_not_written(file_name: str) -> None:
    with pytest.raises(LabError, match="is no data set: hand in"):
        drafts.put_aside(b"x", file_name)
    assert not list(store.folder().rglob("*"))


def test_an_empty_file_and_a_bomb_are_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="is empty"):
        drafts.put_aside(b"", "pets.zip")
    bomb = as_zip(tmp_path / "bomb.zip", {"a/1.png": bytes(400 * 10**6)}).read_bytes()
    with pytest.raises(LabError, match="decompresses to more than"):
        drafts.read(drafts.put_aside(bomb, "bomb.zip"), "", silent)


def test_what_nobody_decided_about_is_gone_after_a_day(tmp_path: Path) -> None:
    old, new = (handed_in(zipped(tmp_path), f"{name}.zip") for name in ("old", "new"))
    yesterday = time.time() - 25 * 3600
    os.utime(old.parent, (yesterday, yesterday))
    drafts.tidy()
    assert not old.exists()
    assert new.exists()
    assert len(prepared()) == 1
    with pytest.raises(LabError, match="do it again"):
        drafts.keep(old, "old", "")


def test_what_is_thrown_away_leaves_nothing(tmp_path: Path) -> None:
    drafts.discard(handed_in(zipped(tmp_path), "pets.zip"))
    assert not prepared()
    assert not [path for path in store.folder().rglob("*") if path.is_file()]


# --- snapshots ------------------------------------------------------------------------------


def test_a_snapshot_is_the_middle_of_a_picture_in_colour() -> None:
    wide = np.zeros((100, 300, 3), np.uint8)
    wide[:, 100:200] = 200
    out = io.BytesIO()
    Image.fromarray(wide).save(out, "PNG")
    shot = np.asarray(Image.open(io.BytesIO(snapshots.square(out.getvalue()))))
    assert shot.shape == (snapshots.KEPT_PIXELS, snapshots.KEPT_PIXELS, 3)
    assert (shot[2:-2, 2:-2] == 200).all()


@pytest.mark.parametrize("size", [(1, 1), (7, 3)])
def test_the_smallest_picture_is_a_snapshot_too(size: tuple[int, int]) -> None:
    assert snapshots.square(picture(size=size, mode="L"))


@pytest.mark.parametrize("content", [b"", b"just text", b"\x89PNG\r\n\x1a\n broken"])
def test_what_is_no_picture_is_no_snapshot(content: bytes) -> None:
    with pytest.raises(LabError, match=r"The picture (cannot be used|is empty)"):
        snapshots.square(content)


def test_snapshots_become_a_data_set_with_their_classes_and_size() -> None:
    shots = {
        name: [snapshots.square(drawn(kind, number)) for number in range(3 + kind)]
        for kind, name in enumerate(("my mug", "Hände"))
    }
    draft = drafts.put_aside(snapshots.archive(shots, 32), "pictures.zip")
    info = drafts.read(draft, "", silent)
    assert info.image_shape == (32, 32, 3)
    assert info.understood
    snapshots.check(info.understood, shots)
    assert info.understood.classes == {"Hände": 4, "my mug": 3}


def test_a_class_that_is_taken_for_a_part_is_refused() -> None:
    shots = {
        name: [snapshots.square(drawn(kind, number)) for number in range(3)]
        for kind, name in enumerate(("cat", "dog", "test"))
    }
    info = drafts.read(drafts.put_aside(snapshots.archive(shots, 32), "pictures.zip"), "", silent)
    assert info.understood
    with pytest.raises(LabError, match="test cannot be a class"):
        snapshots.check(info.understood, shots)
