"""What the address of a race holds: its runs, and who stands beside them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlab import race
from cnnlab.spec import RunCard
from cnnlab.ui import lab, rights

RUNS, AGAINST = "runs", "against"


def in_the_link() -> list[str]:
    """The ids of the runs that the address names."""
    named = dict.fromkeys(st.query_params.get(RUNS, "").split(","))
    return [part for part in named if part][: 2 * race.MOST_REPEATS]


def card_of(run_id: str) -> RunCard:
    return lab.history().card(run_id, steps=False)


def withdraw(run_ids: Sequence[str]) -> None:
    """Stop runs, the waiting ones first, so that none of them begins meanwhile."""
    for run_id in reversed(run_ids):
        rights.attempt(lab.stop, run_id)
