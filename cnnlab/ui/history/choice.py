"""Which runs the History page lists: of this session or all, by what is asked of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import streamlit as st

from cnnlab import words
from cnnlab.history import Kind, Order, RunSummary, Tally, Which
from cnnlab.ui import tables
from cnnlab.ui.lab import history, session_name

Scope = Literal["session", "all"]
KINDS: tuple[Kind, ...] = ("cpu", "accelerator")
MOST_LISTED = 1000
"""Runs in the table: more would be read by nobody, and take the longer the older a history is."""
# A click on a heading puts that on top which the browser thinks is first, mostly the worst.
ORDERS: dict[str, Order] = {
    "Newest": "created_at",
    "Accuracy": "best_val_accuracy",
    "Step time": "step_ms_median",
    "Training time": "fit_seconds",
    "Parameters": "parameters",
}


@dataclass(frozen=True)
class Choice:
    """What the reader chose to see."""

    runs: list[RunSummary]
    """The newest first; where there are too many for the table, the first by the chosen order."""
    within: Scope
    tally: Tally
    cells: bool
    """Cells of sweeps are among them."""

    @property
    def total(self) -> int:
        """How many runs there are to choose from, before any filter."""
        return self.tally.alone + self.cells * self.tally.cells

    @property
    def narrowed(self) -> bool:
        """They are too many to be listed all."""
        return self.total > MOST_LISTED

    @property
    def what_is_left_out(self) -> str:
        """What a reader of the table is to know where they are."""
        return (
            f"The table holds the first {words.count(MOST_LISTED)} runs in this order at most, of "
            f"{words.count(self.total)}; find, status and device look through all of them."
        )


def choose() -> Choice:
    """Let the reader choose which runs are shown: of other sessions too, cells of sweeps too."""
    with st.container(horizontal=True, vertical_alignment="center", width="content"):
        within = _scope()
        session = None if within == "all" else session_name()
        tally = history().tally(session)
        cells = tally.cells > 0 and st.toggle("Show cells of sweeps", key="history.cells")
    choice = Choice([], within, tally, cells)
    asked = Which(session=session, cells=None if cells else False)
    if not choice.narrowed:
        return replace(choice, runs=history().summaries(**asked))
    return replace(choice, runs=_first_of_many(asked))


def _first_of_many(asked: Which) -> list[RunSummary]:
    """As many runs as are listed, by the filter and the order that stand above the table; of a race
    or repeats, which have one row, all runs."""
    state = st.session_state
    asked |= Which(words=state.get("history.find", ""))
    if states := state.get("history.states"):
        asked |= Which(statuses=states)
    if kinds := state.get("history.kinds"):
        asked |= Which(kinds=[kind for kind in KINDS if tables.KINDS[kind] in kinds])
    order = ORDERS[state.get("history.order", "Newest")]
    found = history().summaries(order=order, limit=MOST_LISTED, **asked)
    of_groups = {run.part.group_id for run in found if run.part}
    whole = history().summaries(group_ids=of_groups) if of_groups else []
    runs = {run.run_id: run for run in (*found, *whole)}
    return sorted(runs.values(), key=lambda run: (run.created_at, run.run_id), reverse=True)


def _scope() -> Scope:
    """This session, unless nothing was run in it."""
    begun = history().tally(session_name())
    found = st.segmented_control(
        "Show",
        options=["session", "all"],
        default="session" if begun.alone or begun.cells else "all",
        required=True,
        format_func={"session": "This session", "all": "All sessions"}.__getitem__,
        key="history.scope",
        persist_state="session",  # while the high scores are looked at, and other pages
        label_visibility="collapsed",
    )
    return "all" if found == "all" else "session"
