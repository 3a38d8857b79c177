"""What a race came to: who is ahead, by how much, how sure that is, and what it is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from pydantic import computed_field

from cnnlab.analysis.bearing import Facts, speed_things
from cnnlab.analysis.grades import Grade, Thing, grade_of
from cnnlab.analysis.runs import epoch_seconds
from cnnlab.published import Reference
from cnnlab.race import telling
from cnnlab.race.lanes import Runs, beside, lanes
from cnnlab.race.opponents import Opponent, described
from cnnlab.race.pairs import Compared, compare
from cnnlab.race.spread import Gain
from cnnlab.spec import Frozen, RunCard


class Standing(Frozen):
    """What a lane came to."""

    title: str
    runs: tuple[str, ...]
    """Ids, in their order."""
    us_per_image: float | None
    """Microseconds of training on one picture or sequence: the median over its runs."""
    gain: Gain | None
    """How many times as fast it is as the first lane; null for that one, and without a pair."""
    lost: str | None
    """Why it has no figure; null where it has one."""


class Result(Frozen):
    """What a race came to."""

    same_start: bool
    """Every run began from the same weights: their hashes are equal."""
    speed_up: Gain | None
    """How many times as fast the second lane is as the first; null where one has no figure."""
    standings: tuple[Standing, ...]
    """The lanes, in their order."""
    winner: str | None
    """The title of the lane that is ahead; null where nobody is."""
    grade: Grade | None
    """What the numbers are worth; null where there is none."""
    caveats: tuple[str, ...]
    """What bears on the numbers beside what was raced, a sentence each."""
    figure: str
    """What is read first: "3.4×"; where there is no ratio, what one lane came to."""
    figure_of: str
    """What that is of, in a few words."""
    heading: str
    """The verdict as one short sentence."""
    where: str = ""
    """Where the time of each lane went, of whole trainings."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def reasons(self) -> tuple[str, ...]:
        """Why a lane has no number; empty where each has one."""
        return tuple(f"{one.title} {one.lost}" for one in self.standings if one.lost)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verdict(self) -> str:
        """The verdict with what bears on it."""
        return " ".join((self.heading, *self.caveats))


def judge(cards: Sequence[RunCard], opponent: Opponent | None = None) -> Result:
    """Who is ahead, by how much, and what that is worth.

    Args:
        cards: the runs of the race, in the order in which they ran.
        opponent: what stands beside them where one lane ran alone.
    """
    found = lanes(cards)
    if len(found) == 1 and isinstance(opponent, RunCard):
        result = _judged(beside(found[0], opponent))
        caveats = (f"The opponent: {described(opponent)}.", *result.caveats)
        return result.model_copy(update={"caveats": caveats})
    result = _judged(found)
    if len(found) == 1 and isinstance(opponent, Reference) and found[0].turns:
        return result.model_copy(update=_beside_published(found[0], opponent))
    return result


def _judged(found: Sequence[Runs]) -> Result:
    pairs = {
        (one.lane, other.lane): compared
        for one in found
        for other in found
        if one is not other and (compared := compare(one.turns, other.turns))
    }
    cards = [card for runs in found for card in runs.cards]
    starts = {card.model.weights_sha256 if card.model else None for card in cards}
    same_start = len(starts) == 1 and None not in starts
    (figure, figure_of), heading, winner = _decided(found, pairs)
    grade, caveats = _worth(found, pairs, same_start)
    standings = tuple(_standing(runs, found[0], pairs) for runs in found)
    return Result(
        same_start=same_start,
        speed_up=standings[1].gain if len(standings) > 1 else None,
        standings=standings,
        winner=winner,
        grade=grade,
        caveats=caveats,
        figure=figure,
        figure_of=figure_of,
        heading=heading,
        where=telling.where(found),
    )


Pairs = dict[tuple[int, int], Compared]


def _standing(runs: Runs, first: Runs, pairs: Pairs) -> Standing:
    against = pairs.get((runs.lane, first.lane))
    return Standing(
        title=runs.title,
        runs=tuple(card.run_id for card in runs.cards),
        us_per_image=runs.us_per_image,
        gain=against.gain if against else None,
        lost=runs.lost,
    )


def _decided(found: Sequence[Runs], pairs: Pairs) -> tuple[tuple[str, str], str, str | None]:
    """The figure and what it is of, the heading, and the title of the lane that is ahead."""
    able = [runs for runs in found if runs.turns]
    if len(able) < 2:
        return telling.figure_alone(able), telling.alone(found, able), None
    first = able[0]

    def lead(runs: Runs) -> float:
        against = pairs.get((runs.lane, first.lane))
        return against.gain.ratio if against else 1.0 if runs is first else 0.0

    best, *others = sorted(able, key=lead, reverse=True)
    against = [(other, pairs.get((best.lane, other.lane))) for other in others]
    told = [(other, compared) for other, compared in against if compared]
    if not told:
        apart = "No two lanes were timed in the same round, so nobody is ahead."
        return telling.figure_alone(able), apart, None
    ahead = not told[0][1].level
    sentence = telling.leads if ahead else telling.level
    return telling.figure(best, told), sentence(best, told), best.title if ahead else None


def _worth(
    found: Sequence[Runs], pairs: Pairs, same_start: bool
) -> tuple[Grade | None, tuple[str, ...]]:
    """The grade of the numbers, and what is to be said beside them."""
    if not pairs:
        return None, ()
    first, *others = [runs for runs in found if runs.turns]
    chosen = telling.asked_otherwise([runs.cards[0].spec for runs in found])
    facts = [Facts.of(runs.cards[0]) for runs in (first, *others)]
    things = [thing for other in facts[1:] for thing in speed_things(facts[0], other)]
    names = {thing.name: thing for thing in things}  # of several lanes one thing is told by each
    disturbed = any(compared.disturbed for compared in pairs.values())
    beside = {thing.said: thing for thing in things if not _raced(thing, chosen)}
    caveats = [
        *telling.apart(list(beside)),
        *telling.disturbed(found, pairs.values(), disturbed),
        *telling.start(same_start, chosen),
    ]
    return grade_of([*names.values()], disturbed=disturbed), tuple(caveats)


def _raced(thing: Thing, chosen: frozenset[str]) -> bool:
    """Whether a difference is what was to be raced, or follows from it."""
    if thing.name in chosen or (thing.name.startswith("model") and "model" in chosen):
        return True
    if thing.name in ("environment.host", "device") and "machine" in chosen:
        return True
    return thing.name == "threads" and bool(chosen)


def _beside_published(runs: Runs, opponent: Reference) -> Mapping[str, object]:
    """Epoch times side by side, as information: nothing measured elsewhere makes a number here."""
    epochs = [card.epochs for card in runs.cards if card.epochs]
    ours = [epoch_seconds(rows, warm=len(rows) > 1) for rows in epochs]
    return telling.published(runs, median(ours) if ours else None, opponent)
