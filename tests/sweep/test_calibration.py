"""The calibration: its plan is a sweep like any other, and what it says of the choices."""

import math

import pytest

from cnnlab import sweep
from cnnlab.datasets import info
from cnnlab.models import check
from cnnlab.spec import LabError, Timing
from cnnlab.sweep import BatchGain, CellResult, Compiling, Figure, Measured
from cnnlab.sweep.calibration import PROBES


def result(cell, step_ms):
    figure = Figure([Measured(step_ms, 0.01)])
    return CellResult(cell, figure, "run", ("run",), None, None)


def test_every_probe_works_on_its_data_and_the_budget_is_enough():
    plan = sweep.calibration(["cpu", "cuda:0"], compiles=True)

    def works(spec):
        data = info(spec.dataset)
        check(spec, data.image_shape, data.classes, data.train_images)

    grid = sweep.cells(plan, works)
    assert len(grid) == 2 * len(PROBES)
    assert len({cell.spec for cell in grid}) == len(grid)
    assert set(sweep.calibration(["cpu"], compiles=True).axes[0].values) < set(PROBES)
    assert {cell.spec.model.family for cell in grid} == {"dense", "cnn", "rnn"}
    sweep.check_budget(plan, len(grid))
    sweep.check_budget(sweep.calibration(["cpu"], compiles=True), len(PROBES))


def test_each_family_has_cells_enough_for_a_cost_model():
    for family in ("dense", "cnn", "rnn"):
        full = [p for name, p in PROBES.items() if name.count(",") == 1]
        assert len([p for p in full if p.model.family == family]) >= 3


def test_the_gain_of_a_precision_is_the_median_over_networks():
    plan = sweep.calibration(["cpu"], compiles=True)
    speed = {"wide dense, batch 256": 8.0, "small cnn, batch 32": 4.0}
    halves = {
        "wide dense, batch 256, mixed_bfloat16": 4.0,
        "small cnn, batch 32, mixed_bfloat16": 4.0,
        "small cnn, batch 32, mixed_float16": 16.0,
    }
    found = [result(cell, (speed | halves).get(cell.values["probe"])) for cell in sweep.cells(plan)]
    assert sweep.gains(found) == {"cpu": {"mixed_bfloat16": 1.5, "mixed_float16": 0.25}}


def test_a_larger_batch_gains_by_the_time_per_picture_of_each_network():
    speed = {
        "dense, batch 32": 4.0,  # 8 times the pictures in twice the time
        "dense, batch 256": 8.0,
        "wide dense, batch 32": 4.0,
        "wide dense, batch 256": 16.0,
        "small cnn, batch 32": 1.0,  # the large convolution was not measured
        "small cnn, batch 128": 2.0,
        "lstm, batch 32": 1.0,  # nothing to hold it against
    }
    grid = sweep.cells(sweep.calibration(["cpu"], compiles=True))
    found = [result(cell, speed.get(cell.values["probe"])) for cell in grid]
    assert sweep.batch_gains(found) == {
        "cpu": {"dense": BatchGain(32, 256, 2.0, 4.0), "cnn": BatchGain(32, 128, 2.0, 2.0)}
    }


def test_tf32_is_tried_where_there_is_a_card_that_has_it():
    for devices, tried in ((["cpu"], False), (["cpu", "mps"], False), (["cpu", "cuda:0"], True)):
        names = sweep.calibration(devices, compiles=True).axes[0].values
        assert any("TF32" in str(name) for name in names) == tried


def test_what_is_noisy_or_cannot_be_on_a_device_says_nothing():
    grid = sweep.cells(sweep.calibration(["cpu", "cuda:0"], compiles=True))
    found = [result(cell, 2.0 if cell.values["probe"].count(",") == 2 else 4.0) for cell in grid]
    assert set(sweep.gains(found)["cuda:0"]) == set(sweep.CHOICES)
    assert set(sweep.gains(found)["cpu"]) == set(sweep.CHOICES) - {"TF32"}
    for one in found:
        if "compile" in one.cell.values["probe"]:  # a single step, that compiling left time for
            one.figure.measured[0] = Measured(0.1, None)
    assert "torch.compile" not in sweep.gains(found)["cpu"]


def compiled_in(step_ms, *ahead_seconds):
    """What the cells came to where a compiled step takes so long and an uncompiled one 4 ms.

    Args:
        ahead_seconds: before the compiled steps of "wide dense" and of "small cnn", measurement by
            measurement; before uncompiled ones it was 0.5 s, then 0.25 s.
    """
    found = []
    compiled = dict(zip(("wide dense", "small cnn"), ahead_seconds, strict=True))
    for cell in sweep.cells(sweep.calibration(["cpu"], compiles=True)):
        network = str(cell.values["probe"]).partition(",")[0]
        seconds, ms = (0.5, 0.25), 4.0
        if cell.spec.compile:
            seconds, ms = compiled[network], step_ms
        figure = Figure([Measured(ms, 0.01, ahead_seconds=each) for each in seconds])
        found.append(CellResult(cell, figure, "run", ("run",), None, None))
    return found


def test_compiling_costs_what_the_slowest_start_took_more_than_without():
    found = compiled_in(2.0, (20.25, 6.0), (12.0, 5.0))
    assert sweep.compiling(found) == {"cpu": Compiling(seconds=20.0, gain=2.0)}


def test_what_compiling_costs_is_not_known_where_it_was_not_timed():
    assert sweep.compiling(compiled_in(2.0, (None,), (None,))) == {}
    assert sweep.compiling([]) == {}


def test_compiling_pays_over_a_run_that_is_long_enough():
    found = Compiling(seconds=20.0, gain=2.0)
    assert found.pays_from_seconds == 40.0
    assert found.gain_over(40.0) == 1.0
    assert found.gain_over(4.0) < 0.2
    assert found.gain_over(4_000.0) == pytest.approx(1.98, abs=0.01)
    assert Compiling(seconds=20.0, gain=0.9).pays_from_seconds == math.inf


def test_a_measurement_says_what_came_before_its_steps():
    timing = Timing(step_ms_median=2.0, build_seconds=0.5, warmup_seconds=12.0)
    assert sweep.measured(timing, None).ahead_seconds == 12.5
    assert sweep.measured(Timing(step_ms_median=2.0), None).ahead_seconds is None


def test_another_sweep_has_no_gains():
    plan = sweep.plan(PROBES["lstm, batch 32"], [sweep.parse_axis("units=8,16")], ["cpu"], 60)
    found = [result(cell, 1.0) for cell in sweep.cells(plan)]
    assert sweep.gains(found) == {}
    assert sweep.compiling(found) == {}
    assert sweep.batch_gains(found) == {}


def test_nobody_but_the_calibration_sweeps_probes():
    with pytest.raises(LabError, match="There is no axis 'probe'; choose one of preset"):
        sweep.parse_axis("probe=lstm, batch 32")
