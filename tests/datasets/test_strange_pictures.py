"""Pictures are judged by their content; what is left out is counted, what is stretched is said."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlab import datasets
from cnnlab.spec import LabError, Understood
from tests.datasets.drawn_files import as_folder, as_zip, drawn, of_classes, png_of_16_bits


def understood(path: str) -> Understood:
    """What a data set is taken for."""
    told = datasets.fetch(path).understood
    assert told is not None
    return told


@pytest.mark.parametrize(
    "ending", [".jfif", ".jpe", "", ".JPG", ".jpg_large", ".jpg?w=300", ".bin"]
)
def test_a_picture_is_one_whatever_it_is_called(tmp_path: Path, ending: str) -> None:
    files = of_classes("", 3, ("daisies", "roses"))
    files |= {f"tulips/{n}{ending}": drawn(2, n) for n in range(4)}
    told = understood(as_folder(tmp_path / "flowers", files))
    assert told.classes == {"daisies": 3, "roses": 3, "tulips": 4}
    assert told.left_out == ()


@pytest.mark.parametrize("form", ["AVIF", "WEBP", "JPEG2000", "PCX", "BMP", "GIF", "TIFF", "PPM"])
def test_formats_are_known_by_their_content(tmp_path: Path, form: str) -> None:
    files = {f"{kind}/{n}": drawn(kind, n, form) for kind in (0, 1) for n in range(2)}
    assert understood(as_zip(tmp_path / "a.zip", files)).classes == {"0": 2, "1": 2}


def test_what_is_no_picture_is_counted_and_the_first_are_named(tmp_path: Path) -> None:
    notes = {f"cats/note{n}.txt": b"words" for n in range(5)} | {"labels.csv": b"id,breed\n"}
    hidden = {"__MACOSX/cats/._0.jpg": b"\0", "cats/.DS_Store": b"x"}
    told = understood(as_zip(tmp_path / "a.zip", of_classes("", 3) | notes | hidden))
    assert [(item.what, item.why, item.count) for item in told.left_out] == [
        ("cats/note0.txt, cats/note1.txt, cats/note2.txt and 3 more", "no pictures", 6),
        ("__MACOSX/cats/._0.jpg, cats/.DS_Store", "hidden files", 2),
    ]


def test_how_many_pictures_are_bad_is_said_and_not_only_the_first(tmp_path: Path) -> None:
    bad = {f"dogs/bad{n}.jpg": b"<html>404</html>" for n in range(5)}
    with pytest.raises(LabError, match=r"5 pictures, 'dogs/bad0\.jpg'.* and 2 more.*no picture of"):
        datasets.load(as_zip(tmp_path / "a.zip", of_classes("", 3) | bad))


@pytest.mark.parametrize("ending", ["heic", "CR2", "svg"])
def test_pictures_of_a_foreign_format_do_not_vanish(tmp_path: Path, ending: str) -> None:
    phone = {f"dogs/{n}.{ending}": b"\0\0\0 ftypheic and so on" for n in range(3)}
    with pytest.raises(LabError, match=rf"3 pictures.*{ending.upper()} is not read: convert it"):
        datasets.load(as_zip(tmp_path / "a.zip", of_classes("", 3) | phone))


# --- more than 8 bits -----------------------------------------------------------------------


def grey_of_16_bits(top: int, form: str) -> bytes:
    ramp = np.linspace(0, top, 16)[None, :] * np.ones((16, 1))
    out = io.BytesIO()
    Image.fromarray(ramp.astype(np.uint16)).save(out, form)
    return out.getvalue()


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize(
    ("top", "bits"), [(255, 8), (1023, 10), (4095, 12), (16_383, 14), (40_000, 16), (65_535, 16)]
)
def test_deep_grey_is_stretched_by_what_the_files_hold(
    tmp_path: Path, top: int, bits: int, form: str
) -> None:
    files = {f"{c}/{n}.{form}": grey_of_16_bits(top, form) for c in "ab" for n in range(2)}
    data = datasets.load(as_folder(tmp_path / "a", files))
    assert data.images.max() == top >> (bits - 8)
    assert data.images.shape[3] == 1
    assert data.understood.value_range == (0, top)
    assert f"values up to {top:,}, which {bits} bits can hold" in data.understood.notes[0]


@pytest.mark.parametrize(("top", "bits"), [(1000, 10), (4000, 12), (65_000, 16)])
def test_deep_colours_are_stretched_too(tmp_path: Path, top: int, bits: int) -> None:
    pixels = np.linspace(0, top, 6 * 5 * 3).round().reshape(6, 5, 3).astype(int)
    files = {f"{c}/{n}.png": png_of_16_bits(pixels) for c in "ab" for n in range(2)}
    data = datasets.load(as_folder(tmp_path / "a", files))
    np.testing.assert_array_equal(data.images[0], pixels >> (bits - 8))
    assert data.understood.value_range == (0, top)


def test_a_map_of_16_bits_in_pgm_is_read(tmp_path: Path) -> None:
    body = b"P5 4 4 65535\n" + np.full(16, 0x8123, ">u2").tobytes()
    files = {f"{c}/{n}.pgm": body for c in "ab" for n in range(2)}
    assert (datasets.load(as_folder(tmp_path / "a", files)).images == 0x81).all()


def test_a_common_picture_has_no_note(tmp_path: Path) -> None:
    told = understood(as_zip(tmp_path / "a.zip", of_classes("", 3)))
    assert told.notes == ()
    assert told.value_range is not None
    assert told.value_range[1] <= 255


# --- upright, still, beside the classes -----------------------------------------------------


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("size", [(16, 8), (320, 160)])
def test_the_orientation_is_honoured_in_every_format(tmp_path: Path, form: str, size) -> None:
    image = Image.new("RGB", size)
    image.paste((255, 255, 255), (0, 0, size[0] // 2, size[1]))
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    image.save(out, form, exif=exif)
    files = {f"{c}/{n}": out.getvalue() for c in "ab" for n in (0, 1)}
    images = datasets.load(as_zip(tmp_path / "a.zip", files)).images
    assert images.shape[1] == 2 * images.shape[2]
    assert images[0, 0].min() > 200
    assert images[0, -1].max() < 50


def test_of_a_moving_picture_the_first_frame_is_taken_and_that_is_said(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    files = of_classes("", 2) | {"cats/moving.gif": out.getvalue()}
    assert "cats/moving.gif" in understood(as_zip(tmp_path / "a.zip", files)).notes[0]


@pytest.mark.parametrize("cover", ["pets/preview.png", "pets/sample", "cover.jpg"])
def test_a_cover_beside_the_classes_is_named(tmp_path: Path, cover: str) -> None:
    path = as_zip(tmp_path / "a.zip", of_classes("pets/", 3) | {cover: drawn(0, 1)})
    with pytest.raises(LabError, match=rf"'{cover}'.*put every picture into a folder named"):
        datasets.load(path)


@pytest.mark.parametrize("name", ["cats/gone.png", "gone", "dogs/a/gone.jpg"])
def test_a_broken_link_is_named(tmp_path: Path, name: str) -> None:
    folder = Path(as_folder(tmp_path / "a", of_classes("", 3)))
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).symlink_to("/nowhere/gone.png")
    with pytest.raises(LabError, match=rf"'{name}' is a broken link, to /nowhere/gone\.png"):
        datasets.load(str(folder))
