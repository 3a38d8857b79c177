"""Verdicts in words: the same sentences on every page, in every report and at every command.

What is compared may be one thing or many (bfloat16, 64 filters): after it stand verbs alone that
are the same for both, such as ran, had and came out.
"""

from __future__ import annotations

from collections.abc import Sequence

from cnnlab import words
from cnnlab.analysis.bearing import DECIDES_NO_SPEED, told_apart
from cnnlab.analysis.grades import Grade, Thing, differing, worth
from cnnlab.analysis.ranking import rank
from cnnlab.analysis.versus import (
    Accuracy,
    Pace,
    Pairs,
    PairsOf,
    Speed,
    Verdict,
    between,
    unpaired,
)
from cnnlab.spec import RunCard, spoken

SPEAK_FOR_THEMSELVES = frozenset({"precision", "arithmetic", "optimizer", "model.cell"})
"""Fields whose values need no label beside them: bfloat16, Adam, LSTM."""
SMALLEST_P = 0.0001
"""Smaller chances are told as smaller than that."""
NO_SUBJECT = frozenset({"model.blocks", "epochs"})
"""What is too long, or too odd, to call a run by."""


def verdict(a: RunCard, b: RunCard, paired: Pairs | None = None) -> str:
    """Who is faster, who is more accurate, and what the numbers are worth."""
    return sentence(a, b, between(a, b, paired))


def verdicts(
    cards: Sequence[RunCard], names: Sequence[str], paired: PairsOf = unpaired
) -> list[str]:
    """Of two runs the one verdict; of several, which to take, then each against the first.

    Args:
        names: a label for each run, no two alike.
        paired: how two runs did on the same pictures.
    """
    first, *others = cards
    said = [verdict(first, other, paired(first, other)) for other in others]
    if len(said) < 2:
        return said
    each = [f"{names[0]} and {name}: {text}" for name, text in zip(names[1:], said, strict=True)]
    return [rank(cards, names, paired).choice.sentence, *each]


def sentence(a: RunCard, b: RunCard, found: Verdict) -> str:
    """A verdict in words."""
    speed, accuracy = found.speed, found.accuracy
    if speed.grade is Grade.OTHER_WORK:
        return speed.why
    extra = [x for x in accuracy.things if x.name not in {y.name for y in speed.things}]
    if speed.ratio is None and accuracy.difference is None:
        return f"No speed to compare: {speed.why}. {differing([*speed.things, *extra])}."
    alone = len(speed.things) == 1 and not extra and _is_subject(speed.things[0], speed)
    names = _by_thing(speed.things[0]) if alone else _by_name(a, b)
    clauses = [
        _faster(a, b, speed, names),
        _better(a, accuracy, speed, names),
        _larger(a, b, speed, names),
    ]
    said = [f"{_capital('; '.join(filter(None, clauses)))}."]
    named = alone and speed.ratio is not None  # by the clause of their speed, which calls both
    if not (named and speed.grade is Grade.ONE):
        said.append(_capital(worth(speed.grade, speed.things, found.marks)))
    if found.test:
        said.append(_on_test_set(a, b, found.test, names))
    if extra:
        also = "As well differs" if accuracy.difference is None else "On accuracy bears as well"
        said.append(f"{also}: {'; '.join(x.said for x in extra)}.")
    return " ".join(said)


def _is_subject(thing: Thing, speed: Speed) -> bool:
    """Whether the two may be called by their one difference: it has a name, and no speed is put
    down to what decides none.
    """
    idle = thing.name in DECIDES_NO_SPEED and speed.ahead is not None
    return thing.name not in NO_SUBJECT and not idle


def _capital(text: str) -> str:
    """With a capital, but for a name that has none: bfloat16."""
    name = text.startswith(("bfloat16", "float16", "float32", "torch.compile"))
    return text if name else text[:1].upper() + text[1:]


# --- what the two are called ----------------------------------------------------------------


def _by_name(a: RunCard, b: RunCard) -> tuple[str, str]:
    one, other = told_apart(a, b)
    return f"“{one}”", f"“{other}”"


def _by_thing(thing: Thing) -> tuple[str, str]:
    """Both values of the one thing that differs, each so that it can be the subject."""
    one, other = thing.values
    if thing.name == "device":
        return _devices(one, other)
    if thing.name in SPEAK_FOR_THEMSELVES:
        return one, other
    if thing.name.endswith(".filters"):
        return f"{one} filters", f"{other} filters"
    return f"{spoken(thing.name)} {one}", f"{spoken(thing.name)} {other}"


def _devices(one: str, other: str) -> tuple[str, str]:
    """The kinds of two devices where they differ, else their names."""
    if "CPU" not in (one, other):
        return f"the {one}", f"the {other}"
    return ("the CPU", "the GPU") if one == "CPU" else ("the GPU", "the CPU")


# --- the clauses ----------------------------------------------------------------------------


def _faster(a: RunCard, b: RunCard, speed: Speed, names: tuple[str, str]) -> str:
    if speed.ratio is None or speed.paces is None:
        return f"no speed to compare: {speed.why}"
    times, each = _times(a, b, speed.paces)
    first = _measured_by(speed.paces[0])
    about = "about " if speed.grade is Grade.DISTURBED else ""
    if speed.ahead is None:
        (one, other), (early, late) = names, times
        said = f"{one} at {early} {each}, {other} at {late}{first}"
        if speed.doubtful:
            return f"nobody is ahead for certain: {said}, no more than disturbed runs may differ by"
        return f"about equally fast: {said}"
    second = speed.ahead == "second"
    (winner, loser), (quick, slow) = (names[::-1], times[::-1]) if second else (names, times)
    ratio = words.number(speed.ratio if second else 1 / speed.ratio)
    spread = _spread(speed, second)
    return (
        f"{winner} ran {about}{ratio} times as fast{_than(winner, loser)}{spread}: "
        f"{quick} {each} against {slow}{first}"
    )


def _measured_by(pace: Pace) -> str:
    """What stands behind the times, where that is not warm epochs."""
    if not pace.epochs:
        return " (by their median steps)"
    return "" if pace.warm else " (first epochs, warm-up included)"


def _than(winner: str, loser: str) -> str:
    """Whom it beats, but between the CPU and the GPU, where nobody else is meant."""
    return "" if {winner, loser} == {"the CPU", "the GPU"} else f" as {loser}"


def _spread(speed: Speed, second: bool) -> str:
    if speed.low is None or speed.high is None:
        return ""
    ends = (speed.low, speed.high) if second else (1 / speed.high, 1 / speed.low)
    low, high = map(words.number, ends)
    return "" if low == high else f" ({low} to {high} from epoch to epoch)"


def _times(a: RunCard, b: RunCard, paces: tuple[Pace, Pace]) -> tuple[list[str], str]:
    """What the two took, and for what: an epoch where both have as many pictures, else one."""
    counts = [card.dataset.train_images if card.dataset else 0 for card in (a, b)]
    if counts[0] == counts[1] > 0 and paces[0].epochs:
        return [words.duration(pace.seconds * counts[0]) for pace in paces], "an epoch"
    thing = words.things(a.dataset.kind if a.dataset else None, many=False)
    return [words.duration(pace.seconds) for pace in paces], f"a {thing}"


def _better(a: RunCard, accuracy: Accuracy, speed: Speed, names: tuple[str, str]) -> str:
    """What the faster one costs or brings in accuracy; where nobody is, who is more accurate."""
    if accuracy.difference is None:
        return f"no accuracy to compare: {accuracy.why}"
    points = f"{100 * abs(accuracy.difference):.1f}"
    if points == "0.0":
        return f"equally accurate{_told(a, accuracy)}"
    gained = accuracy.difference > 0
    if speed.ahead is None:
        return f"{names[gained]} came out {points} points more accurate{_told(a, accuracy)}"
    verb = "brings" if gained == (speed.ahead == "second") else "costs"
    return f"that {verb} {points} points of accuracy{_told(a, accuracy)}"


def _told(a: RunCard, accuracy: Accuracy) -> str:
    """Whether so many pictures can tell as much."""
    if accuracy.low is None or accuracy.high is None or accuracy.pictures is None:
        return ""
    pairs = _pairs(accuracy)
    if accuracy.told:
        ends = sorted(100 * abs(end) for end in (accuracy.low, accuracy.high))
        return f" ({'; '.join(filter(None, (f'{ends[0]:.1f} to {ends[1]:.1f}', pairs)))})"
    things = words.things(a.dataset.kind if a.dataset else None)
    beside = f" ({pairs})" if pairs else ""
    return f", within what {words.count(min(accuracy.pictures))} {things} can tell{beside}"


def _pairs(accuracy: Accuracy) -> str:
    """What the same pictures say, where both runs' answers to them are known."""
    if accuracy.paired is None or accuracy.chance is None:
        return ""
    counts = (accuracy.paired.only_first, accuracy.paired.only_second)
    one, other = map(words.count, counts)
    chance = accuracy.chance
    p = f"p = {words.number(chance, 2)}" if chance >= SMALLEST_P else f"p < {SMALLEST_P}"
    return f"right alone about {one} and {other} of the same, McNemar {p}"


def _on_test_set(a: RunCard, b: RunCard, test: Accuracy, names: tuple[str, str]) -> str:
    """What they came to on pictures by which nothing was chosen."""
    assert a.test
    assert b.test
    one, other = (words.percent(card.test.accuracy) for card in (a, b) if card.test)
    return f"On the test set {names[0]} had {one}, {names[1]} {other}{_told(a, test)}."


def _larger(a: RunCard, b: RunCard, speed: Speed, names: tuple[str, str]) -> str:
    """How the size of the faster one compares, where sizes differ; of the second where none is."""
    sizes = [card.model.parameters if card.model else 0 for card in (a, b)]
    if not all(sizes) or sizes[0] == sizes[1]:
        return ""
    subject = "with" if speed.ahead else f"{names[1]} had"
    mine, other = sizes if speed.ahead == "first" else sizes[::-1]
    counts = f"{words.count(mine)} against {words.count(other)}"
    return f"{subject} {words.number(mine / other)} times the parameters ({counts})"
