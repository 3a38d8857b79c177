"""What so many pictures can tell, held against published examples."""

from __future__ import annotations

import pytest

from cnnlab.analysis.chances import gain, mcnemar, paired_gain, wilson
from cnnlab.spec import Paired


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    # Newcombe, Statistics in Medicine 17, 1998, p. 857, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)],
)
def test_wilsons_interval_is_the_published_one(right, count, low, high):
    found = wilson(right / count, count)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    # Newcombe, the same volume, p. 873, table II, method 10.
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090)],
)
def test_the_interval_of_a_difference_is_the_published_one(one, other, low, high):
    found = gain(other[0] / other[1], one[0] / one[1], (other[1], one[1]))
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_no_wrong_answer_and_no_right_one_have_intervals_too():
    found = gain(0.0, 1.0, (10, 10))
    assert found.value == 1
    assert found.high == 1
    assert 0.5 < found.low < 1


# --- the same pictures ----------------------------------------------------------------------


def test_the_interval_of_a_paired_difference_is_the_published_one():
    # Newcombe, the same volume, p. 2642, method 10, of 36, 12, 2 and 0 pairs.
    found = paired_gain(Paired(both=36, only_first=2, only_second=12, neither=0))
    assert found == pytest.approx((0.2, 0.0569, 0.3404), abs=5e-5)


def test_pairs_tell_more_than_two_counts_where_answers_agree():
    counts = Paired(6000, 130, 80, 1290)
    paired, apart = paired_gain(counts), gain(6130 / 7500, 6080 / 7500, (7500, 7500))
    assert paired.value == pytest.approx(apart.value)
    assert paired.high < 0 < apart.high
    assert paired.high - paired.low < (apart.high - apart.low) / 2


def test_pairs_that_never_agree_and_those_that_always_do_have_an_interval():
    assert paired_gain(Paired(9, 0, 0, 0)).value == 0
    never = paired_gain(Paired(0, 5, 5, 0))
    assert never.low < 0 < never.high


@pytest.mark.parametrize(
    ("only_first", "only_second"), [(0, 0), (1, 9), (9, 1), (5, 5), (130, 80), (4_000, 4_300)]
)
def test_mcnemars_test_is_the_binomial_one(only_first, only_second):
    stats = pytest.importorskip("scipy.stats")
    count = only_first + only_second
    expected = stats.binomtest(only_first, count).pvalue if count else 1.0
    found = mcnemar(only_first, only_second)
    assert found == pytest.approx(expected, rel=1e-9)
    assert mcnemar(1, 9) == pytest.approx(22 / 1024)
