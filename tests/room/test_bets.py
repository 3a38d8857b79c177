"""Bets: one each while they are open, closed as the race begins, and the nearest by ratio."""

from __future__ import annotations

import threading

import pytest

from cnnlab.room import Bet, Bets, Entered, dots_frame, nearest, told
from cnnlab.room.bets import MOST_BETS
from cnnlab.spec import LabError

LANES = ("CPU", "GPU")


class Clock:
    """Minutes go by between any two questions."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 60.0
        return self.now


@pytest.fixture
def bets() -> Bets:
    found = Bets(Clock())
    found.open_bets(LANES)
    return found


def waits(race_id: str = "r", lanes: tuple[str, ...] = LANES) -> Entered:
    return Entered(race_id, lanes, begun=False)


def runs(race_id: str = "r") -> Entered:
    return Entered(race_id, LANES, begun=True)


def test_each_browser_has_one_bet_which_it_may_change(bets: Bets) -> None:
    bets.place_bet("a", "Ann", 3)
    bets.place_bet("b", "Bob", 20)
    bets.place_bet("a", "Anna", 4)
    book = bets.book()
    assert book
    assert book.all == (Bet("Anna", 4.0), Bet("Bob", 20.0))
    assert book.of("a") == Bet("Anna", 4.0)
    assert book.of("c") is None


def test_two_browsers_cannot_bet_under_one_name(bets: Bets) -> None:
    bets.place_bet("a", "Ann", 3)
    with pytest.raises(LabError, match="Somebody else bets as ANN"):
        bets.place_bet("b", "ANN", 4)


def test_a_bet_that_is_none_leaves_the_book_as_it_was(bets: Bets) -> None:
    for name, times in (("", 2.0), ("Ann", None), ("Ann", -1.0), ("x" * 25, 2.0)):
        with pytest.raises(LabError):
            bets.place_bet("a", name, times)
    assert bets.book().all == ()


def test_the_book_has_an_end(bets: Bets) -> None:
    for number in range(MOST_BETS):
        bets.place_bet(str(number), f"Visitor {number}", 2)
    with pytest.raises(LabError, match="The book is full"):
        bets.place_bet("one more", "One more", 2)
    bets.place_bet("3", "Visitor 3", 5)  # who has bet may still change it


def test_nobody_bets_before_bets_are_taken_or_on_one_lane() -> None:
    bets = Bets(Clock())
    with pytest.raises(LabError, match="No bets are taken"):
        bets.place_bet("a", "Ann", 2)
    with pytest.raises(LabError, match="two lanes"):
        bets.open_bets(("CPU",))


def test_bets_stay_open_while_the_race_waits_and_close_as_it_begins(bets: Bets) -> None:
    bets.place_bet("a", "Ann", 3)
    bets.keep_up([waits("another", ("one", "two"))])
    assert bets.book().race_id is None
    bets.keep_up([waits()])
    assert bets.book() == bets.book("r")
    bets.place_bet("b", "Bob", 4)
    bets.keep_up([runs()])
    assert bets.book() is None
    assert not bets.book("r").open
    assert [bet.name for bet in bets.book("r").all] == ["Ann", "Bob"]
    with pytest.raises(LabError, match="No bets are taken"):
        bets.place_bet("c", "Cem", 5)


def test_a_race_that_begins_at_once_or_is_withdrawn_closes_its_book(bets: Bets) -> None:
    bets.keep_up([runs()])
    assert not bets.book("r").open
    bets.open_bets(LANES, begun=["r"])
    bets.keep_up([runs(), waits("next")])  # the old race is not the next one
    assert bets.book("next").open
    bets.keep_up([])
    assert not bets.book("next").open


def test_each_opening_and_closing_is_counted_and_no_bet_is(bets: Bets) -> None:
    before = bets.changes
    bets.place_bet("a", "Ann", 3)
    bets.keep_up([])
    assert bets.changes == before
    bets.keep_up([waits()])
    bets.close_bets()
    assert bets.changes == before + 2


def test_the_question_names_the_lanes(bets: Bets) -> None:
    assert bets.book().question == "How many times as fast as CPU will GPU be?"
    bets.open_bets(("one", "two", "three"))
    assert bets.book().question.endswith("as one will the fastest of the others be?")


def test_fifty_threads_bet_and_each_counts(bets: Bets) -> None:
    crowd = [
        threading.Thread(target=bets.place_bet, args=(str(n), f"Visitor {n}", 1 + n))
        for n in range(50)
    ]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert len(bets.book().all) == 50


# --- who came near --------------------------------------------------------------------------


def test_the_nearest_is_so_by_ratio_not_by_difference() -> None:
    low, high = Bet("Low", 2), Bet("High", 7)
    assert nearest([low, high], 4) == (high,)  # 1.75 times too much against 2 times too little
    assert nearest([low, high], 3) == (low,)


def test_twice_and_half_are_equally_near_and_a_tie_names_all() -> None:
    bets = [Bet("Ann", 2), Bet("Bob", 8), Bet("Cem", 3), Bet("Dee", 4 * 4 / 3)]
    assert {bet.name for bet in nearest(bets, 4)} == {"Cem", "Dee"}
    assert told(bets, 4) == "Equally near: Cem with 3, Dee with 5.33."
    assert told(bets[:1], 4) == "Nearest: Ann with 2."
    assert told([Bet(name, 2) for name in "abcde"], 4).endswith("c with 2 and 2 more.")
    assert told([], 4) == ""


def test_the_spread_is_a_dot_each_stacked_where_bets_are_close() -> None:
    bets = [Bet("Ann", 10), Bet("Bob", 10.2), Bet("Cem", 0.5)]
    frame = dots_frame(bets, None)
    assert list(frame["name"]) == ["Cem", "Ann", "Bob"]
    assert list(frame["height"]) == [1, 1, 2]
    assert list(frame["said"]) == ["0.5", "10", "10.2"]
    assert set(frame["part"]) == {"bet"}
    decided = dots_frame(bets, 8.0)
    assert list(decided["part"]) == ["bet", "nearest", "bet", "landed"]
    assert decided["times"].iloc[-1] == 8
    assert len(dots_frame([], None)) == 0
