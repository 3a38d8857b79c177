"""Training: from a spec to events; no database, queue or page.

`train` is one run; `measure` times the steps of a spec and no more.
"""

from cnnlab.training.callback import Diverged, Emit, LabCallback, Save, Stop, Stopped
from cnnlab.training.clocks import clock_for
from cnnlab.training.cut import Cut
from cnnlab.training.failures import explain
from cnnlab.training.ledger import process_started_at
from cnnlab.training.measuring import measure
from cnnlab.training.profiling import profile
from cnnlab.training.run import first_steps, train
from cnnlab.training.trying import try_change
from cnnlab.training.turns import Turns

__all__ = [
    "Cut",
    "Diverged",
    "Emit",
    "LabCallback",
    "Save",
    "Stop",
    "Stopped",
    "Turns",
    "clock_for",
    "explain",
    "first_steps",
    "measure",
    "process_started_at",
    "profile",
    "train",
    "try_change",
]
