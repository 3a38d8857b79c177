"""A race: one spec on the CPU and on an accelerator, run for run, and what can be said of it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from cnnlab import analysis, words
from cnnlab.published import REFERENCES, Reference
from cnnlab.spec import ExperimentSpec, Frozen, RunCard, change

MOST_REPEATS = 20


class Gain(Frozen):
    """How many times as fast the accelerator is: the median over pairs, the lowest and highest."""

    ratio: float
    low: float
    high: float
    pairs: int


class Result(Frozen):
    """What a race came to."""

    same_start: bool
    """Every run began from the same weights: their hashes are equal."""
    speed_up: Gain | None
    reasons: tuple[str, ...]
    """Why no number is claimed; empty where one is."""
    verdict: str
    where: str = ""
    """Where the time of each lane went."""


def entries(spec: ExperimentSpec, devices: Sequence[str], repeats: int) -> list[ExperimentSpec]:
    """The runs of a race in their order: each device in turn, again and again (A B A B).

    Args:
        devices: such as `cpu` and `cuda:0`; the CPU alone where there is no accelerator.
    """
    lanes = [change(spec, device=device, gpu_off="none") for device in devices]
    return lanes * repeats


def lanes(cards: Sequence[RunCard]) -> tuple[list[RunCard], list[RunCard]]:
    """The CPU's runs and the accelerator's, each in the order in which they ran."""
    kinds = [(card, analysis.device_kind(_device(card))) for card in cards]
    cpu, accelerator = ([card for card, kind in kinds if kind == name] for name in _KINDS)
    return cpu, accelerator


_KINDS: tuple[analysis.DeviceKind, ...] = ("cpu", "accelerator")


def _device(card: RunCard) -> str:
    return card.device.used if card.device else card.spec.device


def judge(cards: Sequence[RunCard], opponent: Reference | None = None) -> Result:
    """Who won, by how much and where the time went; or why no number is claimed.

    Args:
        cards: the runs of the race, over, in the order in which they ran.
        opponent: the published run to stand beside them where one lane is empty.
    """
    cpu, accelerator = lanes(cards)
    starts = {card.model.weights_sha256 for card in cards if card.model}
    same = len(starts) == 1 and None not in starts and all(card.model for card in cards)
    if not cpu or not accelerator:
        return _against_published(cpu or accelerator, opponent, same)
    pairs = list(zip(cpu, accelerator, strict=False))
    reasons = dict.fromkeys(reason for pair in pairs for reason in analysis.comparability(*pair))
    if not same:
        reasons["the runs did not start from the same weights"] = None
    gains = [gain for pair in pairs if (gain := analysis.speed_up(*pair))]
    if reasons or len(gains) < len(pairs):
        said = "; ".join(list(reasons)[:3]) or "an epoch took no time that could be measured"
        return Result(
            same_start=same, speed_up=None, reasons=tuple(reasons), verdict=f"No verdict: {said}."
        )
    ratios = [gain.ratio for gain in gains]
    whole = Gain(ratio=median(ratios), low=min(ratios), high=max(ratios), pairs=len(ratios))
    cpu_seconds = median(gain.first_seconds for gain in gains)
    accelerator_seconds = median(gain.second_seconds for gain in gains)
    return Result(
        same_start=same,
        speed_up=whole,
        reasons=(),
        verdict=_sentence(whole, cpu_seconds, accelerator_seconds),
        where=f"{_where(cpu[0])} {_where(accelerator[0])}",
    )


def _sentence(gain: Gain, cpu_seconds: float, accelerator_seconds: float) -> str:
    sides = [(accelerator_seconds, "GPU"), (cpu_seconds, "CPU")]
    (quick, winner), (slow, _) = sorted(sides)
    times = f"{words.duration(quick)} an epoch against {words.duration(slow)}"
    if gain.low <= 1 <= gain.high:
        return f"Too close to call: {times}, within what one run differs from the next."
    low, high = (gain.low, gain.high) if gain.ratio > 1 else (1 / gain.high, 1 / gain.low)
    ratio = max(gain.ratio, 1 / gain.ratio)
    spread = ""
    if gain.pairs > 1:
        spread = f" ({words.number(low)} to {words.number(high)} in {gain.pairs} pairs)"
    return f"The {winner} is {words.number(ratio)} times as fast{spread}: {times}."


def _where(card: RunCard) -> str:
    """The largest part of a run's wall time."""
    timing = card.timing
    parts = {phase: getattr(timing, field) or 0.0 for phase, field in analysis.PHASES.items()}
    phase, seconds = max(parts.items(), key=lambda part: part[1])
    share = words.percent(seconds / timing.total_seconds) if timing.total_seconds else words.UNKNOWN
    kind = "CPU" if analysis.device_kind(_device(card)) == "cpu" else "GPU"
    return f"On the {kind}, {phase} took {share} of the whole run."


def _against_published(cards: Sequence[RunCard], opponent: Reference | None, same: bool) -> Result:
    """One lane was driven here; beside it stands what was published, as information only."""
    reason = "only one kind of device ran here"
    if opponent is None or not cards or not cards[0].epochs:
        return Result(
            same_start=same, speed_up=None, reasons=(reason,), verdict=f"No verdict: {reason}."
        )
    ours = median(row.seconds for row in cards[0].epochs)
    low, high = (words.duration(value) for value in opponent.epoch_seconds)
    theirs = low if low == high else f"{low} to {high}"
    return Result(
        same_start=same,
        speed_up=None,
        reasons=(reason, f"{opponent.title} was published, not measured here"),
        verdict=(
            f"Here an epoch took {words.duration(ours)}. The published run “{opponent.title}” took "
            f"{theirs} an epoch on its {opponent.device}: published, not measured here, with its "
            "own data and software, so no number is claimed."
        ),
    )


def opponent_for(devices: Sequence[str]) -> Reference | None:
    """The published run that stands in for the lane that cannot be driven here."""
    kinds = {analysis.device_kind(device) for device in devices}
    if len(kinds) == 2:
        return None
    return REFERENCES["article-gpu-20" if "cpu" in kinds else "article-cpu-20"]
