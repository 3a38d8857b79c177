"""Two runs' networks over each other, and what each layer costs."""

from __future__ import annotations

import streamlit as st

from cnnlab import analysis, charts, words
from cnnlab.spec import RunCard
from cnnlab.ui import tables


def show(cards: tuple[RunCard, RunCard], names: tuple[str, str]) -> None:
    """The drawing and its table; nothing where both have the same layers."""
    if not analysis.differ(*cards):
        return
    found = analysis.matched(*cards)
    st.subheader("The two networks", anchor=False)
    st.caption(tables.plain(_said(found, names)))
    frame = analysis.drawn_frame(found, names)
    alt = charts.alt_text("networks")
    st.vega_lite_chart(charts.packed(frame), charts.networks_spec(), key="networks", alt=alt)
    with st.expander("Layer by layer", icon=":material/table_rows:"):
        st.dataframe(
            analysis.layers_frame(found, names),
            hide_index=True,
            height="auto",
            placeholder=words.UNKNOWN,
            alt="Both networks layer by layer: parameters, FLOPs, and time where it was profiled.",
        )
        if not all(card.profile for card in cards):
            st.caption(
                "Times by layer come from a profile: the button on a run's own page takes one."
            )


def _said(found: list[analysis.Match], names: tuple[str, str]) -> str:
    """Both networks whole, and in how many layers they differ."""
    apart = sum(match.state != "the same" for match in found)
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
