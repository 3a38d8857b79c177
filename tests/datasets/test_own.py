"""A picture, a drawing or a sequence of one's own: answered, or refused in one sentence."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlab import datasets
from cnnlab.datasets import own
from cnnlab.spec import PRESETS, LabError, change
from tests.datasets import photos
from tests.datasets.examples import picture
from tests.datasets.photos import half_and_half, saved

COLOUR, GREY = (32, 32, 3), (28, 28, 1)


def test_a_photo_loses_its_sides_and_nothing_else():
    image = Image.new("RGB", (300, 100), "white")
    image.paste("red", (100, 0, 200, 100))
    brought = own.picture(saved(image), "a.png", COLOUR)
    assert brought.cut.shape == (100, 100, 3)
    assert brought.seen.shape == COLOUR
    assert brought.seen.dtype == np.uint8
    assert (brought.seen == (255, 0, 0)).all()


def test_a_phone_held_upright_gives_an_upright_picture():
    brought = own.picture(photos.from_a_phone_held_upright(), "IMG_1.jpg", COLOUR)
    assert brought.cut.shape == (300, 300, 3)
    assert brought.seen[3, 16, 0] > 200 > brought.seen[3, 16, 2]
    assert brought.seen[28, 16, 2] > 200 > brought.seen[28, 16, 0]


@pytest.mark.parametrize("name", photos.ALL_RED)
def test_whatever_holds_it_a_red_picture_is_red(name: str):
    """Of one that moves the first frame."""
    seen = own.picture(photos.ALL_RED[name], name, COLOUR).seen.astype(int)
    assert abs(seen - (255, 0, 0)).max() <= 2


@pytest.mark.parametrize("name", photos.HALF_TRANSPARENT)
def test_what_is_transparent_lies_on_white(name: str):
    seen = own.picture(photos.HALF_TRANSPARENT[name], name, COLOUR).seen
    assert (seen[:, 0] == 255).all()
    assert (seen[:, -1] == (255, 0, 0)).all()


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1)])
def test_a_line_is_a_picture(size):
    assert own.picture(picture(size=size), "line.png", COLOUR).seen.shape == COLOUR


@pytest.mark.parametrize("name", photos.REFUSED)
def test_what_is_no_picture_is_refused_in_a_sentence(name: str):
    data, why = photos.REFUSED[name]
    with pytest.raises(LabError, match=f"^{re.escape(why)}$"):
        own.picture(data, name, COLOUR)


@pytest.mark.parametrize("side", [8_000, 60_000])
def test_a_bomb_of_any_size_is_refused_before_it_is_decoded(side: int):
    """Of 64 and of 3,600 million pixels."""
    with pytest.raises(LabError, match=r"^bomb\.png .*50,000,000.*choose.*\.$"):
        own.picture(photos.bomb(side), "bomb.png", COLOUR)


def test_a_file_that_is_too_large_is_refused_unread():
    with pytest.raises(LabError, match=r"vast\.png has 65 MB: choose"):
        own.picture(b"\0" * 65_000_000, "vast.png", COLOUR)


def test_a_cut_off_picture_is_refused():
    with pytest.raises(LabError, match="cannot be used"):
        own.picture(saved(half_and_half(200, 200), "JPEG")[:900], "half.jpg", COLOUR)


def test_sixteen_bits_become_eight():
    deep = Image.fromarray(np.full((40, 40), 40_000, np.uint16))
    assert (own.picture(saved(deep), "deep.png", GREY).seen == 40_000 >> 8).all()


def test_colours_and_grey_become_what_the_network_sees():
    grey = own.picture(picture(), "a.png", GREY)
    assert grey.cut.shape[2] == grey.seen.shape[2] == 1
    assert own.picture(picture(mode="L"), "a.png", COLOUR).seen.shape == COLOUR


# --- light and dark -------------------------------------------------------------------------


def ink_on(ground: int, ink: int) -> np.ndarray:
    pictures = np.full((3, 28, 28, 1), ground, np.uint8)
    pictures[:, 8:20, 12:16] = ink
    return pictures


def test_ink_on_paper_is_the_other_way_round_than_mnist():
    paper, mnist = ink_on(250, 20), ink_on(0, 255)
    assert own.other_way_round(paper[0], mnist)
    assert own.other_way_round(mnist[0], paper)
    assert not own.other_way_round(mnist[0], mnist)
    assert not own.other_way_round(np.repeat(paper[0], 3, 2), np.repeat(mnist, 3, 3))
    assert own.on_dark(mnist)
    assert not own.on_dark(paper)


def drawn(left: int, top: int, width: int, height: int) -> bytes:
    image = Image.new("RGB", (280, 280))
    image.paste("white", (left, top, left + width, top + height))
    return saved(image)


@pytest.mark.parametrize(("left", "top"), [(0, 0), (150, 90), (230, 200)])
def test_a_drawing_is_brought_to_where_digits_are(left: int, top: int):
    brought = own.drawing(drawn(left, top, 30, 80), "it", GREY, on_dark=True)
    rows = np.flatnonzero(brought.seen.max(axis=(1, 2)) > 127)
    assert np.ptp(rows) + 1 == 20
    mass = brought.seen[..., 0].astype(float)
    middle = [(mass.sum(1 - axis) @ (np.arange(28) + 0.5)) / mass.sum() for axis in (0, 1)]
    assert middle == pytest.approx([14, 14], abs=0.6)
    light = own.drawing(drawn(left, top, 30, 80), "it", GREY, on_dark=False)
    assert (light.seen == 255 - brought.seen).all()


def test_an_empty_pad_is_told_so():
    with pytest.raises(LabError, match="Nothing is drawn yet"):
        own.drawing(saved(Image.new("RGB", (280, 280))), "it", GREY, on_dark=True)


# --- sequences ------------------------------------------------------------------------------

TABLE = np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    "text",
    [
        "0,1,2\n3,4,5\n6,7,8\n9,10,11\n",
        "a,b,c\n0,1,2\n3,4,5\n\n6,7,8\n9,10,11",
        "0.0; 1.0; 2.0\n3;4;5\n6;7;8\n9;10;11",
        "0,0;1,0;2,0\n3;4;5\n6;7;8\n9;10;11",
        "0\t1\t2\r\n3\t4\t5\r\n6\t7\t8\r\n9\t10\t11\r\n",
        "0 1 2\n3 4 5\n6 7 8\n9 10 11",
        "0, 1, 2\n3, 4, 5\n6, 7, 8\n9, 10, 11",
        "\ufeff0,1,2\n3,4,5\n6,7,8\n9,10,11",
    ],
)
def test_a_table_is_read_as_people_write_it(text: str):
    found = own.sequence(text.encode(), "The table", (4, 3, 1))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[..., 0], TABLE)


def test_of_more_rows_the_last_are_seen():
    text = "\n".join(",".join(map(str, row)) for row in TABLE)
    np.testing.assert_allclose(own.sequence(text.encode(), "x", (2, 3, 1))[..., 0], TABLE[2:])


def test_one_column_may_have_decimal_commas():
    found = own.sequence(b"0,5\n1,25\n-2,0\n", "x", (3, 1, 1))
    np.testing.assert_allclose(found.reshape(-1), [0.5, 1.25, -2])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "is empty"),
        (b"1,2\n3,4", "has 2 columns where the network sees 3"),
        (b"1,2,3\n4,5,6", "has 2 rows, and the network sees 4"),
        (b"1,2,3\n4,5\n6,7,8\n9,1,2", "has 2 columns"),
        (b"1,2,3\n4,x,6\n7,8,9\n1,2,3", "holds 'x' where a number"),
        (b"1,2,3\n4,,6\n7,8,9\n1,2,3", "holds '' where a number"),
        (b"\xff\xfe\x00\xd8\x41", "is no text"),
        (b"1,2,3\n" * 900_000, "has 5 MB"),
    ],
)
def test_what_is_no_such_table_is_refused(text: bytes, said: str):
    with pytest.raises(LabError, match=said):
        own.sequence(text, "The table", (4, 3, 1))


def test_rows_of_ones_own_are_scaled_as_the_rows_of_the_table_were(tmp_path: Path):
    values = 100 + np.cumsum(np.random.default_rng(0).normal(size=(90, 2)), axis=0)
    days = np.datetime64("2024-01-01") + np.arange(90)
    file = tmp_path / "prices.csv"
    lines = (f"{day},{a},{b}" for day, (a, b) in zip(days, values, strict=True))
    file.write_text("\n".join(["day,a,b", *lines]))
    name = f"{file}?window=8"
    spec = change(PRESETS["lstm"].spec, dataset=name, validation_split=0.25, train_limit=60)
    windows = datasets.for_spec(spec)
    found = own.scaled(spec, values[50:58, :, None])
    np.testing.assert_allclose(found, windows.images[50], rtol=1e-5)


def test_what_is_drawn_needs_no_scale():
    waves = np.ones((128, 3, 1), np.float32)
    assert own.scaled(PRESETS["lstm"].spec, waves) is waves
