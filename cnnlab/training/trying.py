"""`try_change(spec, change, …)`: whether a change makes the steps of a spec faster.

The two take turns in the order A B B A, so that whatever drifts, drifts for both; each turn is a
measured cell. What counts is the pictures that a step takes in, over its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any

from cnnlab.spec import Event, ExperimentSpec, LabError, Outcome, RunEnded, Status, Trial, change
from cnnlab.training.callback import Stop, Stopped
from cnnlab.training.measuring import measure

PAIRS = 4
TURN_SECONDS = 1.5
COMPILE_SECONDS = 60.0
"""More of a turn that has to compile its step first, which is over once steps are steady."""
SPREAD = 0.03
"""Two ways that differ by no more than this are equally fast."""


def try_change(
    spec: ExperimentSpec,
    fields: dict[str, Any],
    stop: Stop,
    *,
    expected: float | None = None,
    pairs: int = PAIRS,
    seconds: float = TURN_SECONDS,
) -> Trial:
    """Measure a spec without and with a change of some of its fields.

    Args:
        expected: how many times as fast it was hoped to be, to be kept with the result.
        seconds: of each turn.

    Raises:
        LabError: either of the two cannot work.
        Stopped: somebody asked for it.
    """
    changed = change(spec, **fields)
    turns: dict[ExperimentSpec, list[RunEnded]] = {spec: [], changed: []}
    for pair in range(pairs):
        for one in (spec, changed) if pair % 2 == 0 else (changed, spec):
            turns[one].append(_turn(one, stop, seconds))
    base_ms, changed_ms = ([_step_ms(ended) for ended in turns[one]] for one in (spec, changed))
    times = changed.batch_size / spec.batch_size
    ratios = [times * a / b for a, b in zip(base_ms, changed_ms, strict=True)]
    seen = [ended.disturbances for ends in turns.values() for ended in ends]
    return Trial(
        change=fields,
        expected=expected,
        ratio=median(ratios),
        low=min(ratios),
        high=max(ratios),
        pairs=pairs,
        outcome=outcome(ratios),
        base_step_ms=median(base_ms),
        changed_step_ms=median(changed_ms),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        marks=tuple(dict.fromkeys(mark for its in seen if its for mark in its.marks)),
    )


def outcome(ratios: Sequence[float]) -> Outcome:
    """What pairs of turns say: an answer only where all of them agree, and by more than chance.

    Args:
        ratios: of each pair, the speed with the change over that without.
    """
    if min(ratios) > 1 and median(ratios) > 1 + SPREAD:
        return "faster"
    return "slower" if max(ratios) < 1 and median(ratios) < 1 - SPREAD else "nothing"


def _turn(spec: ExperimentSpec, stop: Stop, seconds: float) -> RunEnded:
    share = seconds + (COMPILE_SECONDS if spec.compile else 0.0)
    ended = measure(spec, _ignore, stop, seconds=share, until_steady=spec.compile)
    if ended.status is Status.STOPPED:
        raise Stopped
    return ended


def _step_ms(ended: RunEnded) -> float:
    if not ended.timing.step_ms_median:
        raise LabError("A turn was too short to hold a step; give it more seconds.")
    return ended.timing.step_ms_median


def _ignore(event: Event) -> None:
    """Nobody is told of the steps of a turn."""
