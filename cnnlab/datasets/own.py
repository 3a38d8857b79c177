"""A picture or a sequence of somebody's own, brought to what a network sees. It is not kept.

Pictures pass the same guards as those of data sets (`pixels`): content, not names, says what is a
picture; only so many pixels are decoded; the camera's orientation is honoured.
"""

from __future__ import annotations

import csv
import io
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from cnnlab.datasets import names, numbers, store, windows
from cnnlab.datasets.pictures import FILE_BYTES, LONGEST_SIDE
from cnnlab.datasets.pixels import PIXELS, decoded, depth, eight_bits, fitted, reason
from cnnlab.spec import ExperimentSpec, LabError
from cnnlab.spec.base import decoded as text_of

LIGHT, DARK = 128, 64
"""Means of a picture's edge from which on it lies on light ground, and up to which on dark."""
DIGIT = 20 / 28
"""Of MNIST's pictures the part that a digit fills."""
TABLE_BYTES = 4 * 10**6


class Brought(NamedTuple):
    """A picture on its way to the network."""

    cut: np.ndarray
    """What was used of it, uint8 (height, width, 1 or 3)."""
    seen: np.ndarray
    """The same as the network sees it."""


def picture(data: bytes, name: str, shape: tuple[int, int, int]) -> Brought:
    """The middle of a picture, as large as fits the network's proportions, in the network's size.

    Args:
        name: what a refusal calls it.
        shape: height, width, channels of what the network sees.

    Raises:
        LabError: it is no picture, or one that cannot be read.
    """
    pixels = _decoded(data, name, max(LONGEST_SIDE, *shape[:2]))
    height, width, channels = shape
    cut = _coloured(_middle(pixels, width / height), channels)
    return Brought(cut, fitted(cut, (width, height)))


def _decoded(data: bytes, name: str, longest: int) -> np.ndarray:
    if not data:
        raise LabError(f"{name} is empty: choose a JPEG or PNG.")
    if len(data) > FILE_BYTES:
        raise LabError(
            f"{name} has {len(data) / 1e6:,.0f} MB: choose a picture of at most "
            f"{FILE_BYTES // 10**6} MB."
        )
    try:
        pixels = decoded(data, longest)
    except Image.DecompressionBombError as error:
        raise LabError(
            f"{name} has more than {PIXELS:,} pixels, which are not read: choose a smaller one."
        ) from error
    except Exception as error:  # a decoder of untrusted bytes may raise anything
        raise LabError(f"{name} cannot be used ({reason(error)}): choose a JPEG or PNG.") from error
    if pixels.dtype == np.uint8:
        return pixels
    return eight_bits(pixels, depth(int(pixels.max())))


def _middle(pixels: np.ndarray, proportion: float) -> np.ndarray:
    """The largest part in the middle whose width is `proportion` times its height."""
    height, width = pixels.shape[:2]
    wide = min(width, max(1, round(height * proportion)))
    high = min(height, max(1, round(width / proportion)))
    top, left = (height - high) // 2, (width - wide) // 2
    return pixels[top : top + high, left : left + wide]


def _coloured(pixels: np.ndarray, channels: int) -> np.ndarray:
    if pixels.shape[2] == channels:
        return pixels
    if channels == 1:
        return np.asarray(Image.fromarray(pixels).convert("L"))[..., None]
    return np.repeat(pixels, channels, axis=2)


def on_dark(example: np.ndarray) -> bool:
    """Whether the pictures of a data set lie on dark ground, as MNIST's do.

    Args:
        example: uint8 (n, height, width, channels), some of them.
    """
    return _edge(example) <= DARK


def other_way_round(seen: np.ndarray, example: np.ndarray) -> bool:
    """Whether a grey picture lies on light ground and those of the data set on dark, as digits on
    paper and those of MNIST do, or the other way round.

    Args:
        example: uint8 (n, height, width, channels), some pictures of the data set.
    """
    if example.shape[-1] != 1:
        return False
    own, usual = _edge(seen[None]), _edge(example)
    return (own >= LIGHT and usual <= DARK) or (own <= DARK and usual >= LIGHT)


def _edge(pictures: np.ndarray) -> float:
    """The mean of the outermost pixels."""
    rows = pictures[:, [0, -1]].mean()
    columns = pictures[:, :, [0, -1]].mean()
    return float(rows + columns) / 2


def drawing(data: bytes, name: str, shape: tuple[int, int, int], *, on_dark: bool) -> Brought:
    """A drawing, light on dark, as MNIST has its digits: scaled to fill 20 of 28 pixels, its mass
    in the middle (LeCun et al., "The MNIST database of handwritten digits").

    Args:
        shape: as for `picture`; a single channel.
        on_dark: whether the network's pictures are light on dark too.

    Raises:
        LabError: as `picture`, or nothing is drawn.
    """
    drawn = _coloured(_decoded(data, name, max(LONGEST_SIDE, *shape[:2])), 1)
    inked = np.argwhere(drawn[..., 0] > 0)
    if not len(inked):
        raise LabError("Nothing is drawn yet.")
    (top, left), (bottom, right) = inked.min(axis=0), inked.max(axis=0) + 1
    strokes = drawn[top:bottom, left:right]
    factor = DIGIT * min(shape[0] / strokes.shape[0], shape[1] / strokes.shape[1])
    high, wide = (max(1, round(side * factor)) for side in strokes.shape[:2])
    seen = _centred(fitted(strokes, (wide, high)), shape[:2])
    return Brought(drawn, seen if on_dark else 255 - seen)


def _centred(drawn: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A small picture on black ground, so that its centre of mass is the middle."""
    mass = drawn[..., 0].astype(np.float64)
    corner = []
    for axis, (room, side) in enumerate(zip(size, mass.shape, strict=True)):
        along = mass.sum(axis=1 - axis)
        centre = float(along @ (np.arange(side) + 0.5)) / max(float(along.sum()), 1.0)
        corner.append(min(max(round(room / 2 - centre), 0), room - side))
    top, left = corner
    whole = np.zeros((*size, 1), np.uint8)
    whole[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
    return whole


# --- sequences ------------------------------------------------------------------------------


def sequence(data: bytes, name: str, shape: tuple[int, int, int]) -> np.ndarray:
    """The last steps of a pasted or uploaded table, float32 (steps, features, 1), as written.

    A row is a step, a column a feature; a first row of headings is left out.

    Args:
        shape: steps, features, 1 of what the network sees.

    Raises:
        LabError: it is no table of numbers, has too few rows, or other columns.
    """
    steps, features, _ = shape
    rows = _rows(data, name, features)
    if wrong := next((row for row in rows if len(row) != features), None):
        raise LabError(
            f"{name} has {len(wrong)} columns where the network sees {features}: give one column "
            "of numbers for each feature, nothing else."
        )
    values = _numbers(rows, name)
    if len(values) < steps:
        raise LabError(f"{name} has {len(values)} rows, and the network sees {steps}: give more.")
    return values[-steps:].astype(np.float32)[..., None]


def _rows(data: bytes, name: str, features: int) -> list[list[str]]:
    if len(data) > TABLE_BYTES:
        raise LabError(f"{name} has {len(data) / 1e6:.0f} MB: give only the rows to be seen.")
    try:
        text = text_of(data)
    except UnicodeDecodeError as error:
        raise LabError(f"{name} is no text: give a table as CSV.") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise LabError(f"{name} is empty: give a table of numbers.")
    if features == 1:
        return [[line] for line in lines]
    # A comma may be a decimal sign, and a space stand behind one, so that others come first.
    separator = next((sign for sign in ";\t, " if all(sign in line for line in lines)), ",")
    return list(csv.reader(io.StringIO("\n".join(lines)), delimiter=separator))


def _numbers(rows: list[list[str]], name: str) -> np.ndarray:
    """The values of a table, float64 (rows, columns), without its headings."""
    headed = not any(map(numbers.is_number, rows[0]))
    cells = pd.Series([cell for row in rows[headed:] for cell in row], dtype=object)
    signs = numbers.Signs()
    good = numbers.survey(cells, numbers.gaps_of(cells), signs)
    if not good.all():
        bad = cells[int(np.argmin(good))]
        raise LabError(f"{name} holds {bad[:20]!r} where a number should be: mend it.")
    decimal = signs.decimal(None, "")
    if decimal is None:
        raise LabError(f"{name} has decimal points and decimal commas: keep to one of them.")
    return numbers.values(cells, decimal).reshape(-1, len(rows[0]))


def scaled(spec: ExperimentSpec, values: np.ndarray) -> np.ndarray:
    """A sequence of somebody's own as the network of a run sees it: scaled by what the run's table
    was scaled by, or by its own mean and spread where each of several series was.

    Args:
        values: float (steps, features, 1).

    Raises:
        LabError: the run's data set is gone, or the store is damaged.
    """
    found = store.read(names.key_of(spec.dataset, remembered=True))
    if found is None or not found.windows:
        return values
    rows, cut = found.images[:, 0, :, 0], found.windows
    scale = windows.scale_of(rows, cut, spec.train_limit, spec.validation_split)
    own = values[..., 0].astype(np.float64)
    return (scale or windows.Scale.of(own)).put(own)[..., None]
