"""What visitors type: names that anybody may see, numbers that can be bets, and not too often."""

from __future__ import annotations

import math

import pytest

from cnnlab.room.entries import Doorkeeper, checked_name, checked_times
from cnnlab.spec import LabError


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Ann", "Ann"),
        ("  Ann \n\t B.  ", "Ann B."),
        ("Zoë", "Zoë"),
        ("Zoe\u0308", "Zoë"),
        ("李雷", "李雷"),
        ("हिन्दी", "हिन्दी"),
        ("A\u202enn\u200b", "Ann"),  # turns what follows; cannot be seen
        ("Z" + "\u0301" * 30, "Ź\u0301\u0301"),
        ("**bold** :red[x]", "**bold** :red[x]"),
        ("🚀", "🚀"),
    ],
)
def test_a_name_is_one_line_of_what_can_be_seen(typed: str, name: str) -> None:
    assert checked_name(typed) == name


@pytest.mark.parametrize("typed", ["", "   ", "\u200b\u202e", "\n", "\u0301", "\ud800"])
def test_a_name_of_nothing_is_refused(typed: str) -> None:
    with pytest.raises(LabError, match="Give a name"):
        checked_name(typed)


def test_a_long_name_is_refused_with_its_length() -> None:
    with pytest.raises(LabError, match="this one has 25"):
        checked_name("x" * 25)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -1.0, 0.0, 0.009, 10_001.0])
def test_what_cannot_be_a_ratio_is_no_bet(value: float | None) -> None:
    with pytest.raises(LabError, match=r"A bet is a number from 0\.01 to 10,000"):
        checked_times(value)


def test_a_browser_may_try_a_few_times_and_then_every_few_seconds() -> None:
    clock = [0.0]
    door = Doorkeeper(lambda: clock[0])
    for _ in range(Doorkeeper.AT_ONCE):
        door.admit("a")
    with pytest.raises(LabError, match="try again in 3 s"):
        door.admit("a")
    door.admit("b")
    clock[0] += Doorkeeper.EVERY_SECONDS
    door.admit("a")
    with pytest.raises(LabError):
        door.admit("a")


def test_who_comes_under_a_new_name_each_time_is_held_back_with_all() -> None:
    clock, admitted = [0.0], 0
    door = Doorkeeper(lambda: clock[0])
    for number in range(5000):
        clock[0] += 0.001
        try:
            door.admit(f"browser {number}")
        except LabError:
            continue
        admitted += 1
    # Five seconds, ten in each.
    assert admitted == pytest.approx(Doorkeeper.ALL_AT_ONCE + 50, abs=1)


def test_a_room_of_fifty_that_bets_at_once_is_let_in() -> None:
    door = Doorkeeper(lambda: 0.0)
    for number in range(50):
        door.admit(f"phone {number}")
