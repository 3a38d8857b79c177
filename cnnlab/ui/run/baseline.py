"""The run that stands as a ghost behind another: the last like it, or one that was pinned."""

from __future__ import annotations

import streamlit as st

from cnnlab.spec import LabError, RunCard
from cnnlab.ui.lab import history

PINNED = "pinned_run"
"""In the session of a browser: the run that it holds all others against."""


def of_run(card: RunCard) -> RunCard | None:
    """What a run is held against: what this browser pinned, else the last like it; None: nothing.

    Raises:
        LabError: the history cannot be read.
    """
    return _pinned(card) or _like(card)


def _pinned(card: RunCard) -> RunCard | None:
    run_id = st.session_state.get(PINNED)
    if run_id is None or run_id == card.run_id:
        return None
    try:
        other = history().card(run_id, steps=False)
    except LabError:  # it was deleted meanwhile
        del st.session_state[PINNED]
        return None
    return other if other.spec.dataset == card.spec.dataset else None


def _like(card: RunCard) -> RunCard | None:
    """The last run before this one on the same data that nobody cut short, if there is one."""
    before = history().summaries(
        trained_on=card.spec.dataset,
        whole=True,
        here=True,
        before=card.created_at,
        limit=1,
    )
    return history().card(before[0].run_id, steps=False) if before else None


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
