"""Columns of steps in; frames for charts out."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cnnlab import analysis
from cnnlab.analysis.series import MEDIAN_WINDOW_STEPS, POINTS, _bucket
from cnnlab.spec import (
    Steps,
)
from tests.analysis.pretend import NAN, Pretend, empty, epoch

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


def running(own: np.ndarray, steps_per_epoch: int, window: int) -> analysis.Series:
    """Steps whose own values are known, as Keras tells them: by the mean of the epoch so far."""
    step = np.arange(1, len(own) + 1)
    ends = (step % window == 0) | (step % steps_per_epoch == 0)
    means = [
        np.cumsum(part) / np.arange(1, len(part) + 1)
        for part in np.split(own, range(steps_per_epoch, len(own), steps_per_epoch))
    ]
    told = np.where(ends, np.concatenate(means), NAN)
    epoch = 1 + (step - 1) // steps_per_epoch
    clock = np.where(ends, step / 10, NAN)
    return analysis.Series(step, epoch, clock, np.full(len(own), 100.0), told, told)


def test_no_cliff_stands_where_an_epoch_ends():
    own = np.linspace(1.0, 0.0, 400)
    frame = analysis.only(analysis.curves(running(own, 100, 4), (), 100), "loss")
    falls = -np.diff(frame["value"])
    assert falls.max() < 2.5 * np.median(falls)  # the running mean falls by 0.12 at each epoch


def test_training_is_the_mean_of_the_last_fifth_of_an_epoch():
    own = np.random.default_rng(0).random(300)
    frame = analysis.only(analysis.curves(running(own, 100, 5), (), 100), "accuracy")
    assert list(frame["x"]) == list(range(5, 301, 5))
    at = {int(x): value for x, value in zip(frame["x"], frame["value"], strict=True)}
    for step in (40, 110, 205, 300):  # also where those steps lie in two epochs
        assert at[step] == pytest.approx(own[step - 20 : step].mean(), rel=1e-5)
    assert at[5] == pytest.approx(own[:5].mean(), rel=1e-5)


def test_training_shows_window_ends_only_and_by_fractions_of_an_epoch():
    series = running(np.ones(40), 20, 10)
    frame = analysis.only(analysis.curves(series, (), 20, "epoch"), "accuracy")
    assert list(frame["x"]) == [0.5, 1.0, 1.5, 2.0]
    assert list(frame["value"]) == pytest.approx([1.0] * 4)


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
