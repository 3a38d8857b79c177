"""What is kept of what runs learn: the rule in words, the room it may take, and its part of the
gate (see `ui.lab`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO

import streamlit as st

from cnnlab import learned, words
from cnnlab.learned import Settings
from cnnlab.spec import LabError
from cnnlab.ui import rights, tables
from cnnlab.ui.lab import history
from cnnlab.ui.rights import presenters_only

FILM, TOTAL = "kept.film_mb", "kept.total_mb"


# --- the gate -------------------------------------------------------------------------------


@presenters_only
def set_limits(film_mb: int, total_mb: int) -> None:
    """Say how much room may be taken, and take no more from now on.

    Raises:
        LabError: as all of the gate; it cannot be written.
    """
    learned.write_settings(Settings(film_mb=film_mb, total_mb=total_mb))
    learned.tidy(history())


@presenters_only
def delete(run_id: str) -> None:
    """Set a run that is over aside, and what it has learnt."""
    history().delete(run_id)
    learned.set_aside(run_id)


@presenters_only
def restore(run_id: str) -> None:
    """Bring a deleted run back, and what it has learnt."""
    history().restore(run_id)
    learned.bring_back(run_id)


@presenters_only
def bring_in_learned(packed: IO[bytes], file_name: str, ids: Mapping[str, str]) -> int:
    """Take in what runs have learnt, which another lab has packed; of how many runs.

    Args:
        ids: of the runs whose cards came along: in their lab, and here. Others must be here under
            their own.

    Raises:
        LabError: as all of the gate; none of its runs is here; the file is refused, or cannot be
            kept; the limit, or the history, cannot be read.
    """
    runs = learned.packed_runs(packed, file_name)
    here = {run.run_id: run.run_id for run in history().summaries(run_ids=sorted(runs))}
    known = {run_id: found for run_id, found in (here | dict(ids)).items() if run_id in runs}
    if not known:
        raise LabError(f"None of the runs of {file_name} is here: bring in their cards as well.")
    taken = learned.unpack(packed, file_name, known)
    learned.tidy(history())
    return len(taken)


# --- on the page ----------------------------------------------------------------------------

RULE = (
    "Of each run that is trained alone: its weights at the end and after its best epoch, what it "
    "answered to the validation pictures and to the test set, and a film of its weights over the "
    "epochs, of which every second, fourth, eighth … is left out until it fits. Of a race of whole "
    "trainings the first round keeps as much; short legs, sweeps and ladders keep nothing, so that "
    "nothing disturbs their times. When all of it together grows too large, what was deleted goes "
    "first, then the films of the oldest runs, then all of the oldest runs; curves and figures "
    "stay. A deleted run can be brought back for a day with what it learnt."
)


def show() -> None:
    """How much room what runs have learnt takes, by which rule, and how much it may."""
    folded = st.expander(
        "What is kept of what runs learn",
        icon=":material/inventory_2:",
        key="kept.rule",
        on_change="rerun",
    )
    if not folded.open:
        return
    with folded:
        st.write(RULE)
        try:
            limits = learned.settings()
        except LabError as error:
            st.error(tables.plain(str(error)))
            return
        used = words.size(learned.used_bytes())
        st.write(f"It takes {used} of {words.size(limits.total_mb * 1e6)} now.")
        _form(limits)


def _form(limits: Settings) -> None:
    with st.form("kept.form", border=False):
        _amount("Film of a run (MB)", limits.film_mb, 100_000, FILM)
        _amount("All runs together (MB)", limits.total_mb, 10_000_000, TOTAL)
        st.form_submit_button("Save", key="kept.save", on_click=_save, **rights.limits())


def _save() -> None:
    rights.attempt(set_limits, int(st.session_state[FILM]), int(st.session_state[TOTAL]))


def _amount(label: str, value: int, most: int, key: str) -> None:
    st.number_input(label, min_value=0, max_value=most, value=value, step=50, key=key)
