"""Charts: each function names a chart and returns its Vega-Lite spec, built once, without data.

A page sends a tidy frame beside it: `st.vega_lite_chart(packed(frame), spec, key=..., alt=...)`.
Nothing in a spec depends on live values, so the browser keeps its view and only swaps the data.
With `**KEEP_ZOOM` added it also keeps the zoom: Streamlit forgets a zoom when data change, unless
the chart's zoom is a selection that it knows (the frontend's `useVegaEmbed`).
"""

from cnnlab.charts.anatomy import ROOFS, roofline_spec, step_parts_spec
from cnnlab.charts.answers import (
    CELL,
    COLUMNS,
    PICTURE,
    Runs,
    bars_spec,
    by_class_spec,
    confusion_spec,
    pictures_spec,
    reliability_spec,
)
from cnnlab.charts.bets import bets_spec
from cnnlab.charts.colours import (
    ACCELERATOR,
    CPU,
    IDENTITIES,
    PLACES,
    REFERENCE,
    REFERENCES,
    Theme,
    run_colours,
    run_places,
    swatch,
)
from cnnlab.charts.descriptions import ALT_TEXT, alt_text
from cnnlab.charts.dress import (
    AXIS_TITLES,
    BEFORE,
    GROUND,
    INK,
    KEEP_ZOOM,
    LETTERS,
    SOURCE,
    TALLEST,
    WINDOW,
    ZOOM_HINT,
    Spec,
    by_window,
    inked,
    packed,
    spec_of,
    with_data,
)
from cnnlab.charts.front import PICKED, front_spec
from cnnlab.charts.gliding import FAR, GLIDE
from cnnlab.charts.grid import SELECTED, cells_spec, ratio_spec
from cnnlab.charts.ladder import rungs_spec, waterfall_spec
from cnnlab.charts.networks import networks_spec
from cnnlab.charts.one_run import (
    curve_spec,
    gap_spec,
    memory_spec,
    step_histogram_spec,
    step_times_spec,
    throughput_spec,
)
from cnnlab.charts.parallel import parallel_spec
from cnnlab.charts.race import pairs_spec
from cnnlab.charts.sequences import MOST_FEATURES, pull_spec, signal_spec
from cnnlab.charts.several_runs import (
    MEASURES,
    NAMED_RUNS,
    comparison_spec,
    ledger_spec,
    overlay_spec,
)

__all__ = [
    "ACCELERATOR",
    "ALT_TEXT",
    "AXIS_TITLES",
    "BEFORE",
    "CELL",
    "COLUMNS",
    "CPU",
    "FAR",
    "GLIDE",
    "GROUND",
    "IDENTITIES",
    "INK",
    "KEEP_ZOOM",
    "LETTERS",
    "MEASURES",
    "MOST_FEATURES",
    "NAMED_RUNS",
    "PICKED",
    "PICTURE",
    "PLACES",
    "REFERENCE",
    "REFERENCES",
    "ROOFS",
    "SELECTED",
    "SOURCE",
    "TALLEST",
    "WINDOW",
    "ZOOM_HINT",
    "Runs",
    "Spec",
    "Theme",
    "alt_text",
    "bars_spec",
    "bets_spec",
    "by_class_spec",
    "by_window",
    "cells_spec",
    "comparison_spec",
    "confusion_spec",
    "curve_spec",
    "front_spec",
    "gap_spec",
    "inked",
    "ledger_spec",
    "memory_spec",
    "networks_spec",
    "overlay_spec",
    "packed",
    "pairs_spec",
    "parallel_spec",
    "pictures_spec",
    "pull_spec",
    "ratio_spec",
    "reliability_spec",
    "roofline_spec",
    "run_colours",
    "run_places",
    "rungs_spec",
    "signal_spec",
    "spec_of",
    "step_histogram_spec",
    "step_parts_spec",
    "step_times_spec",
    "swatch",
    "throughput_spec",
    "waterfall_spec",
    "with_data",
]
