"""Sweeps that time their cells: choose one, watch it, and read where which device pays."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cnnlab import words
from cnnlab.analysis import Grid
from cnnlab.history import SweepRecord
from cnnlab.runner.sweep_job import SweepSnapshot
from cnnlab.spec import LabError, SweepStatus
from cnnlab.ui import lab, live, rights, tables
from cnnlab.ui.explore import cells, sweeps
from cnnlab.ui.explore import form as explore_form
from cnnlab.ui.explore import grid as explore_grid
from cnnlab.ui.explore.chosen import AGAINST, SWEEP, choose, new_sweep
from cnnlab.ui.explore.grid import Sweep

REFRESH_SECONDS = 1.0
SIGNS = {
    SweepStatus.QUEUED: "waits for its turn",
    SweepStatus.RUNNING: "is being measured",
    SweepStatus.PAUSED: "is paused",
    SweepStatus.STOPPED: "was stopped",
    SweepStatus.FAILED: "failed",
    SweepStatus.INTERRUPTED: "was interrupted",
}


def show(row: DeltaGenerator) -> None:
    """Everything on the page; which sweep is chosen in a row above it."""
    known = explore_grid.known()
    linked = st.query_params.get(SWEEP)
    if linked and linked not in known:
        st.warning(
            f"There is no sweep {tables.plain(linked[:40])} here.", icon=":material/link_off:"
        )
    chosen = choose(known, row)
    none_own = all(one.recorded for one in known.values())
    if none_own and not linked:
        st.query_params.pop(SWEEP, None)  # nobody asked for it: the address is of no sweep yet
    own = " of your own: its map appears here, cell by cell" if none_own else ""
    with new_sweep(f"A new sweep{own}", folded=True):
        explore_form.show(outlined=none_own)
    going = chosen.kept is not None and not chosen.kept.status.over
    beside = _choose_beside(chosen, known)
    live.every(REFRESH_SECONDS if going else None, _sweep, chosen, beside)


def _choose_beside(shown: Sweep, known: dict[str, Sweep]) -> Sweep | None:
    """Let the reader lay another sweep over the same axes beside this one."""
    grid = _readable(shown)
    others = [other for key, other in known.items() if key != shown.sweep_id]
    fitting = {
        other.sweep_id: other
        for other in others
        if grid and (found := _readable(other)) and explore_grid.alike(grid, found)
    }
    if not fitting:
        return None
    linked = st.query_params.get(AGAINST, "")
    labels = tables.apart({key: known[key].title for key in fitting}) | {"": "No other sweep"}
    options = ["", *fitting]
    chosen = st.selectbox(
        "Beside it",
        options,
        index=options.index(linked) if linked in options else 0,
        format_func=labels.__getitem__,
        help="Another sweep over the same axes: made here, brought in, or recorded elsewhere.",
        width=520,
    )
    if not chosen:
        st.query_params.pop(AGAINST, None)
        return None
    st.query_params[AGAINST] = chosen
    return fitting[chosen]


def _readable(other: Sweep) -> Grid | None:
    try:
        return explore_grid.cells_of(other).grid
    except LabError:
        return None


def _sweep(shown: Sweep, beside: Sweep | None) -> None:
    """One sweep: how it stands, then what it came to, beside another one perhaps."""
    now = None
    if shown.recorded:
        st.caption(
            f"{tables.plain(shown.title)}. It came with the lab and was not measured here; your "
            "own sweep over the same axes can be laid beside it."
        )
    if shown.kept:
        now = lab.history().sweeps.get(shown.sweep_id)
        if now.status != shown.kept.status:
            live.anew()  # the clock of this part starts or stops
        _state(now)
    try:
        found = explore_grid.cells_of(shown)
        if beside:
            name = beside.origin or beside.machine or beside.sweep_id
            found = explore_grid.beside(found, explore_grid.cells_of(beside), name)
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")
        return
    cells.picture(found, _before_the_first(found.grid, now))


# --- how it stands --------------------------------------------------------------------------


def _before_the_first(grid: Grid, record: SweepRecord | None) -> str:
    """Why no cell has a figure yet, and what brings one."""
    cells = len(grid.points)
    every = "its one cell" if cells == 1 else f"its {words.count(cells)} cells"
    if record is None:
        return "None of its cells was measured where it was made."
    if sum(bool(point.error) for point in grid.points) == cells:
        return "No cell could be measured; the table says why."
    if not record.status.over:
        return f"A figure appears here as soon as one of {every} is measured."
    if record.status is SweepStatus.FINISHED:
        budget = words.duration(record.plan.budget_seconds)
        return (
            f"{budget} were too short to measure one of {every}: "
            "start a new sweep with more time, or with smaller networks."
        )
    return f"It ended before it had measured one of {every}: “Go on” measures them."


def _state(record: SweepRecord) -> None:
    """Progress and time to go while it is measured, and the buttons that its state allows."""
    snapshot = lab.sweep_snapshot(record.sweep_id)
    with st.container(horizontal=True, vertical_alignment="center", key="sweep-state"):
        with st.container(width="stretch"):
            if snapshot:
                st.progress(_share(snapshot), text=_progress_text(snapshot))
            elif record.status is not SweepStatus.FINISHED:
                why = f" {tables.plain(record.error)}" if record.error else ""
                st.caption(f"This sweep {SIGNS[record.status]}.{why}")
        if not record.status.over:
            _button("Pause", "pause", sweeps.pause, record)
            _button("Stop", "stop", sweeps.stop_sweep, record)
        elif record.status is not SweepStatus.FINISHED:
            _button("Go on", "play_arrow", sweeps.go_on, record)


def _button(label: str, icon: str, action: Callable[[str], None], record: SweepRecord) -> None:
    st.button(
        label,
        key=f"sweep-{icon}",
        icon=f":material/{icon}:",
        on_click=_attempt,
        args=(action, record.sweep_id),
        **rights.limits(),
    )


def _attempt(action: Callable[[str], None], sweep_id: str) -> None:
    rights.attempt(action, sweep_id)


def _share(snapshot: SweepSnapshot) -> float:
    return snapshot.done / snapshot.total if snapshot.total else 0.0


def _progress_text(snapshot: SweepSnapshot) -> str:
    if snapshot.status is SweepStatus.QUEUED:
        waits = "Waits until what is training now is done."
        return waits if lab.lab().running() else "Waits for its training process to start."
    left = f"about {tables.about(max(snapshot.seconds_left, 1))} to go"
    done = f"{snapshot.done} of {snapshot.total} cells measured"
    now = f"; now {tables.plain(snapshot.current)}" if snapshot.current else ""
    again = ", once more to be sure" if snapshot.again and snapshot.current else ""
    return f"{done}, {left}{now}{again}"
