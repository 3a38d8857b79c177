"""Two networks side by side: which layers they share, which differ, and what each layer costs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile, zip_longest
from typing import Any, Literal

import pandas as pd

from cnnlab import words
from cnnlab.models import Layer, layer_table
from cnnlab.spec import RunCard

State = Literal["the same", "differs", "only here"]
UNDRAWN = frozenset({"Flatten", "Dropout", "BatchNormalization"})
"""Layers that only change numbers in passing: in the table, and no block of the drawing."""
SHORT = {"Conv2D": "Conv", "MaxPooling2D": "Pool", "GlobalAveragePooling2D": "Average"}
"""Words that fit under a block."""


@dataclass(frozen=True)
class Costed:
    """A layer, and the milliseconds of a step that it takes; None where the run has no profile."""

    layer: Layer
    ms: float | None

    @property
    def said(self) -> str:
        return f"{self.layer.kind} {self.layer.detail}".strip()


@dataclass(frozen=True)
class Match:
    """What stands at one place in both networks; None where one of them has nothing there."""

    first: Costed | None
    second: Costed | None

    @property
    def state(self) -> State:
        if not (self.first and self.second):
            return "only here"
        same = self.first.said == self.second.said
        return "the same" if same and _shapes_match(self) else "differs"


def _shapes_match(match: Match) -> bool:
    one, other = match.first, match.second
    return bool(one and other and one.layer.output_shape == other.layer.output_shape)


def costed(card: RunCard) -> list[Costed]:
    """The layers of a run, with the times of its profile; none where its data are not known."""
    if card.dataset is None:
        return []
    layers = layer_table(card.spec.model, card.dataset.image_shape, card.dataset.classes)
    times = [layer.ms for layer in card.profile.layers] if card.profile else []
    # The input, which the profile leaves out, takes no time of its own.
    known = len(times) == len(layers) - 1
    return [
        Costed(layer, times[place - 1] if known and place else None)
        for place, layer in enumerate(layers)
    ]


def matched(a: RunCard, b: RunCard) -> list[Match]:
    """The layers of two runs beside each other, by their kinds in order."""
    return list(_matches(costed(a), costed(b)))


def matched_layers(one: Sequence[Layer], other: Sequence[Layer]) -> list[Match]:
    """The layers of two networks that were not trained yet, beside each other."""
    first, second = ([Costed(layer, None) for layer in layers] for layers in (one, other))
    return list(_matches(first, second))


def _matches(one: Sequence[Costed], other: Sequence[Costed]) -> Iterator[Match]:
    """The common beginning first, so that what was added stands behind it; then the longest runs
    of equal kinds."""
    left, right = ([each.layer.kind for each in layers] for layers in (one, other))
    begin = sum(takewhile(bool, (x == y for x, y in zip(left, right, strict=False))))
    yield from map(Match, one[:begin], other[:begin])
    matcher = SequenceMatcher(None, left[begin:], right[begin:], autojunk=False)
    for _, i, j, k, m in matcher.get_opcodes():
        pairs = zip_longest(one[begin + i : begin + j], other[begin + k : begin + m])
        yield from (Match(x, y) for x, y in pairs)


def apart(matches: Sequence[Match]) -> int:
    """In how many places two networks differ."""
    return sum(match.state != "the same" for match in matches)


def differ(a: RunCard, b: RunCard) -> bool:
    """Whether there is anything to see: both networks are known, and a layer differs."""
    return bool(a.dataset and b.dataset and apart(matched(a, b)))


# --- as tables ------------------------------------------------------------------------------


def layers_frame(matches: Sequence[Match], names: tuple[str, str]) -> pd.DataFrame:
    """A row for each place: the layer, parameters, FLOPs and time in a step of both networks."""
    rows = []
    for match in matches:
        row: dict[str, Any] = {"": {"the same": ""}.get(match.state, match.state)}
        for figure in ("Layer", "Parameters", "FLOPs", "Time in a step (ms)"):
            for name, each in zip(names, (match.first, match.second), strict=True):
                row[f"{figure}: {name}"] = _figure(figure, each)
        rows.append(row)
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def _figure(figure: str, each: Costed | None) -> Any:
    if each is None:
        return None
    layer = each.layer
    return {
        "Layer": each.said,
        "Parameters": layer.parameters,
        "FLOPs": layer.flops,
        "Time in a step (ms)": each.ms,
    }[figure]


def drawn_frame(matches: Sequence[Match], names: tuple[str, str]) -> pd.DataFrame:
    """Both networks as blocks, the first above the second, for `charts.networks_spec`.

    Places have equal width from 0 to 1; blocks are as wide as the root of their channels and as
    high as their pictures, on one scale for both. A row for each block: its corners, its state,
    its words.
    """
    shown = [match for match in matches if not _undrawn(match)]
    both = [each for match in shown for each in (match.first, match.second) if each]
    widest = max((math.sqrt(each.layer.output_shape[-1]) for each in both), default=1.0)
    tallest = max((_height(each.layer) for each in both), default=1)
    rows = []
    for place, match in enumerate(shown):
        for lane, each in ((1, match.first), (-1, match.second)):
            if each:
                half = 0.42 * max(math.sqrt(each.layer.output_shape[-1]) / widest, 0.05)
                up = 0.72 * max(_height(each.layer) / tallest, 0.06)
                rows.append(
                    {
                        "left": (place + 0.5 - half) / len(shown),
                        "right": (place + 0.5 + half) / len(shown),
                        "middle": (place + 0.5) / len(shown),
                        "top": lane + up,
                        "bottom": lane - up,
                        "state": match.state,
                        "network": names[0 if lane > 0 else 1],
                        **_words_of(each),
                    }
                )
    return pd.DataFrame(rows)


def _undrawn(match: Match) -> bool:
    both = [each for each in (match.first, match.second) if each]
    return all(each.layer.kind in UNDRAWN for each in both)


def _height(layer: Layer) -> int:
    return layer.output_shape[0] if len(layer.output_shape) > 1 else 1


def _words_of(each: Costed) -> dict[str, str]:
    layer = each.layer
    sizes = layer.detail.removesuffix(layer.detail.split()[-1]) if layer.flops else layer.detail
    return {
        "layer": each.said,
        "title": f"{SHORT.get(layer.kind, layer.kind)}|{sizes.strip()}",
        "shape": " × ".join(map(str, layer.output_shape)),
        "parameters": words.count(layer.parameters),
        "flops": words.scaled(layer.flops, "FLOP"),
        "time": words.UNKNOWN if each.ms is None else f"{words.number(each.ms)} ms",
    }
