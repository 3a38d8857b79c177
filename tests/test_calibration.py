"""The calibration: its plan is a sweep like any other, and what it says of half precisions."""

import pytest

from cnnlab import sweep
from cnnlab.datasets import info
from cnnlab.models import check
from cnnlab.spec import LabError
from cnnlab.sweep import CellResult, Figure, Measured
from cnnlab.sweep.calibration import PROBES


def result(cell, step_ms):
    figure = Figure([Measured(step_ms, 0.01)])
    return CellResult(cell, figure, "run", ("run",), None, None)


def test_every_probe_works_on_its_data_and_the_budget_is_enough():
    plan = sweep.calibration(["cpu", "cuda:0"])

    def works(spec):
        data = info(spec.dataset)
        check(spec, data.image_shape, data.classes, data.train_images)

    grid = sweep.cells(plan, works)
    assert len(grid) == 2 * len(PROBES)
    assert {cell.spec.model.family for cell in grid} == {"dense", "cnn", "rnn"}
    sweep.check_budget(plan, len(grid))
    sweep.check_budget(sweep.calibration(["cpu"]), len(PROBES))


def test_each_family_has_cells_enough_for_a_cost_model():
    for family in ("dense", "cnn", "rnn"):
        full = [p for p in PROBES.values() if p.precision == "float32"]
        assert len([p for p in full if p.model.family == family]) >= 3


def test_the_gain_of_a_precision_is_the_median_over_networks():
    plan = sweep.calibration(["cpu"])
    speed = {"wide dense, batch 256": 8.0, "small cnn, batch 32": 4.0}
    halves = {
        "wide dense, batch 256, mixed_bfloat16": 4.0,
        "small cnn, batch 32, mixed_bfloat16": 4.0,
        "small cnn, batch 32, mixed_float16": 16.0,
    }
    found = [result(cell, (speed | halves).get(cell.values["probe"])) for cell in sweep.cells(plan)]
    assert sweep.gains(found) == {"cpu": {"mixed_bfloat16": 1.5, "mixed_float16": 0.25}}


def test_another_sweep_has_no_gains():
    plan = sweep.plan(PROBES["lstm, batch 32"], [sweep.parse_axis("units=8,16")], ["cpu"], 60)
    assert sweep.gains([result(cell, 1.0) for cell in sweep.cells(plan)]) == {}


def test_nobody_but_the_calibration_sweeps_probes():
    with pytest.raises(LabError, match="There is no axis 'probe'; choose one of preset"):
        sweep.parse_axis("probe=lstm, batch 32")
