"""The table of the history."""

from types import SimpleNamespace

import pandas as pd

from cnnlab import analysis
from cnnlab.spec import (
    RunCard,
    Timing,
)
from tests.analysis.pretend import CPU, GPU


def summary(run: RunCard, **fields) -> SimpleNamespace:
    values = {name: getattr(run, name) for name in type(run).model_fields if name != "schema_"}
    known = {"epochs_done": 3, "best_val_accuracy": 0.4, "last_val_accuracy": 0.3, "origin": None}
    return SimpleNamespace(**(values | known | fields))


def test_the_history_has_a_typed_row_for_each_run_in_the_order_given():
    timing = Timing(fit_seconds=455.0, step_ms_median=16.0)
    rows = [
        summary(GPU, timing=timing),
        summary(CPU, model=None, dataset=None, device=None, best_val_accuracy=None, epochs_done=0),
    ]
    frame = analysis.history_frame(rows)
    assert list(frame["run_id"]) == ["run-cuda:0", "run-cpu"]
    assert list(frame["device"]) == ["cuda:0", "cpu"]
    assert frame["parameters"].iloc[0] == 975_692
    assert pd.isna(frame["parameters"].iloc[1])
    assert frame["fit_seconds"].iloc[0] == 455
    assert pd.isna(frame["best_val_accuracy"].iloc[1])
    assert frame["created_at"].iloc[0] == pd.Timestamp("2026-01-02T03:04:05Z")
    assert list(frame["dataset"]) == ["cifar100", "cifar100"]


def test_an_empty_history_has_the_same_columns_and_types():
    full, none = analysis.history_frame([summary(GPU)]), analysis.history_frame([])
    assert none.dtypes.to_dict() == full.dtypes.to_dict()
    assert none.empty
