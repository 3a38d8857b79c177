"""Sweeps: the grid that a plan means, what is measured next, and what the runs came to.

Pure but for `KeptTurn`, which writes a measurement into the history that it is given.
"""

from cnnlab.sweep.axes import AXES, OFFERED, AxisKind, parse_axis
from cnnlab.sweep.calibration import AXIS as PROBE
from cnnlab.sweep.calibration import CHOICES, COMPILING, calibration
from cnnlab.sweep.calibration import NAME as CALIBRATION
from cnnlab.sweep.gains import BatchGain, Compiling, batch_gains, compiling, gains
from cnnlab.sweep.grid import (
    MOST_AXES,
    MOST_CELLS,
    STARTUP_SECONDS,
    Cell,
    cells,
    check_budget,
    least_seconds,
    plan,
    run_name,
    said,
)
from cnnlab.sweep.kept import Keeper, KeptTurn, Record
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
    "CALIBRATION",
    "CHOICES",
    "COMPILING",
    "MOST_AXES",
    "MOST_CELLS",
    "OFFERED",
    "PROBE",
    "STARTUP_SECONDS",
    "AxisKind",
    "BatchGain",
    "Cell",
    "CellResult",
    "CellRun",
    "Compiling",
    "Figure",
    "Keeper",
    "KeptTurn",
    "Measured",
    "Record",
    "Schedule",
    "Turn",
    "batch_gains",
    "budget_to_go_on",
    "calibration",
    "cells",
    "check_budget",
    "compiling",
    "drive",
    "gains",
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
