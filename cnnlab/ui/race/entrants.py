"""A race as the address names it: its runs, and who stands beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st

from cnnlab import race
from cnnlab.race import Opponent
from cnnlab.runner import RaceSnapshot
from cnnlab.spec import MOST_LANES, MOST_ROUNDS, LabError, RunCard
from cnnlab.ui import lab, rights
from cnnlab.ui.run.state import cards_of

RACE, RUNS, AGAINST = "race", "runs", "against"
OF_A_RACE = (RACE, RUNS, AGAINST)


@dataclass(frozen=True)
class Race:
    """A race at this moment."""

    race_id: str
    """Empty where the address names runs, as that of an older race does."""
    cards: tuple[RunCard, ...]
    """The runs so far, in their order, without steps."""
    opponent: Opponent | None
    """Who stands beside a lane that runs alone."""
    underway: RaceSnapshot | None
    """Null where this lab has nothing to do with it any more."""

    @property
    def over(self) -> bool:
        """Nothing more will happen."""
        return self.underway is None and all(card.status.over for card in self.cards)

    @property
    def lanes(self) -> list[race.Runs]:
        """The lanes with their runs so far; of a race that waits, without any."""
        found = race.lanes(self.cards)
        if self.underway:
            known = {runs.lane: runs for runs in found}
            planned = enumerate(self.underway.plan.lanes)
            return [known.get(n, race.Runs(n, lane.title)) for n, lane in planned]
        return found


def named() -> bool:
    """Whether the address names a race."""
    return bool(st.query_params.get(RACE) or _run_ids())


def read() -> Race:
    """The race that the address names.

    Raises:
        LabError: there is none, or the history cannot be read.
    """
    if race_id := st.query_params.get(RACE, ""):
        found = of(race_id)
        return replace(found, opponent=_opponent(found.cards))
    cards = tuple(card_of(run_id) for run_id in _run_ids())
    return Race("", cards, _opponent(cards), None)


def of(race_id: str) -> Race:
    """A race as it stands, with nobody beside it.

    Raises:
        LabError: there is none, or the history cannot be read.
    """
    underway = next((one for one in lab.lab().races() if one.race_id == race_id), None)
    cards = tuple(cards_of(lab.history().summaries(group_id=race_id)[::-1]))
    if not cards and not underway:
        raise LabError(
            f"There is no race {race_id[:64]!r} here: it was stopped before it began, or deleted; "
            "start another one."
        )
    return Race(race_id, cards, None, underway)


def _run_ids() -> list[str]:
    named = dict.fromkeys(st.query_params.get(RUNS, "").split(","))
    return [part for part in named if part][: MOST_LANES * MOST_ROUNDS]


def _opponent(cards: Sequence[RunCard]) -> Opponent | None:
    asked = st.query_params.get(AGAINST)
    if not asked or len(race.lanes(cards)) > 1:
        return None
    return race.opponent_named(asked, card_of)


def card_of(run_id: str) -> RunCard:
    return lab.history().card(run_id, steps=False)


def break_off(shown: Race) -> None:
    """End a race: the waiting runs first, so that none of them begins meanwhile."""
    if shown.race_id:
        rights.attempt(lab.stop_race, shown.race_id)
    for card in reversed(shown.cards):
        if not shown.race_id and not card.status.over:
            rights.attempt(lab.stop, card.run_id)
