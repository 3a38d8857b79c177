"""Races, repeats and sweeps that train: one row each in the history, which opens to its runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import streamlit as st

from cnnlab.analysis.seeds import Spread, over_seeds
from cnnlab.history import RunSummary
from cnnlab.spec import Exam, Part, Status, Timing
from cnnlab.ui import lab, tables

Behind = dict[str, list[str]]
"""By the id of a row, the runs that it stands for; a run by itself is not in it."""


def gathered(runs: Sequence[RunSummary]) -> tuple[list[RunSummary], Behind]:
    """The runs with one row for each race, set of repeats and sweep, and what stands behind those.

    Args:
        runs: the newest first; a group stands where its newest run did.
    """
    groups: dict[str, list[RunSummary]] = defaultdict(list)
    for run in runs:
        groups[run.part.group_id if run.part else run.run_id].append(run)
    rows = [_row(group) if group[0].part else group[0] for group in groups.values()]
    behind = {
        group[0].run_id: [run.run_id for run in group[::-1]]
        for group in groups.values()
        if group[0].part
    }
    return rows, behind


def _row(group: Sequence[RunSummary]) -> RunSummary:
    newest = group[0]
    assert newest.part
    row = replace(newest, name=_name(newest.part, len(group)), status=_status(group))
    if newest.part.kind != "repeats":
        # Its runs are too different to have a figure in common.
        return replace(
            row, timing=Timing(), best_val_accuracy=None, last_val_accuracy=None, test=None
        )
    return replace(
        row,
        timing=Timing(
            fit_seconds=_mean([run.timing.fit_seconds for run in group]),
            step_ms_median=_middle([run.timing.step_ms_median for run in group]),
            images_per_second=_middle([run.timing.images_per_second for run in group]),
        ),
        best_val_accuracy=_mean([run.best_val_accuracy for run in group]),
        last_val_accuracy=_mean([run.last_val_accuracy for run in group]),
        test=_mean_test([run.test for run in group if run.test]),
    )


def _mean_test(tests: Sequence[Exam]) -> Exam | None:
    loss, accuracy = _mean([x.loss for x in tests]), _mean([x.accuracy for x in tests])
    if loss is None or accuracy is None:
        return None
    return Exam(loss=loss, accuracy=accuracy, images=tests[0].images)


def _name(part: Part, count: int) -> str:
    if part.kind != "repeats":
        return f"{part.group} ({count} runs)"
    return f"{part.group} (mean of {count} seeds)"


def _status(group: Sequence[RunSummary]) -> Status:
    """Of those that are not finished, where the newest stands."""
    found = (run.status for run in group if run.status is not Status.FINISHED)
    return next(found, Status.FINISHED)


def _mean(values: Sequence[float | None]) -> float | None:
    spread = Spread.of(values)
    return spread.mean if spread else None


def _middle(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def say(run_ids: Sequence[str]) -> None:
    """Of the runs that are open, when they are one group: what they came to together."""
    opened = lab.history().summaries(run_ids=run_ids)
    parts = {run.part.group_id: run.part for run in opened if run.part}
    if len(parts) != 1 or not all(run.part for run in opened):
        return
    ((group_id, part),) = parts.items()
    if part.kind == "race":
        st.page_link(
            "pages/race.py",
            label="See the race and its verdict",
            icon=":material/flag:",
            query_params={"race": group_id},
        )
    elif part.kind == "sweep":
        st.page_link(
            "pages/explore.py",
            label="See the sweep: accuracy against time, and what each value brings",
            icon=":material/grid_view:",
            query_params={"sweep": group_id},
        )
    elif said := over_seeds(opened).sentence:
        st.markdown(f"**{tables.plain(said)}**")
