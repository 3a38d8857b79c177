"""Runners on a track: everybody at the same second, and nobody further than that."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cnnlab.analysis import Series
from cnnlab.published import REFERENCES
from cnnlab.race import track
from cnnlab.race.track import Runner, Trail


def trail(*points: tuple[float, float]) -> Trail:
    seconds, pictures = zip((0.0, 0.0), *points, strict=True)
    return Trail(np.array(seconds), np.array(pictures))


SLOW = Runner("slow", "ghost", trail((1.0, 100.0), (3.0, 300.0)))
FAST = Runner("fast", "runs", trail((1.0, 250.0), (2.0, 500.0)))
WAITING = Runner("later", "waits", None)


def test_a_trail_goes_through_the_ends_of_windows() -> None:
    nan = math.nan
    flat = np.zeros(4)
    series = Series(np.arange(1, 5), np.ones(4), np.array([nan, 0.5, nan, 1.5]), flat, flat, flat)
    found = Trail.of(series, np.array([32.0, 32.0, 32.0, 8.0]))
    assert list(found.seconds) == [0, 0.5, 1.5]
    assert list(found.pictures) == [0, 64, 104]


def test_who_ran_before_goes_along_with_who_runs_now_and_no_further() -> None:
    now = track.clock([SLOW, FAST, WAITING])
    assert now == 2  # not 3, to where the ghost came in the end
    assert SLOW.at(now) == pytest.approx(200)
    assert SLOW.clock(now) == 2


def test_of_two_that_take_turns_the_clock_shows_what_both_have_behind_them() -> None:
    holds = Runner("holds", "runs", trail((1.0, 90.0), (1.6, 150.0)))
    now = track.clock([holds, FAST])
    assert now == 1.6
    found = track.gap([holds, FAST], now)
    assert found is not None
    assert (found.title, found.pictures) == ("fast", pytest.approx(400 - 150))


def test_who_has_come_to_its_end_stands_still_and_so_does_its_clock() -> None:
    assert SLOW.at(9.0) == 300
    assert SLOW.clock(9.0) == 3


def test_between_two_runs_the_clock_stands_at_the_end_of_the_longest() -> None:
    assert track.clock([SLOW, WAITING]) == 3
    assert track.clock([WAITING]) == 0


def test_a_race_that_is_over_is_shown_when_the_first_came_in() -> None:
    quick = Runner("quick", "ghost", trail((2.0, 300.0)))
    assert track.finish([SLOW, quick, WAITING]) == 2
    assert track.finish([WAITING]) == 0


def test_a_recorded_opponent_does_not_set_the_clock() -> None:
    recorded = Runner("Published", "recorded", Trail.published(REFERENCES["article-gpu-20"]))
    assert track.clock([recorded, SLOW]) == 3


def test_a_published_run_goes_at_the_pace_that_its_whole_time_gives() -> None:
    found = Trail.published(REFERENCES["article-gpu-20"])
    assert found.at(455 / 20) == pytest.approx(42_500)


def test_the_track_of_cut_runs_is_as_long_as_the_fastest_will_get() -> None:
    assert track.length([SLOW, FAST], None, 4.0) == pytest.approx(1000)
    assert track.length([SLOW, WAITING], None, 3.0) == pytest.approx(300)
    assert track.length([SLOW, FAST], 5000.0, None) == 5000
    assert track.length([WAITING], None, 3.0) > 0


def test_the_gap_is_counted_at_one_second_for_both() -> None:
    found = track.gap([SLOW, FAST, WAITING], 2.0)
    assert found is not None
    assert (found.title, found.pictures) == ("fast", pytest.approx(300))


def test_there_is_no_gap_before_two_have_moved() -> None:
    assert track.gap([SLOW, WAITING], 2.0) is None
    assert track.gap([SLOW, FAST], 0.0) is None
