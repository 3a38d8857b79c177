"""What a run achieved, in sentences: how its epochs add up, its speed, what it cost."""

from __future__ import annotations

from collections.abc import Iterator

from cnnlab import words
from cnnlab.spec import RunCard, Timing

NOTABLE_REST = 0.02
"""Of a whole training: what lies beside its epochs, and is worth a word."""
NOTABLE_SUBNORMALS = 0.01
"""Of all numbers that an optimizer keeps."""


def achieved(card: RunCard) -> list[str]:
    """How well the hardware was used: speed, share of its peak, waiting for data, energy."""
    added = adds_up(card)
    return [*([added] if added else []), *_speed(card.timing), *_cost(card)]


def _speed(timing: Timing) -> Iterator[str]:
    if timing.gflops is not None:
        yield f"The median step ran at {words.number(timing.gflops)} GFLOP/s."
        yield from _beside_peak(timing.gflops, timing)
    if timing.data_wait_ms_mean is not None and timing.step_ms_mean:
        mean, wait = map(words.number, (timing.step_ms_mean, timing.data_wait_ms_mean))
        share = words.percent(timing.data_wait_ms_mean / timing.step_ms_mean)
        yield (
            f"A step took {mean} ms on average, of which {wait} ms went into making the next "
            f"batch ({share})."
        )
    if timing.subnormal_share and timing.subnormal_share >= NOTABLE_SUBNORMALS:
        yield (
            f"In the end {words.percent(timing.subnormal_share)} of the numbers that the optimizer "
            "keeps were subnormal: so close to nought that many processors compute them slowly, "
            "and steps get longer as a run goes on. The engine fast takes them as nought."
        )


def _cost(card: RunCard) -> Iterator[str]:
    energy = card.energy
    if energy.joules:
        images = card.dataset.train_images * len(card.epochs) if card.dataset else 0
        each = f", {words.number(images / energy.joules)} images per joule" if images else ""
        yield f"It took {words.number(energy.joules)} J{each} ({energy.source})."
    elif card.status.over and card.epochs:
        yield f"Energy: {energy.source}."
    if card.disturbances:
        cost = words.duration(card.disturbances.own_cost_seconds)
        yield from card.disturbances.notes
        yield f"Watching the machine for disturbances cost {cost} of processor time."


def adds_up(card: RunCard) -> str:
    """How the epochs of a run make up the whole of its training; empty where that is not known."""
    whole = card.timing.fit_seconds
    if whole is None or not card.epochs:
        return ""
    first, *others = (row.seconds for row in card.epochs)
    parts = [f"The first epoch took {words.duration(first)}, with the warm-up"]
    if others:
        count = "one" if len(others) == 1 else words.count(len(others))
        parts.append(f"the other {count} {words.duration(sum(others))}")
    left = whole - first - sum(others)
    if left > NOTABLE_REST * whole:
        parts.append(f"{words.duration(left)} lay between or after them")
    return f"{'; '.join(parts)}: {words.duration(whole)} in all."


def _beside_peak(gflops: float, timing: Timing) -> list[str]:
    """Which share that is of what the device does at best; of an older card, whose peak is that of
    a matrix product alone, only where that was the more.
    """
    arithmetic = f"{timing.matmul_peak_arithmetic} " if timing.matmul_peak_arithmetic else ""
    if timing.peak_gflops:
        share, peak = words.percent(gflops / timing.peak_gflops), words.number(timing.peak_gflops)
        best = f"the most that this device was seen to do in {arithmetic}arithmetic"
        return [f"That is {share} of {best}, {peak} (a {timing.peak_operation})."]
    if timing.matmul_peak_gflops and gflops <= timing.matmul_peak_gflops:
        share = words.percent(gflops / timing.matmul_peak_gflops)
        peak = words.number(timing.matmul_peak_gflops)
        return [
            f"That is {share} of what one large {arithmetic}matrix product reaches here, {peak}."
        ]
    return []
