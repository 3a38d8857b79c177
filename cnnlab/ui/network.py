"""A network as a drawing: a block for each layer, wide by its channels, high by its picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import altair as alt
import pandas as pd

from cnnlab import charts, words
from cnnlab.models import Layer

HEIGHT = 260  # pixels
USUAL = 12
LETTERS = charts.by_window(USUAL, 16)
"""Pixels of the words under the blocks: in a laptop's window, and in a projector's."""
# Of a place under a block: below the first its shape would run into the next one's, below the
# second its title would, at the usual size of letters.
SHAPE_FITS, TITLE_FITS = 78, 52  # pixels
_PLACE = "bandwidth('layer_0_x')"  # the name that Vega-Lite gives the scale of the words
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

    Layers stand in places of equal width, from 0 at the left to 1 at the right. The width of a
    block is the square root of its channels, its height that of the picture; a vector is a line.
    """
    shown = drawn(layers)
    widest = max(math.sqrt(layer.output_shape[-1]) for layer in shown)
    tallest = max(_height(layer) for layer in shown)
    rows = []
    for place, layer in enumerate(shown):
        half = max(0.42 * math.sqrt(layer.output_shape[-1]) / widest, 0.02)
        up = max(_height(layer) / tallest, 0.04)
        title = _title(layer, last=place == len(shown) - 1)
        rows.append(
            {
                "left": (place + 0.5 - half) / len(shown),
                "right": (place + 0.5 + half) / len(shown),
                "top": up,
                "bottom": -up,
                "group": _GROUPS[layer.kind],
                # The number keeps the order, and apart what has the same words.
                "label": f"{place:04d}|{title}|{shape_text(layer)}",
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


def chart(layers: Sequence[Layer], letters: str = LETTERS) -> charts.Spec:
    """The drawing without its data; hovering over a block names its layer, shape and figures.

    It depends on nothing but the kinds of layers, so another network is only another frame.

    Args:
        letters: pixels of the words under the blocks, as an expression.
    """
    present = {_GROUPS[layer.kind] for layer in drawn(layers)}
    return _chart(tuple(name for name in COLOURS if name in present), letters)


def timed_frame(layers: Sequence[Layer], ms: Sequence[float], most_ms: float) -> pd.DataFrame:
    """`frame` with the time of each block: its layer's, and that of what follows without a block.

    Args:
        ms: of each layer behind the input.
        most_ms: what the strongest colour stands for, the same for pictures side by side.
    """
    by_block: list[float] = []
    for layer, each in zip(layers, (0.0, *ms), strict=True):
        if layer.kind in _GROUPS:
            by_block.append(0.0)
        by_block[-1] += each
    timed = frame(layers)
    whole = sum(by_block) or 1.0
    timed["level"] = [each / most_ms if most_ms else 0.0 for each in by_block]
    timed["time"] = [f"{words.number(each)} ms" for each in by_block]
    timed["share"] = [words.percent(each / whole) for each in by_block]
    return timed


@lru_cache(maxsize=1)
def timed_chart() -> charts.Spec:
    """The drawing coloured by time, pale to strong, from `timed_frame`."""
    scale = alt.Scale(scheme="oranges", domain=[0, 1], nice=False)
    colour = alt.Color("level:Q", scale=scale, legend=None)
    more = (("time", "Time in a step"), ("share", "Of all layers"))
    return _drawing(colour, [alt.Tooltip(f"{name}:N", title=title) for name, title in more])


@lru_cache(maxsize=32)
def _chart(present: tuple[str, ...], letters: str) -> charts.Spec:
    scale = alt.Scale(domain=present, range=[COLOURS[name] for name in present])
    return _drawing(alt.Color("group:N", scale=scale, legend=_legend(present)), [], letters)


SIGN, ENTRY = 0.55, 1.8
"""Of a legend, by the size of its letters: the width of a sign, and what stands around a name."""


def _legend(names: Sequence[str]) -> alt.Legend:
    """The kinds of layers in a row; in two columns where a row would be cut off, else in one."""
    row = SIGN * sum(map(len, names)) + ENTRY * len(names)
    pair = 2 * (SIGN * max(map(len, names)) + ENTRY)
    needs = (f"width < {length:g} * {charts.LETTERS}" for length in (pair, row))
    columns = "{} ? 1 : {} ? 2 : 0".format(*needs)
    return alt.Legend(title=None, columns=alt.expr(columns))


def _drawing(colour: alt.Color, more: Sequence[alt.Tooltip], letters: str = LETTERS) -> charts.Spec:
    base = alt.Chart(charts.SOURCE)
    whole = alt.Scale(domain=[0, 1], nice=False)
    blocks = base.mark_rect(cornerRadius=3).encode(
        x=alt.X("left:Q", axis=None, scale=whole),
        x2="right:Q",
        y=alt.Y("bottom:Q", axis=None, scale=alt.Scale(domain=[-1.05, 1.05], nice=False)),
        y2="top:Q",
        color=colour,
        tooltip=[
            alt.Tooltip("layer:N", title="Layer"),
            alt.Tooltip("shape:N", title="Output shape"),
            alt.Tooltip("parameters:N", title="Parameters"),
            alt.Tooltip("flops:N", title="FLOPs"),
            *more,
        ],
    )
    drawing = alt.layer(_labels(base, letters), blocks).resolve_scale(x="independent")
    drawing = drawing.properties(height=HEIGHT, view=alt.ViewBackground(stroke=None))
    # As SVG its words are text that the page's style sheet can colour for either theme.
    return charts.spec_of(drawing) | {"usermeta": {"embedOptions": {"renderer": "svg"}}}


def _labels(base: alt.Chart, letters: str) -> alt.Chart:
    """The words under the blocks, as an axis.

    On a narrow screen it leaves out the shapes, so that every block keeps its name; where these
    would still run into each other, every second one.
    """
    words_of = "slice(split(datum.value, '|'), 1)"
    place = f"{USUAL} * {_PLACE} / ({letters})"  # as wide as it is for letters of the usual size
    axis = alt.Axis(
        title=None,
        orient="bottom",
        domain=False,
        ticks=False,
        labelAngle=0,
        labelExpr=f"{place} < {SHAPE_FITS} ? split({words_of}[0], ' ') : {words_of}",
        labelFontSize=alt.expr(f"({letters}) - ({place} < {TITLE_FITS} ? 2 : 0)"),
        labelOverlap="parity",
        labelFlush=False,
    )
    places = alt.X("label:N", axis=axis, scale=alt.Scale(padding=0))
    return base.mark_bar(opacity=0).encode(x=places, tooltip=alt.value(None))


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
                "FLOPs": layer.flops,
            }
            for layer in layers
        ]
    )
