"""Two networks over each other, and what each layer costs."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlab import analysis, charts, words
from cnnlab.analysis import Match
from cnnlab.models import Layer
from cnnlab.spec import RunCard
from cnnlab.ui import tables
from cnnlab.ui.colours import inked


def show(cards: tuple[RunCard, RunCard], names: tuple[str, str]) -> None:
    """Those of two runs; nothing where both have the same layers."""
    if not analysis.differ(*cards):
        return
    _draw(analysis.matched(*cards), names)
    if not all(card.profile for card in cards):
        st.caption("Times by layer come from a profile: the button on a run's own page takes one.")


def show_layers(one: Sequence[Layer], other: Sequence[Layer], names: tuple[str, str]) -> None:
    """Those of two recipes that were not trained yet; nothing where both have the same layers."""
    found = analysis.matched_layers(one, other)
    if analysis.apart(found):
        _draw(found, names)


def _draw(found: list[Match], names: tuple[str, str]) -> None:
    st.subheader("The two networks", anchor=False)
    st.caption(tables.plain(_said(found, names)))
    frame = analysis.drawn_frame(found, names)
    alt = charts.alt_text("networks")
    spec = inked(charts.networks_spec())
    st.vega_lite_chart(charts.packed(frame), spec, key="networks", alt=alt)
    with st.expander("Layer by layer", icon=":material/table_rows:"):
        st.dataframe(
            analysis.layers_frame(found, names),
            hide_index=True,
            height="auto",
            placeholder=words.UNKNOWN,
            alt="Both networks layer by layer: parameters, FLOPs, and time where it was profiled.",
        )


def _said(found: list[Match], names: tuple[str, str]) -> str:
    """Both networks whole, and in how many layers they differ."""
    apart = analysis.apart(found)
    whole = [
        f"{name}: {words.count(sum(x.layer.parameters for x in layers))} parameters, "
        f"{words.scaled(sum(x.layer.flops for x in layers), 'FLOP')} an example"
        for name, layers in zip(
            names,
            ([m.first for m in found if m.first], [m.second for m in found if m.second]),
            strict=True,
        )
    ]
    layers = "1 layer" if apart == 1 else f"{apart} layers"
    return f"Above {whole[0]}; below {whole[1]}. They differ in {layers}."
