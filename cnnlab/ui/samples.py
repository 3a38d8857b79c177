"""What a network is to learn, beside its drawing: a picture of each class, and their names."""

from __future__ import annotations

from html import escape

import numpy as np
import streamlit as st
from PIL import Image, ImageDraw

from cnnlab import datasets, words
from cnnlab.datasets import DatasetInfo

MOST_CLASSES, COLUMNS = 10, 2
CELL_PIXELS, GAP_PIXELS = 96, 12
LINE = "#009E73"
"""Of a sequence: to be seen on either ground, and no colour of a device."""
Samples = list[tuple[str, np.ndarray]]
"""The name of a class, and one of its pictures or sequences."""


# Not for long: files of the same name and number may be put in their place.
@st.cache_data(max_entries=16, ttl=60, show_spinner=False)
def _found(name: str, count: int | None) -> Samples:
    shown = datasets.gallery(name, per_class=1, classes=MOST_CLASSES)
    return [(said, examples[0]) for said, examples in shown]


def of(info: DatasetInfo) -> Samples:
    """One of each class; none of a data set that is not ready."""
    return _found(info.name, info.train_images) if info.ready else []


def pictures(info: DatasetInfo, found: Samples) -> None:
    """What goes in."""
    drawn = [_line(one) if info.kind == "series" else _picture(one) for _, one in found]
    things = words.things(info.kind)
    named = ", ".join(name for name, _ in found)
    st.image(tiled(drawn), width="stretch", alt=f"Sample {things}, one of each: {named}.")


def classes(info: DatasetInfo, found: Samples) -> None:
    """What comes out."""
    rows = [f"<li>{escape(name)}</li>" for name, _ in found]
    more = (info.classes or 0) - len(found)
    if more > 0:
        rows.append(f"<li>and {words.count(more)} more</li>")
    st.html(f'<ul class="classes">{"".join(rows)}</ul>')


def tiled(drawn: list[Image.Image]) -> Image.Image:
    """Squares in rows, with nothing between them."""
    step, rows = CELL_PIXELS + GAP_PIXELS, -(-len(drawn) // COLUMNS)
    whole = Image.new("RGBA", (COLUMNS * step - GAP_PIXELS, rows * step - GAP_PIXELS))
    for place, picture in enumerate(drawn):
        row, column = divmod(place, COLUMNS)
        whole.paste(picture, (column * step, row * step))
    return whole


def _picture(pixels: np.ndarray) -> Image.Image:
    """One picture, (height, width, 1 or 3) in uint8, in a square; small ones stay crisp."""
    rgb = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    height, width = rgb.shape[:2]
    scale = CELL_PIXELS / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    crisp = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    square = Image.new("RGBA", (CELL_PIXELS, CELL_PIXELS))
    square.paste(
        Image.fromarray(rgb).resize(size, crisp),
        ((CELL_PIXELS - size[0]) // 2, (CELL_PIXELS - size[1]) // 2),
    )
    return square


def _line(sequence: np.ndarray) -> Image.Image:
    """The first feature of one sequence, (steps, features, 1), from its lowest to its highest."""
    values = sequence[:, 0, 0].astype(np.float64)
    low, spread = np.nanmin(values), np.ptp(values[np.isfinite(values)]) or 1.0
    edge = CELL_PIXELS - 8
    x = np.linspace(4, 4 + edge, len(values))
    y = 4 + edge - edge * (np.nan_to_num(values, nan=float(low)) - low) / spread
    square = Image.new("RGBA", (CELL_PIXELS, CELL_PIXELS))
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    ImageDraw.Draw(square).line(points, fill=LINE, width=2, joint="curve")
    return square
