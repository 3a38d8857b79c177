"""Who runs next in a race, and when it is over."""

from __future__ import annotations

from collections.abc import Callable

from cnnlab.race import Leg, Referee, Timed
from cnnlab.spec import Lane, RacePlan
from tests.example_runs import TINY


def plan(lanes: int = 2, **facts: object) -> RacePlan:
    titles = "ABCD"[:lanes]
    entered = tuple(Lane(title=title, spec=TINY) for title in titles)
    return RacePlan(lanes=entered, **({"leg_seconds": 3.0} | facts))  # type: ignore[arg-type]


def drive(referee: Referee, time: Callable[[Leg], Timed | None], seconds: float = 8.0) -> list[str]:
    """Let every run take so many seconds; the lanes in the order in which they ran."""
    order, spent = [], 0.0
    while leg := referee.next(spent):
        order.append(leg.entry.title)
        spent += seconds
        referee.add(leg, time(leg))
    return order


def steady(leg: Leg) -> Timed:
    return Timed(10.0 * (leg.lane + 1), disturbed=False)


def drifting(leg: Leg) -> Timed:
    """Pairs that never agree."""
    return Timed(10.0 * (1 + leg.lane * (leg.turn % 2)), disturbed=False)


def test_lanes_go_there_and_back_again() -> None:
    assert "".join(drive(Referee(plan(rounds=4)), steady)) == "ABBAABBA"
    assert "".join(drive(Referee(plan(3, rounds=2)), steady)) == "ABCCBA"


def test_pairs_that_agree_end_the_race_soon_but_never_before_three() -> None:
    order = drive(Referee(plan(budget_seconds=1000)), steady)
    assert 3 <= len(order) / 2 <= 5


def test_pairs_that_differ_go_on_until_the_budget_has_no_room_for_another() -> None:
    referee = Referee(plan(budget_seconds=100))
    assert len(drive(referee, drifting)) == 12  # six rounds of 16 s; a seventh would be too long
    assert not referee.compared()[1].gain.sure


def test_three_pairs_are_run_whatever_the_budget() -> None:
    assert len(drive(Referee(plan(budget_seconds=1)), drifting)) == 6


def test_of_whole_trainings_one_round_may_be_all_that_the_budget_holds() -> None:
    assert len(drive(Referee(plan(leg_seconds=None, budget_seconds=10)), steady)) == 2


def test_a_disturbed_pair_is_run_again_and_left_out() -> None:
    def second_disturbed(leg: Leg) -> Timed:
        slow = leg.turn == 1
        return Timed(steady(leg).us_per_image * (1.4 if slow else 1), slow and leg.lane == 1)

    referee = Referee(plan(budget_seconds=1000))
    rounds = len(drive(referee, second_disturbed)) / 2
    compared = referee.compared()[1]
    assert compared.left_out == 1
    assert compared.gain.pairs == rounds - 1 >= 3
    assert not compared.disturbed


def test_where_every_pair_is_disturbed_all_count_and_it_is_said() -> None:
    referee = Referee(plan(budget_seconds=50))
    drive(referee, lambda leg: Timed(10.0, disturbed=True))
    assert referee.compared()[1].disturbed
    assert referee.compared()[1].gain.pairs == 3


def test_a_lane_that_fails_is_out_and_ends_a_race_of_two() -> None:
    assert drive(Referee(plan()), lambda leg: steady(leg) if leg.lane else None) == ["A", "B"]


def test_with_three_lanes_the_others_go_on_without_the_one_that_failed() -> None:
    order = drive(Referee(plan(3, rounds=2)), lambda leg: None if leg.lane == 1 else steady(leg))
    assert "".join(order) == "ABCCA"


def test_a_lane_alone_runs_as_often_as_was_asked() -> None:
    assert drive(Referee(plan(1, rounds=2)), steady) == ["A", "A"]
    assert len(drive(Referee(plan(1)), steady)) >= 3
