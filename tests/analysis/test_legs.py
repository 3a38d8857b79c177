"""Legs of a race are called by their lane and their place."""

from cnnlab.analysis import names_with_legs, race_of
from cnnlab.spec import RunCard
from tests.race.examples import leg


def named(lane: int, turn: int, race: str = "Tiny · 2,000 examples") -> RunCard:
    """A leg under the name that its race gave it."""
    card = leg(lane, turn, 2.0, title=("stock engine", "fast engine")[lane])
    part = card.part.model_copy(update={"group": race, "group_id": race})
    return card.model_copy(update={"name": part.leg_name, "part": part})


def test_legs_of_several_rounds_go_by_lane_and_place_without_the_race():
    cards = [named(lane, turn) for turn in (0, 1) for lane in (0, 1)]
    assert names_with_legs(cards) == [
        "stock engine, leg 1",
        "fast engine, leg 1",
        "stock engine, leg 2",
        "fast engine, leg 2",
    ]
    assert race_of(cards) == "Tiny · 2,000 examples"


def test_legs_of_one_round_go_by_their_lanes_alone():
    assert names_with_legs([named(0, 1), named(1, 1)]) == ["stock engine", "fast engine"]


def test_of_several_races_each_is_told():
    names = names_with_legs([named(lane, 0, race) for race in ("One", "Two") for lane in (0, 1)])
    assert names[1:3] == ["One · fast engine", "Two · stock engine"]


def test_a_leg_alone_and_one_that_somebody_named_keep_their_names():
    own = named(1, 0).model_copy(update={"name": "Mine"})
    assert names_with_legs([named(0, 0), own]) == ["Tiny · 2,000 examples: stock engine", "Mine"]
    assert race_of([named(0, 0), own]) is None
