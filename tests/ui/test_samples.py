"""Pictures and classes beside the network, before anything is trained."""

from __future__ import annotations

import numpy as np
import pytest

from cnnlab import datasets
from cnnlab.ui import samples
from tests.quiet_lab import page, said

pytestmark = pytest.mark.usefixtures("quiet_lab")


def test_the_network_stands_between_a_picture_of_each_class_and_their_names() -> None:
    app = page("train")
    (image,) = app.get("image")
    names = [name for name, _ in datasets.gallery("shapes10", per_class=1)]
    assert image.proto.imgs[0].alt == f"Sample pictures, one of each: {', '.join(names)}."
    assert all(f"<li>{name}</li>" in said(app, "html") for name in names)


def test_of_many_classes_the_rest_is_counted() -> None:
    assert "<li>and 90 more</li>" in said(page("train", dataset="shapes"), "html")


def test_sequences_are_drawn_too() -> None:
    (image,) = page("train", preset="lstm").get("image")
    assert image.proto.imgs[0].alt.startswith("Sample sequences, one of each: ")


def test_what_was_never_read_has_no_pictures() -> None:
    app = page("train", preset="article")
    assert not app.get("image")
    assert '<ul class="classes">' not in said(app, "html")


def test_names_of_classes_are_no_markup() -> None:
    info = datasets.info("shapes10")
    with pytest.MonkeyPatch.context() as patch:
        drawn: list[str] = []
        patch.setattr(samples.st, "html", drawn.append)
        samples.classes(info, [("<b>cat</b>", np.zeros((2, 2, 3), np.uint8))])
    assert "&lt;b&gt;cat" in drawn[0]


def test_pictures_of_any_shape_and_grey_ones_stand_in_squares() -> None:
    wide = samples._picture(np.full((2, 6, 1), 77, np.uint8))
    assert wide.size == (samples.CELL_PIXELS, samples.CELL_PIXELS)
    assert wide.getpixel((48, 48)) == (77, 77, 77, 255)
    assert wide.getpixel((48, 2))[3] == 0
    large = samples._picture(np.full((400, 300, 3), 9, np.uint8))
    assert large.size == wide.size


def test_a_sequence_with_gaps_or_without_change_is_still_drawn() -> None:
    flat = samples._line(np.ones((16, 2, 1), np.float32))
    gaps = samples._line(np.array([[[np.nan]], [[1.0]], [[3.0]]], np.float32))
    assert flat.getbbox()
    assert gaps.getbbox()
