"""What else is known of a run: where its time went, its spec, its data and its machine."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

import streamlit as st

from cnnlab import analysis, charts, words
from cnnlab.analysis import durations, facts_of
from cnnlab.spec import DatasetFacts, RunCard
from cnnlab.ui import prepared, tables
from cnnlab.ui.achieved import achieved
from cnnlab.ui.colours import inked
from cnnlab.ui.earlier import earlier
from cnnlab.ui.run.state import RunState


def details(state: RunState) -> None:
    card = state.card
    parts: dict[str, Callable[[RunCard], None]] = {
        "Where the time went": _where_time_went,
        "Spec": lambda card: _facts(card.spec),
        "Network": lambda card: _facts(card.model),
        "Data set": lambda card: _data(card.dataset),
        "Device and environment": _environment,
    }
    with st.expander("Everything known about this run", icon=":material/list_alt:"):
        for tab, draw in zip(st.tabs(list(parts)), parts.values(), strict=True):
            with tab:
                draw(card)


def _where_time_went(card: RunCard) -> None:
    ledger(card)
    for sentence in achieved(card):
        st.write(tables.plain(sentence))
    known = earlier(card.device.used, card.created_at) if card.device else []
    guess = durations.estimate_before(card, known)
    if guess and card.timing.fit_seconds is not None:
        st.write(
            f"Judging by {guess.basis}, the training was to take {words.duration(guess.seconds)}; "
            f"it took {words.duration(card.timing.fit_seconds)}."
        )


def ledger(*cards: RunCard) -> None:
    """Bars of where each run's wall time went."""
    frame = analysis.ledger(cards)
    names = tables.labels(cards)
    by_id = {card.run_id: name for card, name in zip(cards, names, strict=True)}
    if without := _without_bars(cards, names, set(frame["run"])):
        st.caption(tables.plain(without))
    if frame.empty:
        return
    frame["run"] = frame["run"].map(by_id)
    key = "ledger-" + "-".join(by_id)
    spec = charts.ledger_spec(tuple(names), tuple(analysis.phases_of(cards)))
    st.vega_lite_chart(frame, inked(spec), key=key, alt=charts.alt_text("ledger"))


def _without_bars(cards: Sequence[RunCard], names: Sequence[str], measured: Container[str]) -> str:
    """Which runs have no bar, and why; empty if each has one."""
    missing = [name for card, name in zip(cards, names, strict=True) if card.run_id not in measured]
    if not missing:
        return ""
    if len(cards) > 1:
        return (
            f"No bar for {', '.join(missing)}: phases of a run that was resumed, or that ended "
            "early, are not known."
        )
    if cards[0].timing.resumed_after:
        return "It was resumed, so how long its phases took is not known."
    return "The phases of this run were not measured."


def _facts(record: Any) -> None:
    if record is None:
        st.caption("Not known: the run ended before.")
        return
    st.dataframe(tables.facts_table(facts_of(record)), hide_index=True)


def _data(facts: DatasetFacts | None) -> None:
    for warning in facts.warnings if facts else ():
        st.warning(tables.plain(warning), icon=":material/warning:")
    _facts(facts)
    if facts:
        prepared.told(facts.understood, facts.kind)


def _environment(card: RunCard) -> None:
    device = card.device.model_dump(mode="json") if card.device else {}
    energy = {"energy": card.energy.model_dump(mode="json")}
    st.dataframe(tables.facts_table(device | card.environment | energy), hide_index=True)
