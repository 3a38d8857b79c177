"""Sweeps on a page: choose one, watch it, and read where which device pays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import streamlit as st

from cnnlab import analysis, charts, words
from cnnlab.analysis import Grid
from cnnlab.history import SweepRecord
from cnnlab.runner.sweep_job import SweepSnapshot
from cnnlab.spec import LabError, SweepStatus
from cnnlab.sweep import AXES, PROBE
from cnnlab.ui import lab, live, rights, tables
from cnnlab.ui.colours import inked
from cnnlab.ui.explore import form as explore_form
from cnnlab.ui.explore import grid as explore_grid
from cnnlab.ui.explore import sweeps
from cnnlab.ui.explore.grid import Sweep

SWEEP, AGAINST = "sweep", "against"
REFRESH_SECONDS = 1.0
SIGNS = {
    SweepStatus.QUEUED: "waits for its turn",
    SweepStatus.RUNNING: "is being measured",
    SweepStatus.PAUSED: "is paused",
    SweepStatus.FINISHED: "is finished",
    SweepStatus.STOPPED: "was stopped",
    SweepStatus.FAILED: "failed",
    SweepStatus.INTERRUPTED: "was interrupted",
}


def show() -> None:
    """Everything on the page."""
    known = explore_grid.known()
    linked = st.query_params.get(SWEEP)
    if linked and linked not in known:
        st.warning(
            f"There is no sweep {tables.plain(linked[:40])} here.", icon=":material/link_off:"
        )
    if not known:
        st.info(
            "Nothing has been swept yet. Start the sweep below: its coloured maps appear here "
            "cell by cell, with the line at which one device overtakes the other, and that line "
            "in one sentence.",
            icon=":material/grid_view:",
        )
    chosen = _choose(known) if known else None
    with st.expander("A new sweep", icon=":material/add:", expanded=not known):
        started = explore_form.show()
    if started:
        st.query_params[SWEEP] = started
        st.rerun()
    if chosen:
        going = chosen.kept is not None and not chosen.kept.status.over
        beside = _choose_beside(chosen, known)
        live.every(REFRESH_SECONDS if going else None, _sweep, chosen, beside)


def _choose(known: dict[str, Sweep]) -> Sweep:
    """Let the reader choose a sweep; the address keeps the choice."""
    linked = st.query_params.get(SWEEP)
    names = list(known)
    # Not bound by a key alone: a sweep that was just started is chosen by its address.
    found = st.selectbox(
        "Sweep",
        names,
        index=names.index(linked) if linked in known else 0,
        format_func=lambda key: f"{known[key].title} ({key})",
    )
    st.query_params[SWEEP] = found
    return known[found]


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
    options = ["", *fitting]
    chosen = st.selectbox(
        "Beside it",
        options,
        index=options.index(linked) if linked in options else 0,
        format_func=lambda key: f"{known[key].title} ({key})" if key else "No other sweep",
        help="Another sweep over the same axes, made here or brought in from another machine.",
    )
    if not chosen:
        st.query_params.pop(AGAINST, None)
        return None
    st.query_params[AGAINST] = chosen
    return fitting[chosen]


def _readable(other: Sweep) -> Grid | None:
    try:
        return explore_grid.grid(other)
    except LabError:
        return None


def _sweep(shown: Sweep, beside: Sweep | None) -> None:
    """One sweep: how it stands, then what it came to, beside another one perhaps."""
    if shown.kept:
        now = lab.history().sweeps.get(shown.sweep_id)
        if now.status != shown.kept.status:
            st.rerun()  # the whole page, once: the clock of this part starts or stops
        _state(now)
    try:
        grid = explore_grid.grid(shown)
        if beside:
            name = beside.origin or beside.sweep_id
            grid = explore_grid.beside(grid, explore_grid.grid(beside), name)
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")
        return
    _picture(grid)


# --- how it stands --------------------------------------------------------------------------


def _state(record: SweepRecord) -> None:
    """Progress and time to go while it is measured, and the buttons that its state allows."""
    snapshot = lab.sweep_snapshot(record.sweep_id)
    with st.container(horizontal=True, vertical_alignment="center", key="sweep-state"):
        with st.container(width="stretch"):
            if snapshot:
                st.progress(_share(snapshot), text=_progress_text(snapshot))
            else:
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


# --- what it came to ------------------------------------------------------------------------


def _picture(grid: Grid) -> None:
    """The sentence, the ratio, the times, and the cells as a table."""
    devices = grid.devices
    pair = _pair(devices)
    st.subheader(tables.plain(_headline(grid, pair or devices[:1])), anchor=False)
    if not any(point.us_per_image or point.error for point in grid.points):
        return  # nothing to draw or to list: axes without cells say less than the sentence
    if pair:
        _ratio(grid, *pair)
    maps = st.grid(2 if len(devices) > 1 else 1, min_column_width=320)
    for device in devices:
        with maps.cell():
            _times(grid, device)
    if any(point.noisy for point in grid.points):
        st.caption("~ marks a cell whose figure is noisy: not found again within 5 %.")
    with st.expander("As a table", icon=":material/table_rows:"):
        _table(grid)


def _headline(grid: Grid, devices: Sequence[str]) -> str:
    """What the grid comes to; the calibration's networks are too unlike to be ranked."""
    if len(devices) == 1 and grid.sides[0].title == AXES[PROBE].title:
        return f"What small networks take on {devices[0]}; the Hardware page says what pays."
    return analysis.summary(grid, *devices)


def _pair(devices: tuple[str, ...]) -> tuple[str, str] | None:
    """Which two devices are held against each other; the reader chooses where there are more."""
    pairs = list(combinations(devices, 2))
    if len(pairs) < 2:
        return pairs[0] if pairs else None
    return st.selectbox(
        "Which against which", pairs, format_func=lambda pair: f"{pair[1]} against {pair[0]}"
    )


def _axes(grid: Grid) -> tuple[tuple[str, tuple[str, ...]], tuple[str, tuple[str, ...]]]:
    """Title and labels of the axes along the bottom and upwards."""
    found = [
        (side.title, tuple(words.count(v) if isinstance(v, int) else v for v in side.values))
        for side in grid.sides
    ]
    none: tuple[str, tuple[str, ...]] = ("", ("",))
    if grid.downwards:
        title, labels = found[0]
        return none, (title, labels[::-1])
    return found[0], found[1] if len(found) > 1 else none


def _times(grid: Grid, device: str) -> None:
    st.markdown(f"**Time per {grid.thing}: {tables.plain(device)}**")
    frame = analysis.times_frame(grid, device)
    _chart(
        f"times {device}",
        charts.times_spec(*_axes(grid)),
        {"source": charts.packed(frame)},
        f"Heat map of the time per {grid.thing} on {device}. {analysis.summary(grid, device)}",
        grid,
        (device,),
    )


def _ratio(grid: Grid, first: str, second: str) -> None:
    ratios = analysis.ratio_frame(grid, first, second)
    if ratios.empty:
        return
    st.markdown(
        f"**How many times as fast: {tables.plain(second)}, against {tables.plain(first)}**"
    )
    border = analysis.border_frame(ratios)
    _chart(
        "ratio",
        charts.ratio_spec(*_axes(grid)),
        {"source": charts.packed(ratios), "border": charts.packed(border)},
        f"Heat map of how many times as fast {second} is as {first}, with the break-even line. "
        f"{analysis.summary(grid, first, second)}",
        grid,
        (first, second),
    )
    st.caption(
        "Above 1, orange: the second is faster; below 1, blue: the first. The line runs "
        "between them; a cell with ≈ is within the noise of its measurements. Choose a cell to "
        "see its runs."
    )


def _chart(
    key: str,
    spec: charts.Spec,
    data: dict[str, object],
    says: str,
    grid: Grid,
    devices: tuple[str, ...],
) -> None:
    """A heat map; below it the runs of the cell that was clicked."""
    event = st.vega_lite_chart(
        None,
        inked(spec) | {"datasets": data},
        key=f"grid {key}",
        alt=says,
        on_select="rerun",
        selection_mode=charts.SELECTED,
    )
    for picked in event["selection"].get(charts.SELECTED, []):
        for point in grid.points:
            if point.device in devices and analysis.place_text(grid, point.place) == picked.get(
                "cell"
            ):
                _runs(grid, point)


def _runs(grid: Grid, point: analysis.Point) -> None:
    place = analysis.place_text(grid, point.place)
    if not point.run_ids:
        st.caption(f"{tables.plain(place)}: {tables.plain(point.error or 'not measured yet')}")
    for run_id in point.run_ids:
        st.page_link(
            "pages/train.py",
            label=f"Run {run_id}: {tables.plain(place)} on {tables.plain(point.device)}",
            icon=":material/open_in_new:",
            query_params={"run": run_id},
        )


def _table(grid: Grid) -> None:
    number = st.column_config.NumberColumn
    rows = [
        {
            **{side.title: value for side, value in zip(grid.sides, point.place, strict=True)},
            "Device": point.device,
            f"µs per {grid.thing}": point.us_per_image and tables.three_digits(point.us_per_image),
            "Parameters": point.parameters,
            "Noisy": "yes" if point.noisy else "",
            "Run": f"/train?run={point.run_ids[0]}" if point.run_ids else None,
            "Why not": point.error or "",
        }
        for point in grid.points
    ]
    st.dataframe(
        rows,
        hide_index=True,
        column_config={
            f"µs per {grid.thing}": number(format="localized"),
            "Parameters": number(format="localized"),
            "Run": st.column_config.LinkColumn(display_text="open"),
        },
        alt="The cells of the sweep with their times.",
    )
