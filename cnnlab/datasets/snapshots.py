"""Pictures taken one by one, sorted by class: what becomes of each, and the archive they make."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from cnnlab.datasets import own
from cnnlab.datasets.pixels import fitted
from cnnlab.spec import LabError, Understood

KEPT_PIXELS = 128
"""Side of a snapshot until it is known how large the data set's pictures are to be."""


def square(content: bytes) -> bytes:
    """The middle of a picture, upright and in colour, as a PNG of `KEPT_PIXELS` by as many.

    Raises:
        LabError: it is no picture, or one that is too large to be read.
    """
    seen = own.picture(content, "The picture", (KEPT_PIXELS, KEPT_PIXELS, 3)).seen
    return _png(seen)


def archive(by_class: Mapping[str, Sequence[bytes]], side: int) -> bytes:
    """A zip archive with a folder for each class.

    Args:
        by_class: PNG pictures, as `square` gives them.
        side: height and width of the pictures in it.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, shots in by_class.items():
            for number, shot in enumerate(shots, start=1):
                pixels = np.asarray(Image.open(io.BytesIO(shot)))
                file.writestr(f"{name}/{number:04d}.png", _png(fitted(pixels, (side, side))))
    return out.getvalue()


def check(understood: Understood, by_class: Mapping[str, Sequence[bytes]]) -> None:
    """Hold what was read against what was made.

    Raises:
        LabError: a class was taken for something else, such as the test part.
    """
    made = {name: len(shots) for name, shots in by_class.items()}
    if understood.classes != made:
        other = [name for name in made if understood.classes.get(name) != made[name]]
        raise LabError(
            f"{' and '.join(other or made)} cannot be a class: a folder called so is taken for a "
            "part of a data set; call it otherwise."
        )


def _png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "PNG")
    return out.getvalue()
