"""Runs of one spec on the CPU and on an accelerator: what the accelerator gained, over repeats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import Any

from cnnlab.analysis.bearing import (
    Facts,
    asked_facts,
    count_reasons,
    reasons_between,
    speed_things,
)
from cnnlab.analysis.grades import LEVEL_RATIO, Grade, grade_of
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
    """A speed-up over repeats: median and extremes of all pairs of runs."""

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
    """One spec on the CPU and on one accelerator: a speed-up, and what it is worth."""

    spec: ExperimentSpec
    cpu: str
    accelerator: str
    cpu_runs: tuple[str, ...]
    """Run ids, those of the other kind likewise: the ones whose pairs differ in least."""
    accelerator_runs: tuple[str, ...]
    gain: Spread | None
    """None where an epoch took no time that could be measured."""
    grade: Grade
    reasons: tuple[str, ...]
    """What beside the device bears on it, of the first of those pairs; best empty."""


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
    beside = {
        (a.run_id, b.run_id): count_reasons(facts[a.run_id], facts[b.run_id])
        for a in slow
        for b in fast
    }
    fewest = min(beside.values())
    chosen = [(a, b) for a in slow for b in fast if beside[a.run_id, b.run_id] == fewest]
    (one, other), (a_side, b_side) = chosen[0], zip(*chosen, strict=True)
    first, second = facts[one.run_id], facts[other.run_id]
    assert one.device
    assert other.device
    return Pairing(
        spec=one.spec,
        cpu=one.device.name,
        accelerator=other.device.name,
        cpu_runs=tuple(dict.fromkeys(card.run_id for card in a_side)),
        accelerator_runs=tuple(dict.fromkeys(card.run_id for card in b_side)),
        gain=_spread(chosen),
        grade=grade_of(speed_things(first, second), disturbed=bool(first.marks or second.marks)),
        reasons=tuple(reasons_between(first, second)),
    )


def _spread(chosen: Sequence[tuple[RunCard, RunCard]]) -> Spread | None:
    ratios, all_warm = [], True
    for a, b in chosen:
        warm = min(len(a.epochs), len(b.epochs)) > 1
        below = epoch_seconds(b.epochs, warm=warm)
        if below:
            ratios.append(epoch_seconds(a.epochs, warm=warm) / below)
            all_warm &= warm
    if not ratios:
        return None
    return Spread(median(ratios), min(ratios), max(ratios), len(ratios), all_warm)
