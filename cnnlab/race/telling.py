"""A race in words.

A lane may be called by one thing or by many (1 thread, 2 threads): after its title stand verbs
alone that are the same for both, such as ran and took.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from cnnlab import words
from cnnlab.analysis import PHASES, flatten
from cnnlab.published import Reference
from cnnlab.race.lanes import Runs
from cnnlab.race.opponents import described, other_than_published
from cnnlab.race.pairs import Compared
from cnnlab.race.spread import Gain
from cnnlab.spec import ExperimentSpec, RunCard

MOST_TOLD = 3
Told = Sequence[tuple[Runs, Compared]]
"""Lanes, the fastest first, and how many times as fast the best one is as each."""


# --- who is ahead ---------------------------------------------------------------------------


def leads(best: Runs, others: Told) -> str:
    """One lane is ahead of all others."""
    (second, compared), *rest = others
    about = "about " if compared.disturbed else ""
    said = f"{best.title} ran {about}{_times(compared.gain)} as fast as {second.title}"
    further = "".join(
        f", {words.number(other.gain.ratio)} times {runs.title}" for runs, other in rest
    )
    return f"{_capital(said)}{further}{_spread(compared.gain)}: {took([best, second])}."


def level(best: Runs, others: Told) -> str:
    """The first lanes are too close to each other, or their pairs too far apart."""
    near = [(runs, compared) for runs, compared in others if compared.level]
    behind = [(runs, compared) for runs, compared in others if not compared.level]
    gain, lanes = near[0][1].gain, [best, *(runs for runs, _ in near)]
    who = f" of {_joined([runs.title for runs in lanes])}" if len(others) > 1 else ""
    chance = "" if gain.width is None or gain.agreed else " by more than chance"
    doubt = ""
    if not gain.level:  # the pairs say that one is, and were disturbed
        chance, doubt = " for certain", ", no more than what disturbed runs may differ by"
    rest = "".join(f"; {runs.title} took {_times(other.gain)} as long" for runs, other in behind)
    ratio = f"a ratio of {words.number(gain.ratio)}{_spread(gain)}"
    return f"Nobody{who} is ahead{chance}: {took(lanes)}, {ratio}{doubt}{rest}."


def alone(found: Sequence[Runs], able: Sequence[Runs]) -> str:
    """Fewer than two lanes have a figure."""
    lost = "; ".join(f"{runs.title} {runs.lost}" for runs in found if not runs.turns)
    if not able:
        return f"Nobody came through: {lost or 'nothing ran'}."
    if not lost:
        return f"{_capital(able[0].title)} ran alone: {took(able)}."
    return f"Only {able[0].title} came through: {lost}."


def _times(gain: Gain) -> str:
    return f"{words.number(gain.ratio)} times"


def _spread(gain: Gain) -> str:
    if gain.low is None or gain.high is None:
        return " (one pair, so its spread is not known)"
    low, high = words.number(gain.low), words.number(gain.high)
    return f" ({low} to {high}, {gain.pairs} pairs)"


def took(lanes: Sequence[Runs]) -> str:
    """What each lane takes for a step, or, where steps are of different sizes, for a picture."""
    cards = [runs.cards[0] for runs in lanes]
    sizes = {card.full_step for card in cards}
    thing = words.things(cards[0].dataset.kind if cards[0].dataset else None, many=False)
    unit, scale = ("step", sizes.pop()) if len(sizes) == 1 else (thing, 1)
    times = [_short(scale * (runs.us_per_image or 0.0)) for runs in lanes]
    return f"{times[0]} a {unit}" + "".join(f" against {time}" for time in times[1:])


def _short(us: float) -> str:
    return f"{words.number(us)} µs" if us < 1000 else words.duration(us / 1e6)


def _joined(titles: Sequence[str]) -> str:
    return " and ".join([", ".join(titles[:-1]), titles[-1]])


def _capital(text: str) -> str:
    """With a capital, but for a name that has none: bfloat16."""
    return text if text.startswith(("float", "bfloat")) else text[:1].upper() + text[1:]


# --- the figure that is read first ----------------------------------------------------------


def figure(best: Runs, others: Told) -> tuple[str, str]:
    """The ratio of the fastest lane to the next, and what it is of."""
    second, compared = others[0]
    about = "~" if compared.disturbed else ""
    of = f"as fast: {best.title} against {second.title}"
    if compared.level:
        of = f"nobody is ahead: {best.title} against {second.title}"
    return f"{about}{words.times(compared.gain.ratio)}", of


def figure_alone(able: Sequence[Runs]) -> tuple[str, str]:
    """Without a ratio: what one lane came to, else how many came through."""
    if not able or not able[0].us_per_image:
        return "0", "lanes came through"
    dataset = able[0].cards[0].dataset
    things = words.things(dataset.kind if dataset else None)
    return words.number(1e6 / able[0].us_per_image), f"{things} a second: {able[0].title}"


# --- what bears on it -----------------------------------------------------------------------


def asked_otherwise(specs: Sequence[ExperimentSpec]) -> frozenset[str]:
    """The fields that the lanes' specs differ in, by dotted name; a network's also as `model`."""
    facts = [flatten(spec.model_dump(mode="json")) for spec in specs]
    names = {name for each in facts for name in each}
    differ = {name for name in names if len({str(each.get(name)) for each in facts}) > 1}
    return frozenset(differ | {name.split(".")[0] for name in differ})


def apart(said: Sequence[str]) -> list[str]:
    """What the lanes differ in beside what was raced."""
    return [f"The lanes also differ otherwise: {'; '.join(said)}."] if said else []


def disturbed(found: Sequence[Runs], pairs: Iterable[Compared], counted: bool) -> list[str]:
    """Which pairs were left out, or counted although they were disturbed."""
    left_out = max((compared.left_out for compared in pairs), default=0)
    if not counted:
        few = "pair was" if left_out == 1 else "pairs were"
        return [f"{left_out} {few} disturbed and left out."] if left_out else []
    marks = dict.fromkeys(mark for runs in found for card in runs.cards for mark in card.marks)
    return [f"Times were disturbed, so take them as about right: {' '.join([*marks][:MOST_TOLD])}"]


def start(same: bool, chosen: frozenset[str]) -> list[str]:
    """Where one network was not started from the same weights."""
    if same or not chosen.isdisjoint({"model", "seed", "dataset"}):
        return []
    return ["The runs did not start from the same weights."]


def where(found: Sequence[Runs]) -> str:
    """The largest part of each lane's wall time, of runs that were trained to their end."""
    whole = [(runs.title, card) for runs in found for card in runs.cards[:1] if _whole(card)]
    return " ".join(_largest(title, card) for title, card in whole)


def _whole(card: RunCard) -> bool:
    return bool(card.timing.total_seconds) and not (card.part and card.part.cut_seconds)


def _largest(title: str, card: RunCard) -> str:
    parts = {phase: getattr(card.timing, name) or 0.0 for phase, name in PHASES.items()}
    phase, seconds = max(parts.items(), key=lambda part: part[1])
    share = words.percent(seconds / (card.timing.total_seconds or seconds or 1.0))
    return f"{_capital(title)}: {phase} took {share} of the run."


# --- beside what was published --------------------------------------------------------------


def published(
    runs: Runs, epoch_seconds: float | None, opponent: Reference
) -> dict[str, str | tuple[str, ...]]:
    """A lane beside a published run: the fields of a result that differ from a lane's alone.

    Of the recipe that was published there is a ratio of epochs; of any other there is none.
    """
    different = other_than_published(runs.cards[0].spec)
    stands = f"It stands beside: {described(opponent)}."
    if different:
        caveats = (stands, f"Not as published: {', '.join(different)}.")
        return {"heading": _of_another_recipe(runs), "caveats": caveats}
    low, high = (words.duration(value) for value in opponent.epoch_seconds)
    theirs = low if low == high else f"{low} to {high}"
    if epoch_seconds is None:
        step = words.number(median(opponent.step_ms))
        return {"heading": f"{took([runs])} here; {step} ms as published.", "caveats": (stands,)}
    ours = words.duration(epoch_seconds)
    return {
        "figure": words.times(median(opponent.epoch_seconds) / epoch_seconds),
        "figure_of": f"as fast an epoch as published, on {opponent.device}",
        "heading": f"An epoch took {ours} here, {theirs} in the published run.",
        "caveats": (stands,),
    }


def _of_another_recipe(runs: Runs) -> str:
    return (
        f"{_capital(runs.title)} took {took([runs])}; the published run trained another recipe, "
        "so there is no ratio of the two."
    )
