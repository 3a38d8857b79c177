"""Earlier runs of this machine, as far as they tell how long another may take."""

from __future__ import annotations

from cnnlab.history import RunSummary, Which
from cnnlab.spec import Status
from cnnlab.ui.lab import history

MOST = 500
"""Of runs, and of measured cells: older ones tell no more than these."""


def earlier(device: str, before: str | None = None) -> list[RunSummary]:
    """The newest finished runs that used a device, then the newest cells.

    Args:
        device: as it is used, e.g. `cpu` or `cuda:0`.
        before: only those that were made before this time.
    """
    found: list[RunSummary] = []
    for cells in (False, True):
        asked = Which(statuses=[Status.FINISHED], here=True, used=device, cells=cells)
        if before:
            asked["before"] = before
        found += history().summaries(limit=MOST, **asked)
    return found
