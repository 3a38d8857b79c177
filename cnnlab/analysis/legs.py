"""What the runs of a race are called where several of them stand side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from cnnlab.spec import Part, RunCard


def names_with_legs(cards: Sequence[RunCard]) -> list[str]:
    """The names of runs. Of several legs of a race each goes by its lane and, where they are of
    several rounds, by its place; before it stands the race where there is more than one.

    A name that somebody wrote over a leg's own stays.
    """
    turns: dict[str, list[int]] = defaultdict(list)
    for part in filter(None, map(_leg, cards)):
        turns[part.group_id].append(part.turn)
    several = len(turns) > 1
    return [
        _leg_name(leg, race=several, place=len(set(turns[leg.group_id])) > 1)
        if (leg := _leg(card)) and len(turns[leg.group_id]) > 1
        else card.name
        for card in cards
    ]


def race_of(cards: Sequence[RunCard]) -> str | None:
    """The race of which all of several runs are legs; None where there is none."""
    legs = [leg for card in cards if (leg := _leg(card))]
    one = len(legs) == len(cards) > 1 and len({leg.group_id for leg in legs}) == 1
    return legs[0].group if one else None


def _leg(card: RunCard) -> Part | None:
    """The part of a leg that bears its own name."""
    part = card.part
    return part if part and part.kind == "race" and card.name == part.leg_name else None


def _leg_name(leg: Part, *, race: bool, place: bool) -> str:
    said = f"{leg.lane_title}, leg {leg.turn + 1}" if place else leg.lane_title
    return f"{leg.group} · {said}" if race else said
