"""Columns and cards in; frames, figures and sentences out."""

import math
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cnnlab import analysis
from cnnlab.analysis.series import MEDIAN_WINDOW_STEPS, POINTS, _bucket
from cnnlab.spec import (
    PRESETS,
    DatasetFacts,
    DeviceFacts,
    Epoch,
    ModelFacts,
    RunCard,
    Status,
    Steps,
    Timing,
    change,
    spoken,
)

NAN = math.nan


@dataclass(frozen=True)
class Pretend:
    """A run whose every duration is known: steps, a slow first one, windows, validation."""

    epochs: int = 20
    steps_per_epoch: int = 1329
    step_ms: float = 17.0
    first_ms: float = 2500.0
    validation_seconds: float = 1.5
    window: int = 18
    noise: float = 0.08

    def series(self, steps: int | None = None) -> analysis.Series:
        """The first `steps` of the run, all by default."""
        random = np.random.default_rng(1)
        count = self.epochs * self.steps_per_epoch
        step = np.arange(1, count + 1)
        ms = self.step_ms * random.lognormal(0, self.noise, count)
        ms[0] = self.first_ms
        epoch = 1 + (step - 1) // self.steps_per_epoch
        seconds = np.cumsum(ms) / 1e3 + (epoch - 1) * self.validation_seconds
        ends = (step % self.window == 0) | (step % self.steps_per_epoch == 0)
        columns = {
            "step": step,
            "epoch": epoch,
            "seconds": np.where(ends, seconds, NAN),
            "ms": ms,
            "loss": np.where(ends, 5 - step / count, NAN),
            "accuracy": np.where(ends, step / count, NAN),
            "rss_mb": np.where(ends, 1000 + step / 100, NAN),
            "device_mb": np.where(ends, 500.0, NAN),
        }
        return analysis.Series(**{name: column[:steps] for name, column in columns.items()})

    def rows(self, done: int | None = None) -> tuple[Epoch, ...]:
        """The first `done` epochs, all by default."""
        ms = self.series().ms.reshape(self.epochs, self.steps_per_epoch)
        return tuple(
            epoch(
                number,
                seconds=float(ms[number - 1].sum()) / 1e3 + self.validation_seconds,
                step_ms_mean=float(ms[number - 1].mean()),
            )
            for number in range(1, (self.epochs if done is None else done) + 1)
        )

    def left(self, steps: int) -> float:
        """Seconds from the end of step `steps` to the end of the run."""
        training = float(self.series().ms[steps:].sum()) / 1e3
        checks = self.epochs - (steps - 1) // self.steps_per_epoch
        return training + checks * self.validation_seconds


def epoch(number: int, **fields: float) -> Epoch:
    values = {
        "loss": 4.0 / number,
        "accuracy": 0.1 * number,
        "val_loss": 4.5 / number,
        "val_accuracy": 0.09 * number,
        "seconds": 22.0,
        "step_ms_mean": 16.0,
    }
    return Epoch(epoch=number, **(values | fields))


def empty() -> analysis.Series:
    return analysis.Series.of(Steps())


# --- downsample -----------------------------------------------------------------------------

NUMBERS = st.one_of(st.floats(-1e6, 1e6), st.just(NAN), st.just(math.inf), st.just(-math.inf))
COLUMNS = arrays(np.float64, st.integers(0, 400), elements=NUMBERS)


@settings(deadline=None)
@given(COLUMNS, st.integers(4, 120))
def test_downsampling_keeps_first_last_lowest_and_highest_within_the_points_allowed(y, points):
    x = np.arange(len(y), dtype=float)
    kept_x, kept = analysis.downsample(x, y, points)
    assert len(kept) <= points
    np.testing.assert_array_equal(kept, y[kept_x.astype(int)])
    assert (np.diff(kept_x) > 0).all()
    if len(y):
        assert kept_x[0] == 0
        assert kept_x[-1] == len(y) - 1
    known = y[~np.isnan(y)]
    if len(known):
        assert np.nanmin(kept) == known.min()
        assert np.nanmax(kept) == known.max()


@settings(deadline=None)
@given(st.integers(300, 5000), st.integers(1, 400))
def test_a_growing_run_moves_no_old_point_until_buckets_double(count, more):
    y = np.random.default_rng(count).normal(size=count + more)
    x = np.arange(count + more, dtype=float)
    before, _ = analysis.downsample(x[:count], y[:count], 200)
    after, _ = analysis.downsample(x, y, 200)
    size = _bucket(count, 99)
    assume(size == _bucket(count + more, 99))
    whole = (count - 1) // size * size  # the last point of all is kept wherever it stands
    np.testing.assert_array_equal(before[before < whole], after[after < whole])


def test_a_gap_as_wide_as_a_bucket_stays_a_gap():
    y = np.ones(10_000)
    y[4000:6000] = NAN
    _, kept = analysis.downsample(np.arange(10_000.0), y, 100)
    assert np.isnan(kept).any()


def test_a_spike_of_one_step_survives_among_26580():
    y = np.ones(26_580)
    y[12_345] = 500.0
    x, kept = analysis.downsample(np.arange(26_580.0), y)
    assert len(kept) <= POINTS
    assert x[kept.argmax()] == 12_345


# --- curves ---------------------------------------------------------------------------------


def test_steps_of_a_run_card_become_columns_with_nan_for_null():
    steps = Steps(
        step=(1, 2),
        epoch=(1, 1),
        seconds=(None, 0.4),
        ms=(9.0, 8.0),
        loss=(None, 2.5),
        accuracy=(None, 0.1),
    )
    series = analysis.Series.of(steps)
    assert len(series) == 2
    np.testing.assert_array_equal(series.loss, [NAN, 2.5])
    assert series.rss_mb is None


@pytest.mark.parametrize(
    ("axis", "training_end", "checks"),
    [("step", 30, [10, 20, 30]), ("epoch", 3, [1, 2, 3]), ("seconds", 3.5, [1.5, 3, 4.5])],
)
def test_validation_stands_at_the_end_of_its_epoch_on_every_axis(axis, training_end, checks):
    run = Pretend(3, 10, 100, 100, 0.5, window=5, noise=0)
    run_curves = analysis.curves(run.series(), run.rows(), 10, axis)
    training = run_curves[(run_curves["metric"] == "loss") & (run_curves["split"] == "training")]
    validation = run_curves[
        (run_curves["metric"] == "accuracy") & (run_curves["split"] == "validation")
    ]
    # The last window ends where training does: the last validation is still to come by the clock.
    assert training["x"].iloc[-1] == pytest.approx(training_end + (0.5 if axis == "seconds" else 0))
    assert list(validation["x"]) == pytest.approx(checks)
    assert list(validation["value"]) == pytest.approx([0.09, 0.18, 0.27])


def test_the_first_batches_of_an_epoch_are_not_drawn_but_of_the_first():
    run = Pretend(2, 40, window=4)
    frame = analysis.only(analysis.curves(run.series(), (), 40), "accuracy")
    assert list(frame["x"]) == [*range(4, 41, 4), *range(52, 81, 4)]
    short = Pretend(2, 3, window=1)
    frame = analysis.only(analysis.curves(short.series(), (), 3), "accuracy")
    assert list(frame["x"]) == [1, 2, 3, 6]  # an epoch of fewer batches has its end


def test_training_shows_window_ends_only_and_by_fractions_of_an_epoch():
    run = Pretend(2, 20, window=10)
    frame = analysis.only(analysis.curves(run.series(), (), 20, "epoch"), "accuracy")
    assert list(frame["x"]) == [0.5, 1.0, 1.5, 2.0]
    assert list(frame["value"]) == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_a_run_without_steps_is_drawn_from_its_epochs():
    frame = analysis.only(analysis.curves(empty(), (epoch(1), epoch(2)), 10, "step"), "loss")
    training = frame[frame["split"] == "training"]
    assert list(training["x"]) == [10, 20]
    assert list(training["value"]) == [4.0, 2.0]


def test_infinity_is_a_gap_on_a_chart():
    frame = analysis.curves(empty(), (epoch(1, loss=math.inf, val_loss=NAN),), 10)
    assert analysis.only(frame, "loss")["value"].isna().all()


def test_frames_are_narrow_and_within_the_points_allowed():
    run = Pretend()
    series = run.series()
    both = analysis.curves(series, run.rows(), run.steps_per_epoch)
    frames = [
        analysis.only(both, "loss"),
        analysis.step_times(series),
        analysis.step_histogram(series),
        analysis.throughput(series, 32),
        analysis.memory(series),
    ]
    for frame in frames:
        assert len(frame) <= POINTS + run.epochs
        widths = {dtype.itemsize for dtype in frame.dtypes if not hasattr(dtype, "categories")}
        assert max(widths) <= 4


def test_overlaid_frames_know_their_run():
    one = analysis.only(analysis.curves(empty(), (epoch(1),), 10), "loss")
    both = analysis.overlay({"CPU": one, "GPU": one.assign(value=0.5)})
    assert both.groupby("run", observed=True)["value"].max().to_dict() == {"CPU": 4.5, "GPU": 0.5}


@pytest.mark.parametrize("axis", ["step", "epoch", "seconds"])
def test_before_the_first_step_every_frame_is_empty_but_has_its_columns(axis):
    series = empty()
    assert list(analysis.curves(series, (), 10, axis)) == ["x", "value", "metric", "split"]
    for frame in (
        analysis.curves(series, (), 10, axis),
        analysis.step_times(series),
        analysis.step_histogram(series),
        analysis.throughput(series, 32),
        analysis.memory(series),
    ):
        assert len(frame) == 0
        assert len(frame.columns) > 1


# --- steps ----------------------------------------------------------------------------------


def test_step_times_keep_the_slow_first_step_and_its_median_ignores_it():
    frame = analysis.step_times(Pretend().series())
    assert frame["ms"].iloc[0] == 2500
    assert frame["median_ms"].between(15, 19).all()


@settings(deadline=None)
@given(st.integers(1, 300))
def test_the_rolling_median_is_pandas_own_away_from_the_ends(count):
    series = Pretend(1, 300).series(count)
    ours = analysis.step_times(series)["median_ms"].to_numpy()
    theirs = pd.Series(series.ms).rolling(MEDIAN_WINDOW_STEPS, center=True).median().to_numpy()
    inside = ~np.isnan(theirs)
    np.testing.assert_allclose(ours[inside], theirs[inside], rtol=1e-6)


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 1e5), min_size=1, max_size=400))
def test_the_histogram_counts_every_step_after_warm_up_once(durations):
    ms = np.array(durations)
    column = np.full(len(ms), NAN)
    series = analysis.Series(np.arange(len(ms)) + 1, np.ones(len(ms)), column, ms, column, column)
    frame = analysis.step_histogram(series)
    assert frame["steps"].sum() == len(ms) - min(5, len(ms) // 2)
    assert (frame["to_ms"] > frame["from_ms"]).all() or ms.max() > 1e4
    assert frame["overflow"].sum() <= 1


def test_the_histogram_says_how_many_steps_were_longer_than_its_range():
    run = Pretend(1, 1005, noise=0.01)
    series = run.series()
    series.ms[500:503] = 900.0
    frame = analysis.step_histogram(series)
    longer = frame[frame["overflow"]]
    assert longer["steps"].iloc[0] >= 3
    assert longer["from_ms"].iloc[0] < 20


def test_throughput_is_pictures_over_seconds():
    run = Pretend(2, 400, step_ms=20, first_ms=20, noise=0)
    frame = analysis.throughput(run.series(), 32)
    assert frame["images_per_second"].to_numpy() == pytest.approx(1600)
    assert frame["seconds"].is_monotonic_increasing
    assert frame["seconds"].iloc[-1] == pytest.approx(16 + run.validation_seconds)


def test_memory_shows_the_process_and_the_device_where_each_was_read():
    frame = analysis.memory(Pretend(1, 100, window=10).series())
    assert frame.groupby("place", observed=True)["mb"].last().to_dict() == {
        "process": 1001,
        "device": 500,
    }
    series = replace(Pretend(1, 100).series(), device_mb=None)
    assert set(analysis.memory(series)["place"]) == {"process"}


def test_the_steady_figures_leave_out_the_warm_up_and_name_it():
    run = Pretend(1, 100, step_ms=20, first_ms=3000, noise=0)
    found = analysis.steady(run.series())
    assert (found.median_ms, found.mean_ms, found.p95_ms) == pytest.approx((20, 20, 20))
    assert found.warmup_steps == 5
    assert found.warmup_seconds == pytest.approx(3.08)
    assert analysis.steady(empty()) is None


# --- how far, how long ----------------------------------------------------------------------

SPEC = change(PRESETS["article"].spec, epochs=20)


@settings(deadline=None)
@given(st.integers(1329, 20 * 1329 - 1))
def test_after_the_first_epoch_the_time_left_is_right_within_a_fifth(steps):
    run = Pretend()
    rows = run.rows(steps // 1329)
    left = analysis.eta_seconds(run.series(steps), rows, SPEC, 1329)
    # With an epoch's last step its validation is over too: its row is there.
    truth = run.left(steps) - (run.validation_seconds if steps % 1329 == 0 else 0)
    assert left == pytest.approx(truth, rel=0.2, abs=1)


def test_during_a_validation_the_epoch_without_a_row_is_not_counted_twice():
    run = Pretend()
    left = analysis.eta_seconds(run.series(2 * 1329), run.rows(1), SPEC, 1329)
    assert left == pytest.approx(run.left(2 * 1329), rel=0.1)


def test_in_the_first_epoch_steps_and_an_allowance_for_validation_make_an_estimate():
    run = Pretend()
    left = analysis.eta_seconds(run.series(300), (), SPEC, 1329)
    assert left == pytest.approx(run.left(300), rel=0.2)


def test_a_slow_start_does_not_stretch_the_estimate():
    run = Pretend(first_ms=20_000)
    left = analysis.eta_seconds(run.series(1400), run.rows(1), SPEC, 1329)
    assert left == pytest.approx(run.left(1400), rel=0.2)


def test_a_hiccup_does_not_move_the_estimate():
    run = Pretend()
    series = run.series(3000)
    calm = analysis.eta_seconds(series, run.rows(2), SPEC, 1329)
    series.ms[-10] = 5000.0
    assert analysis.eta_seconds(series, run.rows(2), SPEC, 1329) == pytest.approx(calm, rel=0.05)


def test_nothing_is_estimated_before_anything_is_known_and_nothing_is_left_at_the_end():
    assert analysis.eta_seconds(empty(), (), SPEC, 1329) is None
    run = Pretend()
    assert analysis.eta_seconds(run.series(), run.rows(), SPEC, 1329) == 0


def test_progress_runs_from_nought_to_one():
    run = Pretend(2, 100)
    assert analysis.progress(empty(), 100, 2) == 0
    assert analysis.progress(run.series(50), 100, 2) == 0.25
    assert analysis.progress(run.series(), 100, 2) == 1


# --- runs side by side ----------------------------------------------------------------------


def card(device: str = "cpu", seconds: tuple[float, ...] = (30, 22, 23), **fields) -> RunCard:
    name = {"cpu": "Core i7-10875H"}.get(device.split(":")[0], "GeForce RTX 3060")
    values = {
        "run_id": f"run-{device}",
        "name": f"On {device}",
        "session": "Tests",
        "status": Status.FINISHED,
        "created_at": "2026-01-02T03:04:05+00:00",
        "spec": change(PRESETS["article"].spec, device=device),
        "model": ModelFacts(parameters=975_692, flops_per_image=193_000_000),
        "dataset": DatasetFacts(
            name="cifar100",
            train_images=42_500,
            validation_images=7_500,
            classes=100,
            image_shape=(32, 32, 3),
        ),
        "device": DeviceFacts(requested=device, used=device, name=name),
        "environment": {"torch": "2.13.0", "threads": 8, "load_average": 0.1},
        "epochs": tuple(epoch(i, seconds=value) for i, value in enumerate(seconds, 1)),
    }
    return RunCard(**(values | fields))


ARTICLE = PRESETS["article"].spec.model_dump(mode="json")["model"]
FEWER_FILTERS = ARTICLE | {
    "blocks": [{"convs": [{"filters": 64, "kernel": 7}], "pool": 2}, *ARTICLE["blocks"][1:]]
}
CPU = card("cpu", (400, 342, 344))
GPU = card("cuda:0", (30, 22.8, 22.8))


def test_a_fair_pair_gets_its_ratio_without_the_first_epoch():
    gain = analysis.speed_up(CPU, GPU)
    assert gain.ratio == pytest.approx(343 / 22.8)
    assert gain.warm


def test_the_verdict_is_one_sentence_whichever_run_comes_first():
    said = "The GPU is 15 times as fast: 22.8 s an epoch against 343 s."
    assert analysis.verdict(CPU, GPU) == said
    assert analysis.verdict(GPU, CPU) == said


def test_the_cpu_can_win():
    slow = card("cuda:0", (9, 4.0, 4.0))
    quick = card("cpu", (3, 2.5, 2.5))
    assert analysis.verdict(quick, slow) == (
        "The CPU is 1.6 times as fast: 2.5 s an epoch against 4 s."
    )


def test_a_lead_within_the_spread_of_epochs_is_no_lead():
    assert analysis.verdict(card("cpu", (9, 22.5)), card("cuda:0", (9, 22.0))) == (
        "About equally fast: CPU 22.5 s an epoch, GPU 22 s."
    )


def test_two_runs_of_one_kind_go_by_the_names_of_their_devices_or_their_own():
    other = card("cuda:1", (20, 10, 10), name="Second")
    assert "run “Second” is 2.28 times as fast" in analysis.verdict(GPU, other)
    named = other.device.model_copy(update={"name": "NVIDIA H200"})
    faster = other.model_copy(update={"device": named})
    assert analysis.verdict(GPU, faster).startswith("The NVIDIA H200 is 2.28 times as fast")


def test_single_epochs_are_compared_and_their_warm_up_confessed():
    assert analysis.verdict(card("cpu", (40,)), GPU) == (
        "The GPU is 1.33 times as fast: 30 s an epoch against 40 s "
        "(first epochs, warm-up included)."
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch_size", 64),
        ("precision", "mixed_bfloat16"),
        ("engine", "stock"),
        ("compile", True),
        ("optimizer", "sgd"),
        ("train_limit", 1000),
        ("validation_split", 0.2),
    ],
)
def test_a_pair_that_did_other_work_has_no_ratio_and_says_why(field, value):
    other = GPU.model_copy(update={"spec": change(GPU.spec, **{field: value})})
    reasons = analysis.comparability(CPU, other)
    assert len(reasons) == 1
    assert reasons[0].startswith(f"{spoken(field)} is ")
    assert analysis.speed_up(CPU, other) is None
    assert analysis.verdict(CPU, other) == f"No fair verdict: {reasons[0]}."


@pytest.mark.parametrize(
    ("field", "value"),
    [("gpu_off", "device"), ("epochs", 50), ("seed", 3), ("learning_rate", 0.01)],
)
def test_what_decides_no_duration_is_no_reason_against_a_pair(field, value):
    other = CPU.model_copy(update={"spec": change(CPU.spec, **{field: value})})
    assert analysis.comparability(other, GPU) == []


def test_versions_threads_and_data_count_where_both_runs_know_them():
    other = GPU.model_copy(update={"environment": {"torch": "2.4.1", "threads": 4}})
    assert analysis.comparability(CPU, other) == [
        "CPU threads is 8 against 4",
        "torch is 2.13.0 against 2.4.1",
    ]
    assert analysis.comparability(CPU, GPU.model_copy(update={"environment": {}})) == []
    smaller = GPU.dataset.model_copy(update={"train_images": 1700})
    assert analysis.comparability(CPU, GPU.model_copy(update={"dataset": smaller})) == [
        "examples to train on is 42,500 against 1,700"
    ]
    assert analysis.comparability(CPU, GPU.model_copy(update={"dataset": None})) == []


def test_another_network_is_named_and_a_long_list_of_reasons_is_cut_short():
    other = GPU.model_copy(update={"spec": change(PRESETS["tiny"].spec, dataset="cifar100")})
    said = analysis.verdict(CPU, other)
    assert said.startswith("No fair verdict: examples used is all against 8,000; the blocks of ")
    assert said.endswith(" more.")


@pytest.mark.parametrize(
    ("changes", "facts", "reasons"),
    [
        (
            {"dataset": "shapes", "train_limit": 2000},
            {"name": "shapes", "train_images": 1700, "validation_images": 300, "classes": 10},
            ["data set is cifar100 against shapes", "examples used is all against 2,000"],
        ),
        (
            {"train_limit": 2000},
            {"train_images": 1700, "validation_images": 300},
            ["examples used is all against 2,000"],
        ),
        ({}, {"name": "cifar10", "classes": 10}, ["data set found is cifar100 against cifar10"]),
        ({"model": {"family": "dense"}}, {}, ["family is CNN against Dense"]),
        ({"model": FEWER_FILTERS}, {}, ["block 1, Conv2D 1, filters is 128 against 64"]),
    ],
)
def test_what_only_follows_from_another_difference_is_not_told_again(changes, facts, reasons):
    relearnt = "model" in changes or "name" in facts  # so the number of parameters follows
    other = GPU.model_copy(
        update={
            "spec": change(GPU.spec, **changes),
            "dataset": GPU.dataset.model_copy(update=facts),
            "model": GPU.model.model_copy(update={"parameters": 1 if relearnt else 975_692}),
        }
    )
    assert analysis.comparability(CPU, other) == reasons


def test_a_run_without_a_finished_epoch_is_no_contestant():
    assert analysis.verdict(CPU, card("cuda:0", ())) == (
        "No fair verdict: On cuda:0 has no finished epoch."
    )


def test_only_what_differs_is_listed_by_dotted_name_as_text():
    other = GPU.model_copy(update={"spec": change(GPU.spec, batch_size=64, compile=True)})
    frame = analysis.differences([CPU, other])
    assert frame.loc["batch_size"].tolist() == ["32", "64"]
    assert frame.loc["compile"].tolist() == ["no", "yes"]
    assert frame.loc["device.name"].tolist() == ["Core i7-10875H", "GeForce RTX 3060"]
    assert "seed" not in frame.index
    assert list(frame.columns) == ["run-cpu", "run-cuda:0"]
    assert analysis.differences([CPU, CPU.model_copy(update={"name": "Again"})]).empty


def test_a_spec_is_flattened_to_dotted_names():
    flat = analysis.flatten(PRESETS["article"].spec.model_dump(mode="json"))
    assert flat["model.blocks.1.convs.1.filters"] == 256
    assert flat["model.dense"] == [200]
    assert flat["batch_size"] == 32


def test_the_kind_of_a_device_is_read_from_its_name():
    kinds = [analysis.device_kind(used) for used in ("cpu", "cpu:0", "cuda:0", "mps", "xpu")]
    assert kinds == ["cpu", "cpu", "accelerator", "accelerator", "accelerator"]


def test_the_ledger_has_a_row_for_each_phase_that_was_measured():
    timing = Timing(startup_seconds=3, warmup_seconds=2, train_seconds=400)
    frame = analysis.ledger([CPU.model_copy(update={"timing": timing}), GPU])
    assert frame.astype({"run": str, "phase": str}).values.tolist() == [
        ["run-cpu", "start-up", 3.0],
        ["run-cpu", "warm-up", 2.0],
        ["run-cpu", "training", 400.0],
    ]


# --- the history's table --------------------------------------------------------------------


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
