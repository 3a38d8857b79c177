"""What so many pictures can tell, held against published examples."""

from __future__ import annotations

import pytest

from cnnlab.analysis.chances import gain, wilson


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
