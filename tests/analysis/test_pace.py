"""How far a run is, and how long it will take."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab import analysis
from cnnlab.spec import (
    PRESETS,
    change,
)
from tests.analysis.pretend import Pretend, empty

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


def test_a_compilation_in_the_first_validation_does_not_stretch_it_either():
    """A run of 22 s was said to have 2 min 40 s left."""
    run = Pretend()
    (first,) = run.rows(1)
    compiled = first.model_copy(update={"seconds": first.seconds + 600.0})
    left = analysis.eta_seconds(run.series(1400), [compiled], SPEC, 1329)
    assert left == pytest.approx(run.left(1400), rel=0.2)


def test_by_the_first_steps_alone_nothing_is_said():
    run = Pretend(first_ms=20_000)
    said = [analysis.eta_seconds(run.series(steps), (), SPEC, 1329) for steps in range(1, 12)]
    assert said[0] is said[3] is None
    assert said[-1] == pytest.approx(run.left(11), rel=0.3)


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
