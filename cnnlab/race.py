"""A race: one spec on the CPU and on an accelerator, run for run, and what can be said of it.

Where one of the two is missing, an opponent that was recorded stands in for it: a run of the
history, or a published one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from cnnlab import analysis, words
from cnnlab.analysis.bearing import asked_facts
from cnnlab.analysis.grades import LEVEL_RATIO
from cnnlab.analysis.runs import epoch_seconds
from cnnlab.published import REFERENCES, Reference
from cnnlab.spec import PRESETS, ExperimentSpec, Frozen, LabError, RunCard, Status, change, spoken

MOST_REPEATS = 20
MOST_REASONS = 3

Opponent = Reference | RunCard
"""What stands in for a lane that is not driven: published, or recorded in the history."""
Pair = tuple[RunCard, RunCard]


class Gain(Frozen):
    """How many times as fast the accelerator is: the median of the pairs' ratios."""

    ratio: float
    low: float | None
    """The lowest ratio of a pair; null where there was one pair only, which has no spread."""
    high: float | None
    """The highest."""
    pairs: int


class Result(Frozen):
    """What a race came to."""

    same_start: bool
    """Every run began from the same weights: their hashes are equal."""
    speed_up: Gain | None
    reasons: tuple[str, ...]
    """Why no number is claimed; empty where one is."""
    heading: str
    """The verdict as one short sentence; reasons and opponent stand elsewhere."""
    verdict: str
    """The verdict with the reasons, or with the opponent that was recorded."""
    where: str = ""
    """Where the time of each lane went."""


# --- who takes part -------------------------------------------------------------------------


def entries(spec: ExperimentSpec, devices: Sequence[str], repeats: int) -> list[ExperimentSpec]:
    """The runs of a race in their order: each device in turn, again and again (A B A B).

    Args:
        devices: such as `cpu` and `cuda:0`; the CPU alone where there is no accelerator.
    """
    lanes = [change(spec, device=device, gpu_off="none") for device in devices]
    return lanes * repeats


def driven(accelerators: Sequence[str], opponent: Opponent | None = None) -> list[str]:
    """What this machine drives: the CPU and its first accelerator, less the opponent's kind.

    The CPU always can: an opponent of its own kind may be all there is to race.
    """
    mine = ["cpu", *accelerators[:1]]
    if opponent is None:
        return mine
    return [device for device in mine if analysis.device_kind(device) != kind(opponent)] or ["cpu"]


def kind(entry: Opponent) -> analysis.DeviceKind:
    """Whether a run or an opponent is the CPU's or an accelerator's."""
    return entry.kind if isinstance(entry, Reference) else analysis.device_kind(_device(entry))


def _device(card: RunCard) -> str:
    return card.device.used if card.device else card.spec.device


def opponent_for(devices: Sequence[str]) -> Reference | None:
    """The published run that stands in for the lane that cannot be driven here."""
    kinds = {analysis.device_kind(device) for device in devices}
    if len(kinds) == 2:
        return None
    return REFERENCES["article-gpu-20" if "cpu" in kinds else "article-cpu-20"]


def opponent_named(name: str, card: Callable[[str], RunCard]) -> Opponent:
    """The opponent that a key of the published runs, or a run's id, names.

    Args:
        card: reads a run of the history.

    Raises:
        LabError: there is no such run, or it did not finish.
    """
    if name in REFERENCES:
        return REFERENCES[name]
    found = card(name)
    if found.status is not Status.FINISHED or not found.epochs:
        raise LabError(f"The run {found.run_id} is {found.status}; race against a finished one.")
    return found


def described(opponent: Opponent) -> str:
    """Who it is and where its figures come from."""
    if isinstance(opponent, Reference):
        return f"{opponent.title}, {opponent.device}, published, not measured here"
    where = opponent.device.name if opponent.device else opponent.spec.device
    day = opponent.created_at[:10]
    return f"“{opponent.name}” on {where}, recorded on {day}, not in this race"


def lanes(cards: Sequence[RunCard]) -> tuple[list[RunCard], list[RunCard]]:
    """The CPU's runs and the accelerator's, each in the order in which they ran."""
    cpu = [card for card in cards if kind(card) == "cpu"]
    return cpu, [card for card in cards if kind(card) == "accelerator"]


# --- what came of it ------------------------------------------------------------------------


def judge(cards: Sequence[RunCard], opponent: Opponent | None = None) -> Result:
    """Who won, by how much and where the time went; or why no number is claimed.

    Args:
        cards: the runs of the race, over, in the order in which they ran.
        opponent: what stands beside them where only one kind of device ran.
    """
    cpu, accelerator = lanes(cards)
    alone = not (cpu and accelerator)
    recorded = opponent if alone and isinstance(opponent, RunCard) else None
    same = _same_start([*cards, *([recorded] if recorded else [])])
    lost = [_why_lost(card) for card in cards if card.status is not Status.FINISHED]
    if lost or not cards:
        return _no_verdict(same, lost or ["nothing ran"])
    if recorded:
        pairs = [_ordered(card, recorded) for card in cards]
        return _decide(pairs, same, f"The opponent: {described(recorded)}.")
    if not alone:
        return _decide(list(zip(cpu, accelerator, strict=False)), same)
    if isinstance(opponent, Reference) and any(card.epochs for card in cards):
        return _beside_published(cards, opponent, same)
    return _no_verdict(same, ["only one kind of device ran here"])


def _same_start(cards: Sequence[RunCard]) -> bool:
    starts = {card.model.weights_sha256 if card.model else None for card in cards}
    return len(starts) == 1 and None not in starts


def _why_lost(card: RunCard) -> str:
    why = f": {card.error.rstrip('.')}" if card.error else ""
    ended = "failed" if card.status is Status.FAILED else f"was {card.status}"
    return f"the run {card.run_id} on {_device(card)} {ended}{why}"


def _no_verdict(same: bool, reasons: Sequence[str]) -> Result:
    said = "; ".join(reasons[:MOST_REASONS])
    more = f"; and {len(reasons) - MOST_REASONS} more" if len(reasons) > MOST_REASONS else ""
    return Result(
        same_start=same,
        speed_up=None,
        reasons=tuple(reasons),
        heading="No verdict.",
        verdict=f"No verdict: {said}{more}.",
    )


def _ordered(one: RunCard, other: RunCard) -> Pair:
    """The CPU's run first; of two on the same kind of device the first stays so."""
    return (other, one) if (kind(one), kind(other)) == ("accelerator", "cpu") else (one, other)


def _decide(pairs: Sequence[Pair], same: bool, said: str = "") -> Result:
    reasons = dict.fromkeys(reason for pair in pairs for reason in analysis.comparability(*pair))
    if not same:
        reasons["the runs did not start from the same weights"] = None
    gains = [gain for pair in pairs if (gain := analysis.speed_up(*pair))]
    if not reasons and len(gains) < len(pairs):
        reasons["an epoch took no time that could be measured"] = None
    if reasons:
        result = _no_verdict(same, list(reasons))
        return result.model_copy(update={"verdict": f"{result.verdict} {said}".strip()})
    first, second = pairs[0]
    sentence = _sentence(_names(first, second), gains)
    return Result(
        same_start=same,
        speed_up=_gain(gains),
        reasons=(),
        heading=sentence,
        verdict=f"{sentence} {said}".strip(),
        where=f"{_where(first)} {_where(second)}",
    )


def _gain(gains: Sequence[analysis.SpeedUp]) -> Gain:
    ratios = [gain.ratio for gain in gains]
    low, high = (min(ratios), max(ratios)) if len(ratios) > 1 else (None, None)
    return Gain(ratio=median(ratios), low=low, high=high, pairs=len(ratios))


def _names(first: RunCard, second: RunCard) -> tuple[str, str]:
    """What tells the lanes apart: the kind of device, else the names of the runs."""
    if kind(first) != kind(second):
        return "CPU", "GPU"
    return f"run “{first.name}”", f"run “{second.name}”"


def _sentence(names: tuple[str, str], gains: Sequence[analysis.SpeedUp]) -> str:
    ratios = sorted(gain.ratio for gain in gains)
    sides = [
        (median(gain.second_seconds for gain in gains), names[1]),
        (median(gain.first_seconds for gain in gains), names[0]),
    ]
    (quick, winner), (slow, _) = sorted(sides)
    times = f"{words.duration(quick)} an epoch against {words.duration(slow)}"
    if not all(gain.warm for gain in gains):
        times += " (first epochs, warm-up included)"
    if ratios[0] <= 1 <= ratios[-1] or 1 / LEVEL_RATIO < median(ratios) < LEVEL_RATIO:
        return f"Too close to call: {times}, within what one run differs from the next."
    if ratios[0] < 1:
        ratios = sorted(1 / ratio for ratio in ratios)
    spread = ""
    if len(ratios) > 1:
        ends = f"{words.number(ratios[0])} to {words.number(ratios[-1])}"
        spread = f" (median of {len(ratios)} pairs; lowest to highest {ends})"
    return f"The {winner} is {words.number(median(ratios))} times as fast{spread}: {times}."


def _where(card: RunCard) -> str:
    """The largest part of a run's wall time."""
    timing = card.timing
    parts = {phase: getattr(timing, field) or 0.0 for phase, field in analysis.PHASES.items()}
    phase, seconds = max(parts.items(), key=lambda part: part[1])
    share = words.percent(seconds / timing.total_seconds) if timing.total_seconds else words.UNKNOWN
    return f"On the {'CPU' if kind(card) == 'cpu' else 'GPU'}, {phase} took {share} of the run."


# --- beside what was published --------------------------------------------------------------


def other_than_published(spec: ExperimentSpec) -> list[str]:
    """What of a spec that decides speed is not as in the published runs, each as it is spoken."""
    ours, theirs = asked_facts(spec), asked_facts(PRESETS["article"].spec)
    names = (name for name in {**theirs, **ours} if ours.get(name) != theirs.get(name))
    return [spoken(field) for field in dict.fromkeys(name.split(".")[0] for name in names)]


def _beside_published(cards: Sequence[RunCard], opponent: Reference, same: bool) -> Result:
    """Epoch times side by side, as information: nothing measured elsewhere makes a number here."""
    ours = median(epoch_seconds(card.epochs, warm=len(card.epochs) > 1) for card in cards)
    low, high = (words.duration(value) for value in opponent.epoch_seconds)
    theirs = low if low == high else f"{low} to {high}"
    heading = f"An epoch took {words.duration(ours)} here, {theirs} in the published run."
    reasons = [
        "only one kind of device ran here",
        f"“{opponent.title}” ran on a {opponent.device}: published, not measured here",
    ]
    if different := other_than_published(cards[0].spec):
        reasons.append(f"not as published: {', '.join(different)}")
    return Result(
        same_start=same,
        speed_up=None,
        reasons=tuple(reasons),
        heading=heading,
        verdict=f"{heading} No number is claimed: {'; '.join(reasons)}.",
    )
