"""Two runs side by side: who is faster, or why nobody can say."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlab import analysis, charts, words
from cnnlab.spec import LabError, RunCard
from cnnlab.ui import run_view, tables
from cnnlab.ui.lab import history
from cnnlab.ui.run_state import kept_series, read, steps_per_epoch


def show(run_ids: Sequence[str]) -> None:
    """Show two runs side by side, the CPU's first."""
    try:
        cards = [history().card(run_id, steps=False) for run_id in run_ids]
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/search_off:")
        return
    cards.sort(key=lambda card: tables.kind_of(card) != "cpu")
    first, second = cards
    _verdict(first, second)
    for card, name, column in zip(cards, tables.labels(cards), st.columns(2), strict=True):
        with column, st.container(border=True):
            _side(card, name)
    _overlays(cards)
    st.subheader("Where the time went", anchor=False)
    run_view.ledger(*cards)
    differing = tables.differences_table(cards)
    with st.expander(f"What differs ({words.count(len(differing))})", icon=":material/difference:"):
        st.dataframe(differing, hide_index=True)


def _verdict(first: RunCard, second: RunCard) -> None:
    reasons = analysis.comparability(first, second)
    if not reasons:
        st.header(analysis.verdict(first, second), anchor=False)
        return
    bullets = "\n".join(f"- {reason}" for reason in reasons)
    st.warning(f"**No fair verdict on speed, because:**\n{bullets}", icon=":material/balance:")


def _side(card: RunCard, name: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{tables.plain(name)}**", width="content")
        st.badge(str(card.status), icon=tables.SIGNS[card.status][1], color="gray")
    st.caption(f"{tables.asked_and_used(card)}.")
    last = card.epochs[-1].val_accuracy if card.epochs else None
    pace = words.number(card.timing.step_ms_median)
    with st.container(horizontal=True, gap="large"):
        st.metric("Whole fit", words.duration(card.timing.fit_seconds), width="content")
        st.metric("Step (ms)", pace, width="content")
        st.metric("Validation accuracy", words.percent(last), width="content")


def _overlays(cards: Sequence[RunCard]) -> None:
    shown = [card for card in cards if card.epochs]
    if not shown:
        return
    axis = run_view.axis_choice("pair-axis", "seconds")
    names = tables.labels(shown)
    colours = charts.run_colours({card.run_id: tables.kind_of(card) for card in shown})
    runs = tuple((name, colours[card.run_id]) for name, card in zip(names, shown, strict=True))
    frames = {
        name: analysis.curves(_steps(card), card.epochs, steps_per_epoch(card), axis)
        for name, card in zip(names, shown, strict=True)
    }
    ids = "-".join(card.run_id for card in shown)
    for metric, column in zip(analysis.METRICS, st.columns(2), strict=True):
        with column:
            both = analysis.overlay({n: analysis.only(f, metric) for n, f in frames.items()})
            run_view.chart(f"overlay_{metric}", both, charts.overlay_spec(metric, axis, runs), ids)


def _steps(card: RunCard) -> analysis.Series:
    return kept_series(card.run_id) if card.status.over else read(card).series
