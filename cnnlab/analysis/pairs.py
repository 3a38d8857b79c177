"""Runs of one spec on the CPU and on an accelerator: what the accelerator gained, over repeats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import Any

from cnnlab.analysis.bearing import (
    Facts,
    asked_facts,
    count_reasons,
    reasons_between,
)
from cnnlab.analysis.grades import LEVEL_RATIO
from cnnlab.analysis.runs import (
    DeviceKind,
    Summary,
    device_kind,
    epoch_seconds,
)
from cnnlab.spec import ExperimentSpec, RunCard

NEWEST = 20  # repeats of one spec on one device that are held against those on another


@dataclass(frozen=True)
class Spread:
    """A speed-up over repeats: median and extremes of all fair pairs of runs."""

    ratio: float
    least: float
    most: float
    pairs: int
    warm: bool
    """False: some pair had one epoch only, warm-up included."""

    @property
    def level(self) -> bool:
        """Nobody is ahead: the lead is within that of epochs of one run, or pairs disagree."""
        return 1 / LEVEL_RATIO < self.ratio < LEVEL_RATIO or self.least < 1 < self.most


@dataclass(frozen=True)
class Pairing:
    """One spec on the CPU and on one accelerator: a speed-up, or the reasons for none."""

    spec: ExperimentSpec
    cpu: str
    accelerator: str
    cpu_runs: tuple[str, ...]
    """Run ids, those of the other kind likewise: the ones that stand in a fair pair, else all."""
    accelerator_runs: tuple[str, ...]
    gain: Spread | None
    reasons: tuple[str, ...]
    """Of the pair that has fewest; empty where there is a gain."""


@lru_cache(maxsize=4096)
def spec_key(spec: ExperimentSpec) -> tuple[tuple[str, str], ...]:
    """Equal for specs that ask for the same work, whatever the device."""
    return tuple((name, str(value)) for name, value in asked_facts(spec).items())


def worth_pairing(runs: Iterable[Summary]) -> list[str]:
    """Ids of the runs whose spec was run on the CPU and on an accelerator, the newest `NEWEST` on
    each device.

    Args:
        runs: the newest first.
    """
    groups: dict[Any, dict[tuple[DeviceKind, str], list[str]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for run in runs:
        if run.device and run.epochs_done:
            place = device_kind(run.device.used), run.device.name
            groups[spec_key(run.spec)][place].append(run.run_id)
    return [
        run_id
        for places in groups.values()
        if len({kind for kind, _ in places}) > 1
        for run_ids in places.values()
        for run_id in run_ids[:NEWEST]
    ]


def pairings(cards: Sequence[RunCard]) -> list[Pairing]:
    """For each spec that was run on the CPU and on an accelerator, how much the latter gained.

    Args:
        cards: the newest first: of repeats, only the first `NEWEST` are taken.
    """
    groups: dict[Any, dict[tuple[DeviceKind, str], list[RunCard]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for card in cards:
        if card.device and card.epochs:
            place = device_kind(card.device.used), card.device.name
            groups[spec_key(card.spec)][place].append(card)
    return [
        _pairing(slow[:NEWEST], fast[:NEWEST])
        for places in groups.values()
        for (slow_kind, _), slow in places.items()
        if slow_kind == "cpu"
        for (fast_kind, _), fast in places.items()
        if fast_kind == "accelerator"
    ]


def _pairing(slow: Sequence[RunCard], fast: Sequence[RunCard]) -> Pairing:
    facts = {card.run_id: Facts.of(card) for card in (*slow, *fast)}
    why = {
        (a.run_id, b.run_id): reasons_between(facts[a.run_id], facts[b.run_id])
        for a in slow
        for b in fast
    }
    fair = [(a, b) for a in slow for b in fast if not why[a.run_id, b.run_id]]
    first, second = slow[0].device, fast[0].device
    assert first
    assert second
    a_side, b_side = zip(*fair, strict=True) if fair else (slow, fast)
    return Pairing(
        spec=slow[0].spec,
        cpu=first.name,
        accelerator=second.name,
        cpu_runs=tuple(dict.fromkeys(card.run_id for card in a_side)),
        accelerator_runs=tuple(dict.fromkeys(card.run_id for card in b_side)),
        gain=_spread(fair),
        reasons=() if fair else tuple(_fewest(why.values())),
    )


def _spread(fair: Sequence[tuple[RunCard, RunCard]]) -> Spread | None:
    ratios, all_warm = [], True
    for a, b in fair:
        warm = min(len(a.epochs), len(b.epochs)) > 1
        below = epoch_seconds(b.epochs, warm=warm)
        if below:
            ratios.append(epoch_seconds(a.epochs, warm=warm) / below)
            all_warm &= warm
    if not ratios:
        return None
    return Spread(median(ratios), min(ratios), max(ratios), len(ratios), all_warm)


def unpaired(cards: Sequence[RunCard], found: Sequence[Pairing]) -> Mapping[str, list[str]]:
    """Why runs stand in no fair pair: by run id, the reasons against the nearest run of the other
    kind of device. Runs of one kind only have nobody to be compared with, and no reasons.
    """
    paired = {run for one in found if one.gain for run in (*one.cpu_runs, *one.accelerator_runs)}
    cpu: list[tuple[str, Facts]] = []
    accelerator: list[tuple[str, Facts]] = []
    for card in cards:
        if card.device:
            side = cpu if device_kind(card.device.used) == "cpu" else accelerator
            side.append((card.run_id, Facts.of(card)))
    reasons: dict[str, list[str]] = {}
    for mine, others in ((accelerator, cpu), (cpu, accelerator)):
        for run_id, facts in mine:
            if others and run_id not in paired:
                nearest = min(
                    (other for _, other in others[:NEWEST]),
                    key=lambda other: count_reasons(facts, other),
                )
                reasons[run_id] = reasons_between(facts, nearest)
    return {run_id: why for run_id, why in reasons.items() if why}


def _fewest(reasons: Iterable[list[str]]) -> list[str]:
    return min(reasons, key=lambda found: len(found))
