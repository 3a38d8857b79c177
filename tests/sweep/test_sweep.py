"""Sweeps: axes are read, grids are refused with the reason and their size, time is shared out."""

import numpy as np
import pytest

from cnnlab import sweep
from cnnlab.spec import (
    PRESETS,
    Disturbances,
    LabError,
    Place,
    RunCard,
    Status,
    Timing,
    change,
    parse_spec,
)
from cnnlab.sweep import Figure, Measured, Schedule

DENSE, TINY = PRESETS["dense"].spec, PRESETS["tiny"].spec
RNN = parse_spec({"dataset": "mnist", "model": {"family": "rnn", "recurrent": [8, 4]}})


def grid(*axes, spec=DENSE, devices=("cpu",), budget=60.0):
    return sweep.cells(sweep.plan(spec, [sweep.parse_axis(axis) for axis in axes], devices, budget))


# --- axes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "There is no axis ''"),
        ("speed=1", "There is no axis 'speed'; choose one of preset, filters"),
        ("batch_size", "batch_size has no values; write them like batch_size=32,128"),
        ("batch_size=", "batch_size has no values"),
        ("batch_size= , ", "batch_size has an empty value among its 2"),
        ("batch_size=32,,64", "batch_size has an empty value among its 3"),
        ("units=64,lots", "units takes whole numbers, but 'lots' is none"),
        ("units=-4", "'-4' is none"),
        ("units=4.5", "'4.5' is none"),
        ("units=٣", "is none"),
        ("units=99999999999999999999", "at most nine"),
        ("units=64,32,64", "units names 64 2 times"),
        ("precision=float32,float8", "precision knows no 'float8'; choose from float32"),
    ],
)
def test_a_bad_axis_is_refused_with_the_reason(text, said):
    with pytest.raises(LabError, match=said):
        sweep.parse_axis(text)


def test_pictures_is_another_word_for_the_limit():
    assert sweep.parse_axis(" pictures = 500, 1000 ") == sweep.parse_axis("train_limit=500,1000")


@pytest.mark.parametrize(
    ("spec", "axis", "read", "expected"),
    [
        (TINY, "filters=8", lambda s: [c.filters for b in s.model.blocks for c in b.convs], [8, 8]),
        (TINY, "depth=1", lambda s: len(s.model.blocks), 1),
        (DENSE, "depth=3", lambda s: s.model.dense, (300, 100, 100)),
        (DENSE, "units=7", lambda s: s.model.dense, (7, 7)),
        (RNN, "depth=1", lambda s: s.model.recurrent, (8,)),
        (RNN, "units=7", lambda s: s.model.recurrent, (7, 7)),
        (TINY, "units=7", lambda s: s.model.dense, (7,)),
        (DENSE, "batch_size=48", lambda s: s.batch_size, 48),
        (DENSE, "pictures=4000", lambda s: s.train_limit, 4000),
        (DENSE, "threads=1", lambda s: s.threads, 1),
        (DENSE, "precision=mixed_bfloat16", lambda s: s.precision, "mixed_bfloat16"),
        (DENSE, "engine=stock", lambda s: s.engine, "stock"),
        (DENSE, "preset=article", lambda s: s.model, PRESETS["article"].spec.model),
    ],
)
def test_an_axis_changes_what_it_names(spec, axis, read, expected):
    (cell,) = grid(axis, spec=spec)
    assert read(cell.spec) == expected


# --- the grid -------------------------------------------------------------------------------


def test_a_cell_is_told_in_plain_words():
    first, *_ = grid("batch_size=32", "units=64")
    assert sweep.said(first) == "batch size 32, units 64 on cpu"


def test_devices_take_turns_within_the_grid():
    found = grid("batch_size=32,64", "units=8,16", devices=("cpu", "cuda:0"))
    assert [(c.values["batch_size"], c.values["units"], c.device) for c in found[:3]] == [
        (32, 8, "cpu"),
        (32, 8, "cuda:0"),
        (32, 16, "cpu"),
    ]
    assert [cell.number for cell in found] == list(range(8))
    assert all(cell.spec.device == cell.device for cell in found)


def test_a_preset_is_put_in_before_what_changes_it():
    found = grid("units=8", "preset=dense,article")
    assert [cell.spec.model.dense for cell in found] == [(8, 8), (8,)]
    assert [cell.spec.dataset for cell in found] == ["mnist", "cifar100"]


HUNDRED = ",".join(map(str, range(1, 101)))


@pytest.mark.parametrize(
    ("axes", "spec", "said"),
    [
        ([], DENSE, "needs an axis"),
        (["units=1", "depth=1", "threads=1"], DENSE, "3 were given"),
        (["units=1", "units=2"], DENSE, "given twice"),
        (["filters=8"], DENSE, "filters is for a cnn, but the base is a dense"),
        (["preset=dense", "filters=8"], TINY, "filters does not fit preset dense, filters 8"),
        (["units=8"], change(DENSE, model={"family": "dense", "dense": []}), "hidden Dense layer"),
        (["depth=2"], change(DENSE, model={"family": "dense", "dense": []}), "layer to repeat"),
        (
            ["batch_size=32,70000", "units=8,16"],
            DENSE,
            r"batch size 70000, units 8, one of 4 cells \(2 x 2 on 1 device\), cannot work: "
            "batch_size is 70000, but it should be less than or equal to 65536",
        ),
        (["depth=99"], TINY, "depth 99, one of 1 cells .* at most 16"),
        ([f"units={HUNDRED}", f"batch_size={HUNDRED}"], DENSE, r"10,000 cells \(100 x 100"),
    ],
)
def test_a_grid_that_cannot_work_is_refused_with_its_size(axes, spec, said):
    with pytest.raises(LabError, match=said):
        grid(*axes, spec=spec)


def test_what_the_data_refuse_is_said_of_the_cell():
    axes = [sweep.parse_axis("depth=1,2")]

    def check(spec):
        if len(spec.model.dense) > 1:
            change(spec, epochs=0)

    with pytest.raises(LabError, match="depth 2, one of 2 cells"):
        sweep.cells(sweep.plan(DENSE, axes, ["cpu"], 60), check)


def test_a_budget_too_small_says_the_least_that_would_do():
    axes = [sweep.parse_axis("units=1,2,3,4")]
    with pytest.raises(LabError, match="7 s is too small for 4 cells; give at least 8 s"):
        sweep.check_budget(sweep.plan(DENSE, axes, ["cpu"], 7), 4)
    sweep.check_budget(sweep.plan(DENSE, axes, ["cpu"], 8), 4)


@pytest.mark.parametrize("budget", [0, -1, float("nan"), float("inf"), 1e9])
def test_a_budget_that_is_no_time_is_refused(budget):
    with pytest.raises(LabError, match="budget_seconds"):
        grid("units=1", budget=budget)


def test_a_device_that_none_can_be_is_refused():
    with pytest.raises(LabError, match="must be auto, cpu"):
        grid("units=1", devices=("tpu",))
    with pytest.raises(LabError, match="named twice"):
        grid("units=1", devices=("cpu", "cpu"))


# --- the schedule ---------------------------------------------------------------------------


def steady(step_ms):
    return Measured(step_ms, 0.01)


def simulate(schedule, budget, takes, finds):
    """Drive a schedule by a clock of its own; the turns that were taken, and the time used."""
    used, turns = 0.0, []

    def measure(turn):
        nonlocal used
        turns.append(turn)
        used += takes(turn)
        return finds(turn)

    assert sweep.drive(schedule, lambda: budget - used, measure)
    return turns, used


def test_every_cell_is_measured_before_any_is_measured_again():
    turns, _ = simulate(
        Schedule(grid("units=1,2,3")), 60, lambda t: 1.0, lambda t: steady(t.cell.number + 1)
    )
    assert [turn.cell.number for turn in turns[:3]] == [0, 1, 2]
    assert [turn.until_steady for turn in turns] == [True] * 3 + [False] * 6


@pytest.mark.parametrize("budget", [20, 60, 600])
@pytest.mark.parametrize("quick", [0.4, 1.0])
def test_the_budget_is_used_and_not_exceeded(budget, quick):
    cells = grid("units=1,2,3,4,5,6", "batch_size=1,2,3,4")

    def takes(turn):  # a first look ends early where it is steady, a repetition uses its share
        return min(turn.seconds, quick) if turn.until_steady else turn.seconds

    _, used = simulate(Schedule(cells), budget, takes, lambda t: steady(1.0))
    assert 0.9 * budget <= used <= 1.001 * budget


def test_time_that_quick_cells_leave_goes_to_later_ones():
    schedule = Schedule(grid("units=1,2,3,4"))
    assert schedule.next(40).seconds == 5  # half of its share, to measure it again with the rest
    schedule.add(0, steady(1.0))
    assert schedule.next(42).seconds == 6
    assert schedule.next(1.8).seconds == pytest.approx(0.6)


def test_the_noisiest_are_measured_again_first():
    schedule = Schedule(grid("units=1,2,3"))
    schedule.add(0, Measured(1.0, 0.01))
    schedule.add(1, Measured(1.0, 0.5))
    schedule.add(2, Measured(1.0, 0.2))
    assert schedule.next(30).cell.number == 1
    schedule.add(1, steady(1.01))
    assert schedule.next(30).cell.number == 2


def test_a_cell_that_failed_is_not_tried_again():
    turns, _ = simulate(
        Schedule(grid("units=1,2")), 30, lambda t: 1.0,
        lambda t: Measured(None, None) if t.cell.number else steady(1.0),
    )  # fmt: skip
    assert [turn.cell.number for turn in turns] == [0, 1, 0, 0]


def test_a_stop_ends_the_drive():
    assert not sweep.drive(Schedule(grid("units=1,2")), lambda: 9.0, lambda turn: None)


def test_nothing_is_begun_when_the_time_is_over():
    schedule = Schedule(grid("units=1,2"))
    assert schedule.next(-0.1) is None
    assert schedule.done == 0


# --- figures --------------------------------------------------------------------------------


def test_the_median_of_the_undisturbed_measurements_counts():
    assert Figure([Measured(5.0, 0.3), Measured(4.0, 0.01), Measured(4.2, 0.01)]).step_ms == 4.2
    busy = Measured(9.0, 0.01, disturbed=True)
    assert Figure([busy, Measured(4.0, 0.01)]).step_ms == 4.0
    assert Figure([busy]).step_ms == 9.0


def test_the_figure_favours_neither_the_noisier_device_nor_the_one_measured_more_often():
    random = np.random.default_rng(0)

    def mean_figure(noise, measurements):
        return np.mean(
            [
                Figure(
                    [Measured(each, 0.01) for each in random.normal(4.0, noise, measurements)]
                ).step_ms
                for _ in range(2000)
            ]
        )

    for noise, measurements in ((0.02, 1), (0.4, 1), (0.4, 2), (0.4, 3)):
        assert mean_figure(noise, measurements) == pytest.approx(4.0, rel=0.01)


@pytest.mark.parametrize(
    ("measured", "noisy"),
    [
        ([Measured(4.0, 0.04)], False),
        ([Measured(4.0, 0.06)], True),
        ([Measured(4.0, None)], True),
        ([Measured(4.0, 0.01, disturbed=True)], True),
        ([Measured(4.0, 0.3), Measured(4.1, 0.3)], False),
        ([Measured(4.0, 0.01), Measured(4.4, 0.01)], True),
        ([Measured(None, None)], False),
    ],
)
def test_a_cell_is_noisy_until_its_figure_is_steady_or_found_again(measured, noisy):
    assert Figure(measured).noisy is noisy


def run(cell, step_ms=None, repeat=0, status=Status.FINISHED, error=None):
    place = Place(sweep_id="s", sweep="A sweep", cell=cell, repeat=repeat, values={"units": 1})
    return RunCard(
        run_id=f"r{cell}{repeat}{status}",
        name="cell",
        session="sweep",
        status=status,
        error=error,
        created_at="2026-01-01T00:00:00Z",
        spec=DENSE,
        timing=Timing(step_ms_median=step_ms, step_ms_spread=0.01),
        sweep=place,
    )


def test_runs_are_gathered_into_cells_whatever_their_order():
    runs = [
        run(1, status=Status.FAILED, error="No room."),
        run(0, 4.0, repeat=1),
        run(0, 5.0),
        run(2, 3.0, status=Status.STOPPED),
    ]
    first, second, third = sweep.results(grid("units=1,2,3"), runs)
    assert (first.figure.step_ms, first.run_id) == (4.5, "r00finished")
    assert first.run_ids == ("r00finished", "r01finished")
    assert first.us_per_image == 4500 / 32
    assert first.images_per_second == pytest.approx(32 / 0.0045)
    assert (second.figure.step_ms, second.error) == (None, "No room.")
    assert third.run_ids == ()
    assert sweep.schedule_after(grid("units=1,2,3"), runs).next(9).cell.number == 2


def test_two_devices_get_a_verdict():
    cells = grid("units=1,2", devices=("cpu", "cuda:0"))
    runs = [run(number, step_ms) for number, step_ms in enumerate((4.0, 2.0, 3.0, 6.0))]
    assert sweep.verdict(sweep.results(cells, runs)) == (
        "cuda:0 was faster than cpu in 1 of 2 cells: 0.5 to 2 times as fast."
    )
    assert sweep.verdict(sweep.results(cells, runs[:1])).startswith("No cell was measured on both")
    assert sweep.verdict(sweep.results(grid("units=1,2"), runs[:2])) is None


def test_a_disturbed_run_is_a_disturbed_measurement():
    watched = dict.fromkeys(Disturbances.model_fields, None) | {
        "seconds": 1.0, "cores": 2, "paused_seconds": 0.0, "own_cost_seconds": 0.0, "notes": (),
    }  # fmt: skip
    timing = Timing(step_ms_median=1.0, step_ms_spread=0.01)
    for marks, disturbed in (((), False), (("Others were busy.",), True)):
        found = sweep.measured(timing, Disturbances(**watched | {"marks": marks}))
        assert found.noisy is disturbed
