"""Charts for a room: every word is sized by the window, 28 pixels or more at a projector's."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from typing import Any

import pytest

from cnnlab import charts
from cnnlab.models import layer_table
from cnnlab.spec import PRESETS
from cnnlab.ui import network
from cnnlab.ui.room.letters import LETTERS, SHARE, SIZES, SMALLEST, enlarged

LAYERS = layer_table(PRESETS["deeper"].spec.model, (32, 32, 3), 100)
DRAWN = {
    "curve": charts.curve_spec("accuracy", "epoch", "#0072B2"),
    "overlay": charts.overlay_spec("accuracy", "epoch", (("a", "#0072B2"), ("b", "#D55E00"))),
    "pairs": charts.pairs_spec("CPU", 1, 0.03),
    "bets": charts.bets_spec("#000"),
    "network": network.chart(LAYERS, f"({charts.LETTERS} + 2)"),
}
PROJECTOR = 1920


def said(part: Any, names: Collection[str]) -> Iterator[Any]:
    """What a spec says under these names, wherever in it."""
    if isinstance(part, dict):
        yield from (value for name, value in part.items() if name in names)
        for value in part.values():
            yield from said(value, names)
    elif isinstance(part, list):
        for one in part:
            yield from said(one, names)


@pytest.mark.parametrize("name", DRAWN)
def test_every_word_of_a_chart_is_sized_by_the_window(name: str) -> None:
    spec = enlarged(DRAWN[name])
    assert all(found == {"expr": charts.LETTERS} for found in said(spec, SIZES))
    assert {"axis", "legend", "text"} <= set(spec["config"])
    own = [part for part in spec["params"] if part["name"] == charts.LETTERS]
    assert own == [{"name": charts.LETTERS, "expr": LETTERS}]
    assert spec["usermeta"]["embedOptions"]["renderer"] == "svg"


def test_a_projectors_words_are_large_and_a_phones_leave_room() -> None:
    assert PROJECTOR * SHARE >= 28
    assert SMALLEST <= 16


@pytest.mark.parametrize("name", DRAWN)
def test_no_name_beside_a_chart_takes_most_of_a_phone(name: str) -> None:
    assert all(
        charts.WINDOW in found["expr"] for found in said(enlarged(DRAWN[name]), ["labelLimit"])
    )


def test_lines_and_points_are_twice_as_large() -> None:
    plain, grown = DRAWN["curve"]["layer"], enlarged(DRAWN["curve"])["layer"]
    before, after = (layers[0]["encoding"]["strokeWidth"]["scale"] for layers in (plain, grown))
    assert after["range"] == [2 * width for width in before["range"]]
    assert after["domain"] == before["domain"]
    assert grown[2]["mark"]["size"] == 4 * plain[2]["mark"]["size"]  # an area


def test_the_chart_of_the_pages_stays_as_it_was() -> None:
    before = charts.curve_spec("loss", "step", "#0072B2")
    kept = copy.deepcopy(before)
    enlarged(before)
    assert before == kept
    assert before["usermeta"]["embedOptions"]["renderer"] == "canvas"


def test_the_ink_of_the_theme_is_kept() -> None:
    spec = enlarged(charts.inked(DRAWN["curve"], "dark"))
    assert spec["config"]["axis"]["labelColor"] == charts.INK["dark"][0]
