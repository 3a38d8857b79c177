"""What the screens for a room draw."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import streamlit as st

from cnnlab import analysis, charts, room
from cnnlab import race as racing
from cnnlab.models import Layer
from cnnlab.room import Book
from cnnlab.ui import address, network
from cnnlab.ui.colours import inked, palette
from cnnlab.ui.race import bets
from cnnlab.ui.race import lanes as race_lanes
from cnnlab.ui.race.entrants import Race
from cnnlab.ui.room.letters import EDGE, enlarged
from cnnlab.ui.run.charts import table
from cnnlab.ui.run.state import RunState, shared

BESIDE = 24
"""Pixels beside the network: the words under the outermost blocks are wider than those."""
Named = Sequence[tuple[RunState, str]]


def accuracy(runs: Named) -> None:
    """The accuracy of a run, or of several in one chart, epoch by epoch."""
    key = "-".join(state.card.run_id for state, _ in runs)
    if len(runs) == 1:
        ((state, _),) = runs
        until = None if state.card.status.over else float(state.card.spec.epochs)
        colour = palette().of_run(state.card)
        spec = charts.curve_spec("accuracy", "epoch", colour, charts.TALLEST, until)
        _chart("accuracy", shared(state.series, "stage", lambda: table(_curve(state))), spec, key)
        return
    given = palette().of_runs([state.card for state, _ in runs])
    colours = tuple((name, given[state.card.run_id]) for state, name in runs)
    frame = analysis.overlay({name: _curve(state) for state, name in runs})
    spec = charts.overlay_spec("accuracy", "epoch", colours)
    _chart("overlay_accuracy", table(frame), spec, key)


def _curve(state: RunState) -> pd.DataFrame:
    both = analysis.curves(
        state.series, state.card.epochs, state.steps_per_epoch, "epoch", state.points
    )
    return analysis.only(both, "accuracy")


def race(shown: Race, book: Book | None, ratio: float | None) -> None:
    """What was bet on a race, with the ratio so far; where nobody bet, its pairs; before there is
    one, its lanes."""
    if book and book.bets:
        frame = charts.packed(room.dots_frame(book.all, ratio))
        _chart("bets", frame, bets.spec(), f"{shown.race_id}-bets")
        return
    lanes = shown.lanes
    frame = racing.pairs_frame(lanes)
    if frame.empty:
        _lanes(shown)
        return
    spec = charts.pairs_spec(lanes[0].title, len(lanes) - 1, racing.LEVEL)
    _chart("race_pairs", charts.packed(frame), spec, shown.race_id)


def _lanes(shown: Race) -> None:
    if shown.over:
        race_lanes.show(shown)
        return
    found = race_lanes.entries(shown)
    race_lanes.drive(shown, found, race_lanes.clock(found))


def code(url: str) -> None:
    """The QR code of an address."""
    st.html(address.code(url))


def blocks(layers: Sequence[Layer]) -> None:
    """The network."""
    spec = enlarged(network.chart(layers, f"({charts.LETTERS} + 2)"))
    spec |= {"padding": EDGE | {"left": BESIDE, "right": BESIDE}}
    data = charts.packed(network.frame(layers))
    alt = network.alt_text(layers)
    st.vega_lite_chart(data, spec, height="stretch", key="stage-blocks", alt=alt)


def _chart(name: str, data: pa.Table, spec: charts.Spec, key: str) -> None:
    alt = charts.alt_text(name)
    key = f"stage-{name}-{key}"
    st.vega_lite_chart(data, enlarged(inked(spec)), height="stretch", key=key, alt=alt)
