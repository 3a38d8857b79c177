"""Sweeps: the grid that a plan means, what is measured next, and what the runs came to. Pure."""

from cnnlab.sweep.axes import AXES, AxisKind, parse_axis
from cnnlab.sweep.grid import (
    MOST_AXES,
    MOST_CELLS,
    Cell,
    cells,
    check_budget,
    least_seconds,
    plan,
    run_name,
    said,
)
from cnnlab.sweep.results import (
    CellResult,
    CellRun,
    budget_to_go_on,
    results,
    schedule_after,
    verdict,
)
from cnnlab.sweep.schedule import Figure, Measured, Schedule, Turn, drive, measured, outcome, place

__all__ = [
    "AXES",
    "MOST_AXES",
    "MOST_CELLS",
    "AxisKind",
    "Cell",
    "CellResult",
    "CellRun",
    "Figure",
    "Measured",
    "Schedule",
    "Turn",
    "budget_to_go_on",
    "cells",
    "check_budget",
    "drive",
    "least_seconds",
    "measured",
    "outcome",
    "parse_axis",
    "place",
    "plan",
    "results",
    "run_name",
    "said",
    "schedule_after",
    "verdict",
]
