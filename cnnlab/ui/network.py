"""A network as a drawing: a block for each layer, wide by its channels, high by its picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from cnnlab import words
from cnnlab.models import Layer

HEIGHT = 260  # pixels
ROOM = 64  # pixels that a layer needs for its words
# Okabe and Ito's colours that do not stand for a device.
COLOURS = {
    "Input": "#999999",
    "Convolution": "#009E73",
    "Pooling": "#56B4E9",
    "Recurrent": "#D55E00",
    "Dense": "#CC79A7",
}
_GROUPS = {
    "Input": "Input",
    "Conv2D": "Convolution",
    "MaxPooling2D": "Pooling",
    "GlobalAveragePooling2D": "Pooling",
    "SimpleRNN": "Recurrent",
    "GRU": "Recurrent",
    "LSTM": "Recurrent",
    "Dense": "Dense",
}


def drawn(layers: Sequence[Layer]) -> list[Layer]:
    """The layers that have a block of their own; the others only change numbers in passing."""
    return [layer for layer in layers if layer.kind in _GROUPS]


def shape_text(layer: Layer) -> str:
    """The shape of a layer's output: "26 × 26 × 128"."""
    return " × ".join(map(str, layer.output_shape))


def frame(layers: Sequence[Layer]) -> pd.DataFrame:
    """A row for each drawn layer: its corners, its words, its figures.

    Layers stand in places of equal width, 0 to 1, 1 to 2 and so on. The width of a block is the
    square root of its channels, its height that of the picture; a vector is one pixel high.
    """
    shown = drawn(layers)
    widest = max(math.sqrt(layer.output_shape[-1]) for layer in shown)
    tallest = max(_height(layer) for layer in shown)
    rows = []
    for place, layer in enumerate(shown):
        half = max(0.42 * math.sqrt(layer.output_shape[-1]) / widest, 0.02)
        up = max(_height(layer) / tallest, 0.04)
        rows.append(
            {
                "left": place + 0.5 - half,
                "right": place + 0.5 + half,
                "middle": place + 0.5,
                "top": up,
                "bottom": -up,
                "group": _GROUPS[layer.kind],
                "title": _title(layer, last=place == len(shown) - 1),
                "layer": f"{layer.kind} {layer.detail}".strip(),
                "shape": shape_text(layer),
                "parameters": words.count(layer.parameters),
                "flops": words.scaled(layer.flops, "FLOP"),
            }
        )
    return pd.DataFrame(rows)


def _height(layer: Layer) -> int:
    """Pixels of the picture, or steps of the sequence, from top to bottom."""
    return layer.output_shape[0] if len(layer.output_shape) > 1 else 1


def _title(layer: Layer, last: bool) -> str:
    """A word that fits under a block."""
    if layer.kind == "Dense":
        return "Softmax" if last else "Dense"
    kernel = layer.detail.split()[1] if layer.kind == "Conv2D" else layer.detail
    short = {
        "Conv2D": f"Conv {kernel}",
        "MaxPooling2D": f"Pool {kernel}",
        "GlobalAveragePooling2D": "Average",
    }
    return short.get(layer.kind, layer.kind)


def chart(layers: Sequence[Layer]) -> alt.LayerChart:
    """The drawing; hovering over a block names its layer, shape, parameters and FLOPs."""
    data = frame(layers)
    count = len(data)
    x = alt.X("left:Q", axis=None, scale=alt.Scale(domain=[0, count], nice=False))
    y = alt.Y("bottom:Q", axis=None, scale=alt.Scale(domain=[-1.5, 1.05], nice=False))
    present = [name for name in COLOURS if name in set(data["group"])]
    colour = alt.Color(
        "group:N",
        scale=alt.Scale(domain=present, range=[COLOURS[name] for name in present]),
        legend=alt.Legend(title=None, orient="top"),
    )
    tooltip = [
        alt.Tooltip("layer:N", title="Layer"),
        alt.Tooltip("shape:N", title="Output shape"),
        alt.Tooltip("parameters:N", title="Parameters"),
        alt.Tooltip("flops:N", title="FLOPs per image"),
    ]
    base = alt.Chart(data)
    blocks = base.mark_rect(cornerRadius=3).encode(
        x=x, x2="right:Q", y=y, y2="top:Q", color=colour, tooltip=tooltip
    )
    # Words that would run into each other are left to the pointer.
    roomy = alt.ExprRef(f"width > {ROOM * count} ? 1 : 0")
    words_: dict[str, Any] = {"color": "#7A7A7A", "fontSize": 12, "opacity": roomy}
    titles = base.mark_text(**words_).encode(x="middle:Q", y=alt.datum(-1.2), text="title:N")
    shapes = base.mark_text(**words_).encode(x="middle:Q", y=alt.datum(-1.4), text="shape:N")
    return (blocks + titles + shapes).properties(height=HEIGHT).configure_view(stroke=None)


def alt_text(layers: Sequence[Layer]) -> str:
    """The drawing in words, for who cannot see it."""
    shown = drawn(layers)
    if len(shown) > 20:
        return f"The network as {len(shown)} blocks, from {shape_text(shown[0])} to its softmax."
    blocks = ", ".join(f"{layer.kind} {shape_text(layer)}" for layer in shown)
    return f"The network as blocks, from left to right: {blocks}."


def table(layers: Sequence[Layer]) -> pd.DataFrame:
    """Every layer as a row for a table."""
    return pd.DataFrame(
        [
            {
                "Layer": layer.kind,
                "Settings": layer.detail,
                "Output shape": shape_text(layer),
                "Parameters": layer.parameters,
                "FLOPs per image": layer.flops,
            }
            for layer in layers
        ]
    )
