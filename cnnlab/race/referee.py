"""Who runs next in a race, and when it is over."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from cnnlab.race.pairs import Compared, Timed, compare
from cnnlab.race.spread import LEAST_PAIRS
from cnnlab.spec import MOST_ROUNDS, Lane, Part, RacePlan


@dataclass(frozen=True)
class Leg:
    """One run of a race."""

    lane: int
    turn: int
    entry: Lane

    def part(self, group_id: str, name: str, cut_seconds: float | None) -> Part:
        """What the run's card says of it."""
        return Part(
            kind="race",
            group_id=group_id,
            group=name,
            lane=self.lane,
            lane_title=self.entry.title,
            turn=self.turn,
            cut_seconds=cut_seconds,
        )


class Referee:
    """Lets the lanes take turns, there and back again (A B B A), so that whatever drifts (a chassis
    that warms up, a neighbour) treats all alike, and ends the race when its ratios are sure.

    A race has as many rounds as its plan says. Where it does not say, rounds go on until every
    lane's ratio to the first is sure (`Gain.sure`) or the budget has no room for another. Rounds
    that were disturbed do not count towards that. Short runs make three rounds whatever the budget;
    of whole trainings there is at least one.
    """

    def __init__(self, plan: RacePlan) -> None:
        self.plan = plan
        self.figures: dict[int, dict[int, Timed]] = defaultdict(dict)
        self.out: set[int] = set()
        """Lanes that have failed once: they would fail again."""
        self.turn = -1
        self._waiting: list[Leg] = []
        self._longest_seconds = self._began_seconds = 0.0

    @property
    def waiting(self) -> list[Leg]:
        """What is left of the round that has begun."""
        return [leg for leg in self._waiting if leg.lane not in self.out]

    def next(self, spent_seconds: float, machine: str | None = None) -> Leg | None:
        """The next run; None when the race is over, or the round has none left for the machine.

        Args:
            spent_seconds: since the race began.
            machine: whose turn it is, where lanes run on several at once; null: anybody's.
        """
        self._waiting = self.waiting
        if not self._waiting and self._another(spent_seconds):
            self.turn += 1
            self._began_seconds = spent_seconds
            legs = [
                Leg(number, self.turn, lane)
                for number, lane in enumerate(self.plan.lanes)
                if number not in self.out
            ]
            self._waiting = legs if self.turn % 2 == 0 else legs[::-1]
        theirs = (x for x in self._waiting if machine in (None, x.entry.spec.machine))
        leg = next(theirs, None)
        if leg:
            self._waiting.remove(leg)
        return leg

    def add(self, leg: Leg, timed: Timed | None) -> None:
        """A run is over; without a figure it has failed."""
        if timed is None:
            self.out.add(leg.lane)
        else:
            self.figures[leg.lane][leg.turn] = timed

    def compared(self) -> dict[int, Compared]:
        """Each lane but the first that has a pair, against the first."""
        first = self.figures[0]
        found = {lane: compare(turns, first) for lane, turns in self.figures.items() if lane}
        return {lane: one for lane, one in found.items() if one}

    def _another(self, spent_seconds: float) -> bool:
        """Whether there is to be another round."""
        done, plan = self.turn + 1, self.plan
        if not done:
            return True
        left = len(plan.lanes) - len(self.out)
        if left < min(2, len(plan.lanes)):
            return False
        if plan.rounds:
            return done < plan.rounds
        self._longest_seconds = max(self._longest_seconds, spent_seconds - self._began_seconds)
        if done < (LEAST_PAIRS if plan.leg_seconds else 1):
            return True
        room = spent_seconds + self._longest_seconds <= plan.budget_seconds
        return room and done < MOST_ROUNDS and not self._sure()

    def _sure(self) -> bool:
        found = self.compared()
        return bool(found) and all(one.gain.sure and not one.disturbed for one in found.values())
