"""Any number of runs against each other: curves by epoch, results, pairs, learning by heart."""

from __future__ import annotations

import numpy as np
import pytest

from cnnlab import analysis, words
from cnnlab.analysis import Line, Series
from cnnlab.analysis.pairs import NEWEST
from cnnlab.analysis.run_lines import ALL_POINTS, FEWEST_POINTS, HOVER_POINTS, smooth
from cnnlab.spec import Energy, Epoch, RunCard, Steps, change
from tests.analysis.pretend import CPU, GPU, card
from tests.example_runs import disturbances


def learning(*accuracies: tuple[float, float], seconds: float = 10.0, **more: object) -> RunCard:
    """A run whose epochs end with these training and validation accuracies."""
    rows = tuple(
        Epoch(
            epoch=number,
            loss=1.0,
            accuracy=training,
            val_loss=1.5,
            val_accuracy=validation,
            seconds=seconds,
            step_ms_mean=5.0,
        )
        for number, (training, validation) in enumerate(accuracies, 1)
    )
    return GPU.model_copy(update={"epochs": rows, "run_id": "learning", **more})


def named(run: RunCard, run_id: str) -> RunCard:
    return run.model_copy(update={"run_id": run_id})


def line(*values: float, run: str = "a") -> Line:
    return Line(run, "training", np.arange(1.0, len(values) + 1), np.array(values))


# --- curves ---------------------------------------------------------------------------------


def test_an_epoch_ends_after_its_steps_its_images_and_its_seconds():
    run = learning((0.1, 0.1), (0.2, 0.2), seconds=10.0)
    images = run.dataset.train_images
    assert list(analysis.epoch_ends(run, "epoch")) == [1, 2]
    assert list(analysis.epoch_ends(run, "seconds")) == [10, 20]
    assert list(analysis.epoch_ends(run, "images")) == [images, 2 * images]
    assert list(analysis.epoch_ends(run, "step")) == [-(-images // 32), 2 * -(-images // 32)]


def test_energy_is_spread_over_the_time_of_the_fit():
    timing = GPU.timing.model_copy(update={"fit_seconds": 40.0})
    run = learning((0, 0), (0, 0), energy=Energy(joules=400.0, source="meter"), timing=timing)
    assert list(analysis.epoch_ends(run, "joules")) == [100, 200]


@pytest.mark.parametrize("axis", ["joules", "images", "step"])
def test_what_was_not_measured_is_no_axis(axis):
    run = learning((0, 0), dataset=None, energy=Energy())
    assert analysis.epoch_ends(run, axis) is None
    assert analysis.lines(run, "a", "loss", axis) == []


def test_the_gap_is_training_above_validation():
    [gap] = analysis.lines(learning((0.5, 0.4), (0.8, 0.4)), "a", "gap", "epoch")
    assert gap.y == pytest.approx([0.1, 0.4])


def test_against_steps_a_run_is_drawn_as_finely_as_its_windows_were_kept():
    series = Series.of(
        Steps(
            step=(1, 2, 3, 4),
            epoch=(1, 1, 1, 1),
            seconds=(None, 1.0, None, 2.0),
            ms=(5.0,) * 4,
            loss=(None, 4.0, None, 3.0),
            accuracy=(None, 0.1, None, 0.2),
        )
    )
    run = learning((0.5, 0.4))
    training, validation = analysis.step_lines(run, "a", "accuracy", series)
    assert (list(training.x), list(training.y)) == ([2, 4], [0.1, 0.2])
    assert list(validation.y) == [0.4]
    [pace] = analysis.step_lines(run, "a", "step_ms", series)
    assert list(pace.x) == [1, 2, 3, 4]
    assert [each.y.tolist() for each in analysis.step_lines(run, "a", "gap", series)] == [
        pytest.approx([0.1])
    ]


def test_a_run_whose_steps_were_not_kept_is_drawn_by_epoch():
    run = learning((0.5, 0.4))
    found = analysis.step_lines(run, "a", "loss", Series.of(Steps()))
    assert [each.split for each in found] == ["training", "validation"]


@pytest.mark.parametrize("count", [1, 20, 400])
def test_the_more_curves_the_fewer_points_of_each(count):
    long = [line(*np.sin(np.arange(5000.0)), run=str(place)) for place in range(count)]
    frame = analysis.line_frame(long)
    assert len(frame) <= max(ALL_POINTS, FEWEST_POINTS * count)
    assert set(frame["run"]) == {str(place) for place in range(count)}


def test_a_logarithmic_axis_leaves_out_what_it_has_no_place_for():
    frame = analysis.line_frame([line(1.0, 0.0, -1.0, np.inf)], log=True)
    assert frame["value"].isna().tolist() == [False, True, True, True]
    assert analysis.line_frame([line(1.0, 0.0)])["value"].tolist() == [1, 0]


def test_no_curves_make_an_empty_frame_with_all_columns():
    assert list(analysis.line_frame([]).columns) == ["x", "value", "split", "run", "dot"]
    assert analysis.line_frame([]).empty
    assert analysis.hover_frame([], words.number).empty


def test_smoothing_keeps_a_constant_starts_without_bias_and_keeps_gaps():
    assert smooth(np.full(5, 3.0), 0.9) == pytest.approx(np.full(5, 3.0))
    noisy = np.array([1.0, 0.0, 1.0, 0.0])
    assert smooth(noisy, 0.9)[0] == 1.0
    assert np.ptp(smooth(noisy, 0.9)[1:]) < np.ptp(noisy)
    assert np.isnan(smooth(np.array([1.0, np.nan, 2.0]), 0.5)).tolist() == [False, True, False]
    assert smooth(noisy, 0.0) is noisy


def test_at_a_place_each_run_is_told_as_it_stood_there():
    one = Line("one", "training", np.array([1.0, 3.0]), np.array([10.0, 30.0]))
    check = Line("one", "validation", np.array([1.0, 3.0]), np.array([11.0, 31.0]))
    other = Line("other", "training", np.array([2.0]), np.array([5.0]))
    frame = analysis.hover_frame([one, check, other], words.number)
    assert frame["x"].tolist() == [1, 2, 3]
    assert frame["0"].tolist() == ["10 / 11", "10 / 11", "30 / 31"]
    assert frame["1"].tolist() == [words.UNKNOWN, "5", "5"]


def test_many_places_are_told_at_some():
    assert len(analysis.hover_frame([line(*range(5000))], words.number)) == HOVER_POINTS


# --- learnt by heart ------------------------------------------------------------------------


def test_the_published_fifty_epochs_have_learnt_by_heart():
    assert analysis.by_heart(0.8169, 0.4153) == (
        "training 81.7 %, validation 41.5 %: it has learnt its pictures by heart"
    )


@pytest.mark.parametrize(
    ("accuracy", "validation", "said"),
    [
        (0.5048, 0.4087, "begins to learn"),
        (0.42, 0.41, "no sign"),
        (0.03, 0.12, "no sign"),
        (float("nan"), 0.1, "nothing can be said"),
    ],
)
def test_the_gap_decides_what_is_said(accuracy, validation, said):
    assert said in analysis.by_heart(accuracy, validation)


def test_epochs_after_the_best_are_counted():
    run = learning((0.3, 0.3), (0.5, 0.4), (0.7, 0.35), (0.8, float("nan")))
    assert analysis.past_its_best(run) == (
        "Validation was best after epoch 2, at 40 %; the 2 epochs since brought no more."
    )
    assert analysis.past_its_best(learning((0.3, 0.3), (0.5, 0.4))) == ""
    assert analysis.past_its_best(learning((0.3, float("nan")))) == ""


# --- results --------------------------------------------------------------------------------


def test_a_run_reaches_an_accuracy_at_the_end_of_an_epoch_or_never():
    run = learning((0.1, 0.1), (0.2, 0.3), (0.3, 0.2), seconds=10.0)
    assert analysis.seconds_to(run, 0.3) == 20
    assert analysis.seconds_to(run, 0.31) is None


def test_results_hold_best_and_last_and_nothing_for_what_is_unknown():
    run = learning((0.5, 0.4), (0.8, 0.3))
    row = analysis.results([run, card("cpu", ())], 0.4)
    assert row.loc["learning", "best_val_accuracy"] == 0.4
    assert row.loc["learning", "last_val_accuracy"] == 0.3
    assert row.loc["learning", "gap"] == pytest.approx(0.5)
    assert row.loc["learning", "reached_seconds"] == 10
    assert np.isnan(row.loc["run-cpu", "last_accuracy"])
    assert np.isnan(row.loc["run-cpu", "joules"])


def test_the_best_is_the_end_that_is_good_and_none_where_all_are_equal():
    runs = [learning((0.5, 0.4)), named(learning((0.5, 0.3), seconds=2.0), "other")]
    best = analysis.best_of(runs, analysis.results(runs, 0.3))
    assert best["best_val_accuracy"] == 0.4
    assert best["reached_seconds"] == 2
    assert "last_accuracy" not in best
    assert "parameters" not in best


def test_nobody_is_the_best_at_the_gap_which_is_least_where_nothing_was_learnt():
    runs = [learning((0.9, 0.6)), named(learning((0.1, 0.1)), "other")]
    best = analysis.best_of(runs, analysis.results(runs, 0.05))
    assert best["best_val_accuracy"] == pytest.approx(0.6)
    assert not {"gap", "last_accuracy"} & set(best)


def test_a_disturbed_time_is_ranked_and_graded():
    runs = [learning((0.5, 0.4)), named(learning((0.5, 0.3), seconds=2.0), "other")]
    runs[1] = runs[1].model_copy(update={"disturbances": disturbances("Others kept 2 cores busy.")})
    assert analysis.best_of(runs, analysis.results(runs, 0.3))["reached_seconds"] == 2
    assert analysis.rank(runs, ["a", "b"]).grades["other"] == "disturbed"


def test_nothing_is_the_best_of_runs_that_did_other_work():
    other = GPU.model_copy(update={"spec": change(GPU.spec, dataset="mnist"), "run_id": "digits"})
    runs = [learning((0.5, 0.4)), other]
    assert analysis.best_of(runs, analysis.results(runs, 0.3)) == {}


def test_runs_of_one_name_are_told_apart_by_their_ids():
    first = named(CPU, "one").model_copy(update={"name": "Tiny"})
    other = first.model_copy(
        update={"run_id": "two", "disturbances": disturbances("Others kept 2 cores busy.")}
    )
    assert analysis.comparability(first, other) == [
        "Tiny (two) was disturbed: others kept 2 cores busy"
    ]
    [said] = analysis.verdicts([first, other], ["a", "b"])
    assert said == analysis.verdict(first, other)
    calm = first.model_copy(update={"run_id": "three"})
    assert "“Tiny (three)”" in analysis.verdict(first, calm)
    choice, *each = analysis.verdicts([first, other, calm], ["a", "b", "c"])
    assert choice.startswith("Take for speed “a”")
    assert [text.split(":")[0] for text in each] == ["a and b", "a and c"]


def test_a_measured_fraction_is_told_to_three_digits_and_a_setting_to_its_last():
    busy = CPU.model_copy(
        update={
            "run_id": "busy",
            "environment": CPU.environment | {"load_average": 5.33203125},
            "spec": change(CPU.spec, learning_rate=0.0012345),
        }
    )
    frame = analysis.differences([CPU, busy])
    assert frame.loc["environment.load_average", "busy"] == "5.33"
    assert frame.loc["learning_rate", "busy"] == "0.0012345"


def test_what_was_asked_of_the_device_is_one_difference():
    assert "device.requested" not in analysis.differences([CPU, GPU]).index
    assert "device" in analysis.differences([CPU, GPU]).index


def test_devices_and_choices_go_by_the_names_that_people_give_them():
    spec = change(CPU.spec, device="auto", optimizer="sgd")
    frame = analysis.differences([CPU, named(CPU.model_copy(update={"spec": spec}), "other")])
    assert list(frame.loc["device"]) == ["CPU", "any"]
    assert list(frame.loc["optimizer"]) == ["Adam", "SGD"]


def test_of_a_hash_there_is_as_much_as_tells_two_apart():
    model = CPU.model.model_copy(update={"weights_sha256": "0123456789ab" + "f" * 52})
    other = named(CPU.model_copy(update={"model": model}), "other")
    frame = analysis.differences([CPU, other])
    assert frame.loc["model.weights_sha256", "other"] == "0123456789ab"


def test_what_is_the_same_in_all_and_what_differs_is_everything():
    other = GPU.model_copy(update={"spec": change(GPU.spec, batch_size=64)})
    differing = analysis.differences([CPU, other])
    same = analysis.agreements(CPU, differing)
    assert same["seed"] == "0"
    assert "batch_size" not in same
    assert not set(same) & set(differing.index)


# --- pairs ----------------------------------------------------------------------------------


def test_repeats_are_paired_and_their_spread_told():
    slow = [named(card("cpu", (9, ms, ms)), f"slow-{ms}") for ms in (20.0, 24.0)]
    fast = [named(card("cuda:0", (9, ms, ms)), f"fast-{ms}") for ms in (2.0, 3.0)]
    [pairing] = analysis.pairings([*slow, *fast])
    assert (pairing.gain.least, pairing.gain.most, pairing.gain.pairs) == pytest.approx(
        (20 / 3, 12, 4)
    )
    assert pairing.gain.ratio == pytest.approx((8 + 10) / 2)
    assert set(pairing.cpu_runs) == {"slow-20.0", "slow-24.0"}


def test_a_disturbed_run_is_in_a_pair_only_where_there_is_no_calm_one():
    blurred = GPU.model_copy(update={"disturbances": disturbances("Others kept 2 cores busy.")})
    assert analysis.comparability(CPU, blurred) == [
        f"{GPU.name} was disturbed: others kept 2 cores busy"
    ]
    [pairing] = analysis.pairings([CPU, blurred])
    assert pairing.gain.ratio == pytest.approx(343 / 22.8)
    assert pairing.grade == "disturbed"
    assert "was disturbed" in pairing.reasons[0]
    [again] = analysis.pairings([CPU, blurred, named(GPU, "calm")])
    assert again.accelerator_runs == ("calm",)
    assert (again.grade, again.reasons) == ("one thing differs", ())


def test_another_spec_makes_no_pair_and_another_version_one_that_says_so():
    wide = GPU.model_copy(update={"spec": change(GPU.spec, batch_size=64)})
    assert analysis.pairings([CPU, wide]) == []
    older = GPU.model_copy(update={"environment": {"torch": "2.4.1"}})
    [pairing] = analysis.pairings([CPU, older])
    assert pairing.gain.ratio == pytest.approx(343 / 22.8)
    assert pairing.grade == "other machines or versions"
    assert pairing.reasons == ("torch is 2.13.0 against 2.4.1",)


def test_seed_epochs_and_the_way_the_gpu_is_off_do_not_part_a_spec():
    other = CPU.model_copy(update={"spec": change(CPU.spec, seed=7, epochs=3, gpu_off="device")})
    [pairing] = analysis.pairings([other, GPU])
    assert pairing.gain


def test_of_many_repeats_the_newest_are_taken():
    many = [named(CPU, f"cpu-{place}") for place in range(NEWEST + 5)]
    [pairing] = analysis.pairings([*many, GPU])
    assert pairing.gain.pairs == NEWEST
    assert "cpu-0" in pairing.cpu_runs


@pytest.mark.parametrize(
    ("slow", "fast", "level"), [((20, 20), (2, 2), False), ((20, 20), (19.5, 19.5), True)]
)
def test_a_lead_within_that_of_epochs_is_none(slow, fast, level):
    [pairing] = analysis.pairings([card("cpu", (9, *slow)), card("cuda:0", (9, *fast))])
    assert pairing.gain.level is level


def test_pairs_that_disagree_on_who_is_ahead_are_level():
    runs = [named(card("cuda:0", (9, s, s)), str(s)) for s in (10.0, 40.0)]
    [pairing] = analysis.pairings([card("cpu", (9, 20.0, 20.0)), *runs])
    assert pairing.gain.level
