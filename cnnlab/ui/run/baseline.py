"""The run that stands as a ghost behind another: the last like it, or one that was pinned."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from cnnlab.history import RunSummary
from cnnlab.spec import Epoch, LabError, RunCard
from cnnlab.ui.lab import history

PINNED = "pinned_run"
"""In the session of a browser: the run that it holds all others against."""


@dataclass(frozen=True)
class Baseline:
    """What a run is held against while it trains."""

    run_id: str
    name: str
    images_per_second: float | None
    epochs: tuple[Epoch, ...]


def of_run(card: RunCard) -> Baseline | None:
    """What a run is held against: what this browser pinned, else the last like it; None: nothing.

    Raises:
        LabError: the history cannot be read.
    """
    pinned = _pinned(card)
    if pinned:
        return pinned
    if not (like := _like(card)):
        return None
    (run,) = like
    rate = run.timing.images_per_second
    return Baseline(run.run_id, run.name, rate, history().epochs([run.run_id])[run.run_id])


def _pinned(card: RunCard) -> Baseline | None:
    run_id = st.session_state.get(PINNED)
    if run_id is None or run_id == card.run_id:
        return None
    try:
        other = history().card(run_id, steps=False)
    except LabError:  # it was deleted meanwhile
        del st.session_state[PINNED]
        return None
    rate = other.timing.images_per_second
    same = other.spec.dataset == card.spec.dataset
    return Baseline(run_id, other.name, rate, other.epochs) if same else None


def _like(card: RunCard) -> list[RunSummary]:
    """The last run before this one on the same data that nobody cut short, if there is one."""
    return history().summaries(
        trained_on=card.spec.dataset,
        whole=True,
        here=True,
        before=card.created_at,
        limit=1,
    )


def pin_button(card: RunCard) -> None:
    """Let this browser hold all later runs against this one, or no longer."""
    pinned = st.session_state.get(PINNED) == card.run_id
    st.button(
        "Unpin" if pinned else "Pin as baseline",
        key=f"pin-{card.run_id}",
        icon=":material/keep_off:" if pinned else ":material/keep:",
        type="tertiary",
        on_click=_pin,
        args=(None if pinned else card.run_id,),
    )


def _pin(run_id: str | None) -> None:
    st.session_state[PINNED] = run_id
