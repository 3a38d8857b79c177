"""Figures are said as a person says them."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab import words

UNIT_SECONDS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86_400}


def spoken_seconds(text: str) -> float:
    parts = re.findall(r"([\d.,e-]+) (ms|s|min|h|d)", text)
    return sum(float(amount.replace(",", "")) * UNIT_SECONDS[unit] for amount, unit in parts)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (455, "7 min 35 s"),
        (6862, "1 h 54 min 22 s"),
        (0.82, "0.82 s"),
        (0.035, "35 ms"),
        (22.84, "22.8 s"),
        (59.96, "1 min"),
        (3600, "1 h"),
        (3599.7, "1 h"),
        (86_399.9, "1 d"),
        (180_305, "2 d 2 h 5 min"),
        (0, "0 s"),
        (-2.5, "−2.5 s"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_a_duration_is_said_in_the_units_a_person_would_use(seconds, said):
    assert words.duration(seconds) == said


@settings(deadline=None)
@given(st.floats(1e-6, 1e7))
def test_a_duration_is_within_one_percent_of_what_was_measured(seconds):
    assert spoken_seconds(words.duration(seconds)) == pytest.approx(seconds, rel=0.01)


@settings(deadline=None)
@given(st.floats(0.1, 1e7), st.floats(0.1, 1e7))
def test_a_longer_duration_is_never_said_as_a_shorter_one(a, b):
    low, high = sorted((a, b))
    assert spoken_seconds(words.duration(low)) <= spoken_seconds(words.duration(high))


@settings(deadline=None)
@given(st.floats(1, 1e7))
def test_no_part_of_a_duration_is_nought_or_overflows_its_unit(seconds):
    limits = {"s": 60, "min": 60, "h": 24}
    for amount, unit in re.findall(r"([\d.]+) (min|s|h|d)", words.duration(seconds)):
        assert 0 < float(amount) < limits.get(unit, math.inf)


@settings(deadline=None)
@given(st.floats(-1e12, 1e12).filter(lambda x: abs(x) > 1e-9))
def test_a_number_keeps_three_significant_digits(value):
    said = words.number(value).replace(",", "").replace("−", "-")
    assert float(said) == pytest.approx(value, rel=0.0051)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (15.12, "15.1"),
        (975_692, "976,000"),
        (0.01234, "0.0123"),
        (20.0, "20"),
        (999.7, "1,000"),
        (0.0000123, "1.23e-05"),
        (math.inf, "infinite"),
        (-math.inf, "−infinite"),
        (None, "–"),
    ],
)
def test_a_number_has_no_idle_noughts(value, said):
    assert words.number(value) == said


@settings(deadline=None)
@given(st.integers(-(10**15), 10**15))
def test_a_count_keeps_every_digit(value):
    assert int(words.count(value).replace(",", "")) == value


def test_counts_and_shares_are_said_with_separators_and_percent():
    assert words.count(975_692) == "975,692"
    assert words.count(None) == words.percent(None) == words.percent(math.nan) == words.UNKNOWN
    assert words.percent(0.4087) == "40.9 %"
    assert words.percent(1) == "100 %"


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (18.5e9, "FLOP", "18.5 GFLOP"),
        (999_999, "B", "1 MB"),
        (512, "B", "512 B"),
        (0, "B", "0 B"),
        (0.3, "B", "0.3 B"),
        (None, "B", "–"),
    ],
)
def test_a_large_figure_gets_a_prefix(value, unit, said):
    assert words.scaled(value, unit) == said


@settings(deadline=None)
@given(st.floats(1, 9.9e17))
def test_a_prefix_leaves_less_than_a_thousand_before_it(value):
    amount, unit = words.size(value).split()
    assert float(amount.replace(",", "")) < 1000
    power = " kMGTP".index(unit[0]) if len(unit) > 1 else 0
    assert float(amount) * 1000**power == pytest.approx(value, rel=0.0051)
