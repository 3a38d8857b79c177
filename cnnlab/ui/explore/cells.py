"""What the cells of a sweep came to: the sentence, the maps, a click that opens or trains."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import streamlit as st

from cnnlab import analysis, charts
from cnnlab.analysis import Grid
from cnnlab.sweep import AXES, PROBE
from cnnlab.ui import lead, link, tables
from cnnlab.ui.colours import inked
from cnnlab.ui.explore import grid as explore_grid
from cnnlab.ui.explore.grid import Cells

LAYER = "explore.layer"
LAYERS = {"time": "Time", "accuracy": "Accuracy"}


def picture(cells: Cells, before: str) -> None:
    """The sentence, the maps of one layer, and the cells as a table.

    Args:
        before: what is said as long as no cell has a figure.
    """
    grid = cells.grid
    if not any(point.us_per_image for point in grid.points):
        st.subheader(tables.plain(before), anchor=False)
        if any(point.error for point in grid.points):
            _table(grid)
        return  # axes without cells say less than the sentence
    devices = grid.devices
    pair = _pair(devices)
    if not _of_calibration(grid):
        lead.figure(*analysis.leading(grid, *(pair or devices[:1])))
    st.subheader(tables.plain(_headline(grid, pair or devices[:1])), anchor=False)
    if _layer() == "accuracy":
        accuracies(explore_grid.with_accuracy(cells))
        st.caption("A cell without a figure was never trained: click it to train its recipe.")
        return
    maps = st.grid(min(len(devices) + bool(pair), 3), min_column_width=320)
    if pair:
        with maps.cell():
            _ratio(cells, *pair)
    for device in devices:
        with maps.cell():
            _times(cells, device)
    noisy = any(point.noisy for point in grid.points)
    mark = " ~ marks a cell whose figure is noisy: not found again within 5 %." if noisy else ""
    opens = "open its runs, or to " if any(point.run_ids for point in grid.points) else ""
    st.caption(f"Click a cell to {opens}train its recipe.{mark}{_missing(grid)}")
    with st.expander("As a table", icon=":material/table_rows:"):
        _table(grid)


def _missing(grid: Grid) -> str:
    """How much of a grid will never be known."""
    missing = sum(point.missing for point in grid.points)
    if not missing:
        return ""
    return (
        f" {missing} of {len(grid.points)} cells were not measured: the time for it was over. "
        "Where one of two devices was not, there is no ratio."
    )


def outline(grid: Grid) -> None:
    """The cells that are going to be measured, before there is a figure in any."""
    data = {"source": charts.packed(analysis.times_frame(grid, grid.devices[0]))}
    st.vega_lite_chart(
        None,
        inked(charts.cells_spec(*_axes(grid))) | {"datasets": data},
        key="outline",
        width="stretch" if grid.downwards else "content",
        alt=f"The {len(data['source'])} cells that this sweep is going to measure, still empty.",
    )


def _layer() -> str:
    return st.segmented_control(
        "Layer",
        list(LAYERS),
        default="time",
        required=True,
        format_func=LAYERS.__getitem__,
        key=LAYER,
        label_visibility="collapsed",
    )


def accuracies(cells: Cells) -> None:
    """What the recipes of the cells learn, where they were trained; of the first device, for that
    does not depend on it."""
    grid, device = cells.grid, cells.grid.devices[0]
    st.markdown("**Validation accuracy**")
    _chart(
        "accuracy",
        charts.cells_spec(*_axes(grid)),
        {"source": charts.packed(analysis.accuracy_frame(grid, device))},
        "Heat map of the validation accuracy that the recipe of each cell came to.",
        cells,
        (device,),
    )
    st.caption("After the last epoch; the mean over the runs of one recipe.")


def _headline(grid: Grid, devices: Sequence[str]) -> str:
    """What the grid comes to."""
    if _of_calibration(grid):
        return f"What small networks take on {devices[0]}; the Hardware page says what pays."
    return analysis.summary(grid, *devices)


def _of_calibration(grid: Grid) -> bool:
    """Its networks are too unlike to be ranked on one device."""
    return len(grid.devices) == 1 and grid.sides[0].title == AXES[PROBE].title


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
    found = [(side.title, tuple(map(analysis.value_text, side.values))) for side in grid.sides]
    none: tuple[str, tuple[str, ...]] = ("", ("",))
    if grid.downwards:
        title, labels = found[0]
        return none, (title, labels[::-1])
    return found[0], found[1] if len(found) > 1 else none


def _times(cells: Cells, device: str) -> None:
    grid = cells.grid
    st.markdown(f"**Time per {grid.thing}: {tables.plain(device)}**")
    _chart(
        f"times {device}",
        charts.cells_spec(*_axes(grid)),
        {"source": charts.packed(analysis.times_frame(grid, device))},
        f"Heat map of the time per {grid.thing} on {device}. {analysis.summary(grid, device)}",
        cells,
        (device,),
    )


def _ratio(cells: Cells, first: str, second: str) -> None:
    grid = cells.grid
    ratios = analysis.ratio_frame(grid, first, second)
    if ratios.empty:
        return
    st.markdown(f"**{tables.plain(second)} against {tables.plain(first)}, times as fast**")
    border = analysis.border_frame(ratios)
    _chart(
        "ratio",
        charts.ratio_spec(*_axes(grid)),
        {"source": charts.packed(ratios), "border": charts.packed(border)},
        f"Heat map of how many times as fast {second} is as {first}, with the break-even line. "
        f"{analysis.summary(grid, first, second)}",
        cells,
        (first, second),
    )
    st.caption(
        f"Orange: {tables.plain(second)} is faster; blue: {tables.plain(first)}; ≈ within the "
        "noise of the measurements."
    )


def _chart(
    key: str,
    spec: charts.Spec,
    data: dict[str, object],
    says: str,
    cells: Cells,
    devices: tuple[str, ...],
) -> None:
    """A heat map; below it what the cell that was clicked opens."""
    grid = cells.grid
    event = st.vega_lite_chart(
        None,
        inked(spec) | {"datasets": data},
        key=f"grid {key}",
        width="stretch" if grid.downwards else "content",
        alt=says,
        on_select="rerun",
        selection_mode=charts.SELECTED,
    )
    chosen = {picked.get("cell") for picked in event["selection"].get(charts.SELECTED, [])}
    for point in grid.points:
        if point.device in devices and analysis.place_text(grid, point.place) in chosen:
            _open(cells, point)


def _open(cells: Cells, point: analysis.Point) -> None:
    """The runs of a cell, and a way to train its recipe."""
    place = tables.plain(analysis.place_text(cells.grid, point.place))
    on = f" on {tables.plain(point.device)}" if point.device else ""
    if not point.run_ids and not point.us_per_image:
        why = point.error or ("not measured" if point.missing else "not measured yet")
        st.caption(f"{place}: {tables.plain(why)}")
    for run_id in point.run_ids:
        st.page_link(
            "pages/train.py",
            label=f"Run {run_id}: {place}{on}",
            icon=":material/open_in_new:",
            query_params={"run": run_id},
        )
    spec = cells.recipes.get((point.place, point.device))
    if spec:
        st.page_link(
            "pages/train.py",
            label=f"Train this recipe{on and ': '}{tables.plain(point.device)}",
            icon=":material/model_training:",
            query_params=link.encode(spec),
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
            "Why not": point.error or ("not measured" if point.missing else ""),
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
