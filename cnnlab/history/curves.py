"""The epochs of many runs at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

from sqlalchemy import Connection, select

from cnnlab.history import rows
from cnnlab.history.tables import epochs
from cnnlab.spec import Epoch


def epochs_of(connection: Connection, run_ids: Sequence[str]) -> dict[str, tuple[Epoch, ...]]:
    """The finished epochs of runs, by whole id; none for an id that is not there."""
    query = (
        select(epochs).where(epochs.c.run_id.in_(run_ids)).order_by(epochs.c.run_id, epochs.c.epoch)
    )
    found = connection.execute(query).mappings().all()
    read = {
        run_id: rows.epochs_from(group)
        for run_id, group in groupby(found, key=lambda row: row["run_id"])
    }
    return {run_id: read.get(run_id, ()) for run_id in run_ids}


def accuracies_of(connection: Connection, run_ids: Sequence[str]) -> dict[str, list[float]]:
    """The validation accuracy of each epoch of runs, by whole id; gaps are left out."""
    query = (
        select(epochs.c.run_id, epochs.c.val_accuracy)
        .where(epochs.c.run_id.in_(run_ids))
        .order_by(epochs.c.run_id, epochs.c.epoch)
    )
    found: dict[str, list[float]] = {run_id: [] for run_id in run_ids}
    for run_id, accuracy in connection.execute(query):
        if math.isfinite(accuracy):
            found[run_id].append(accuracy)
    return found
