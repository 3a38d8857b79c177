"""A change and the spec that it changes, in turns."""

import pytest

from cnnlab.spec import PRESETS, LabError, RunEnded, Status, Timing, change
from cnnlab.training import trying
from cnnlab.training.callback import Stopped
from cnnlab.training.trying import outcome, try_change
from tests.example_runs import disturbances

DENSE = change(PRESETS["dense"].spec, train_limit=3000, device="cpu", threads=1)


@pytest.fixture
def turns(monkeypatch):
    """Turns that take what the test says, in the order in which they were asked for."""
    taken = []

    def measure(spec, emit, stop, *, seconds, until_steady):
        taken.append(spec.batch_size)
        ms = {32: 1.0, 64: 1.25}[spec.batch_size] + 0.01 * len(taken)
        return RunEnded(status=Status.FINISHED, timing=Timing(step_ms_median=ms))

    monkeypatch.setattr(trying, "measure", measure)
    return taken


def test_the_two_take_turns_so_that_whatever_drifts_drifts_for_both(turns):
    try_change(DENSE, {"batch_size": 64}, lambda: False, pairs=2)
    assert turns == [32, 64, 64, 32]


def test_what_counts_is_the_pictures_that_a_step_takes_in(turns):
    found = try_change(DENSE, {"batch_size": 64}, lambda: False, expected=2.0, pairs=2)
    assert found.low == pytest.approx(2 * 1.01 / 1.27)
    assert found.high == pytest.approx(2 * 1.04 / 1.28)
    assert found.low < found.ratio < found.high
    assert (found.outcome, found.pairs, found.expected) == ("faster", 2, 2.0)
    assert found.base_step_ms == pytest.approx(1.025)


@pytest.mark.parametrize(
    ("ratios", "said"),
    [
        ([1.2, 1.1, 1.3], "faster"),
        ([1.2, 0.99, 1.3], "nothing"),
        ([1.01, 1.02, 1.03], "nothing"),
        ([0.9, 0.8, 0.7], "slower"),
        ([0.9, 1.01, 0.7], "nothing"),
        ([1.0, 1.0, 1.0], "nothing"),
    ],
)
def test_an_outcome_is_claimed_only_where_all_pairs_agree(ratios, said):
    assert outcome(ratios) == said


def test_each_disturbance_is_told_once(monkeypatch):
    seen = disturbances("Busy.")
    ended = RunEnded(status=Status.FINISHED, timing=Timing(step_ms_median=1.0), disturbances=seen)
    monkeypatch.setattr(trying, "measure", lambda *_, **__: ended)
    assert try_change(DENSE, {"batch_size": 64}, lambda: False).marks == ("Busy.",)


def test_it_is_broken_off_when_it_is_asked_to_stop(monkeypatch):
    monkeypatch.setattr(trying, "measure", lambda *_, **__: RunEnded(status=Status.STOPPED))
    with pytest.raises(Stopped):
        try_change(DENSE, {"batch_size": 64}, lambda: True)


def test_a_change_that_cannot_be_is_refused(turns):
    with pytest.raises(LabError, match="batch_size"):
        try_change(DENSE, {"batch_size": 0}, lambda: False)
    assert turns == []


def test_a_batch_eight_times_as_large_is_truly_measured():
    found = try_change(DENSE, {"batch_size": 256}, lambda: False, pairs=1, seconds=0.2)
    assert found.base_step_ms > 0
    assert found.ratio == found.low == found.high
