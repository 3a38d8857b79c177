"""The history: every run is a row from the moment it is queued, and outlives everything else."""

from cnnlab.history.database import default_url
from cnnlab.history.listing import LOW_IS_BETTER, Kind, Order, Tally, Which
from cnnlab.history.rows import RunSummary
from cnnlab.history.store import History
from cnnlab.history.sweeps import SweepRecord

__all__ = [
    "LOW_IS_BETTER",
    "History",
    "Kind",
    "Order",
    "RunSummary",
    "SweepRecord",
    "Tally",
    "Which",
    "default_url",
]
