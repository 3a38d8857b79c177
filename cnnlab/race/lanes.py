"""The runs of a race by their lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median

from cnnlab.race.opponents import kind
from cnnlab.race.pairs import Timed, timed
from cnnlab.spec import RunCard, Status


@dataclass
class Runs:
    """The runs of a lane, in the order in which they ran."""

    lane: int
    title: str
    cards: list[RunCard] = field(default_factory=list)

    @cached_property
    def turns(self) -> dict[int, Timed]:
        """The figures of those that finished, by their turn."""
        numbered = (
            (card.part.turn if card.part else turn, card) for turn, card in enumerate(self.cards)
        )
        return {turn: found for turn, card in numbered if (found := figure(card))}

    @property
    def us_per_image(self) -> float | None:
        """The median over the runs, in microseconds; null where none has a figure."""
        return median(one.us_per_image for one in self.turns.values()) if self.turns else None

    @property
    def lost(self) -> str | None:
        """Why there is no figure, as the rest of a sentence; null where there is one."""
        if self.turns:
            return None
        card = next((card for card in self.cards if card.status.over), None)
        if card is None:
            return "has not run"
        why = f": {card.error.rstrip('.')}" if card.error else ""
        if card.status is Status.FINISHED:
            return "took no step after its warm-up"
        return f"{'failed' if card.status is Status.FAILED else f'was {card.status}'}{why}"


def figure(card: RunCard) -> Timed | None:
    """What a run came to; None where it did not finish."""
    if card.status is not Status.FINISHED:
        return None
    return timed(card.spec, card.dataset, card.timing, card.disturbances)


def lanes(cards: Sequence[RunCard]) -> list[Runs]:
    """The runs by their lanes; those that are no part of a race by their kind of device."""
    found: dict[int, Runs] = {}
    for card in cards:
        if card.part:
            number, title = card.part.lane, card.part.lane_title
        else:
            number, title = (0, "CPU") if kind(card) == "cpu" else (1, "GPU")
        found.setdefault(number, Runs(number, title)).cards.append(card)
    return [found[number] for number in sorted(found)]


def beside(driven: Runs, recorded: RunCard) -> list[Runs]:
    """A lane that was driven and a recorded run, which has the same figure in every turn.

    The CPU comes first where the two are of different kinds.
    """
    turns = [card.part.turn if card.part else turn for turn, card in enumerate(driven.cards)]
    guest = Runs(1, f"“{recorded.name}”", [recorded])
    if own := figure(recorded):
        guest.turns = dict.fromkeys(turns, own)
    both = [driven, guest]
    if driven.cards and (kind(driven.cards[0]), kind(recorded)) == ("accelerator", "cpu"):
        both.reverse()
    return both
