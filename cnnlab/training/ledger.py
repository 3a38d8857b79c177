"""Where the wall time of a run went, and what its steps achieved."""

from __future__ import annotations

import time

import numpy as np
import psutil

from cnnlab.spec import ExperimentSpec, RunStarted, Timing, warmup_steps
from cnnlab.training.callback import LabCallback


class Ledger:
    """Where a run's wall time went, phase by phase."""

    def __init__(self, launched_at: float) -> None:
        self.startup = max(time.monotonic() - launched_at, 0.0)
        self._last = time.perf_counter()
        self._began = self._last
        self.seconds: dict[str, float] = {}

    def close(self, phase: str) -> None:
        """The time since the last call went into `phase`."""
        now = time.perf_counter()
        self.seconds[phase] = now - self._last
        self._last = now

    @property
    def total(self) -> float:
        return self.startup + time.perf_counter() - self._began


def process_started_at() -> float:
    """When this process began, on the clock of `time.monotonic`: what a run in it waited for."""
    return time.monotonic() - (time.time() - psutil.Process().create_time())


def timing_of(
    spec: ExperimentSpec,
    callback: LabCallback,
    ledger: Ledger,
    started: RunStarted,
) -> Timing:
    """The ledger of a run: its parts add up to `total_seconds`."""
    training_flops = started.model.training_flops_per_image
    assert training_flops is not None, "a run that is started here says it"
    step_ms, bookmark = np.asarray(callback.step_ms), callback.bookmark
    warm = warmup_steps(len(step_ms))
    warmup_seconds = float(step_ms[:warm].sum()) / 1e3
    parts = {
        "startup_seconds": ledger.startup,
        "data_seconds": ledger.seconds["data"],
        "build_seconds": ledger.seconds["build"],
        "warmup_seconds": warmup_seconds,
        "train_seconds": max(callback.train_seconds - warmup_seconds, 0.0),
        "validation_seconds": callback.validation_seconds,
    }
    steps = np.arange(warm, len(step_ms)) + bookmark.steps_before + 1
    images = started.dataset.images_in_step(steps, spec.batch_size)
    total, turns = ledger.total, callback.turns
    held = turns.held_seconds if turns else 0.0
    return Timing(
        **parts,
        fit_seconds=ledger.seconds["fit"] - held - bookmark.seconds + bookmark.seconds_before,
        held_seconds=held if turns else None,
        other_seconds=total - sum(parts.values()) - held,
        total_seconds=total,
        **_step_statistics(step_ms[warm:], images, training_flops),
        **_waiting(callback.wait_ms[warm:]),
    )


def _step_statistics(
    steady_ms: np.ndarray, images: np.ndarray, flops_per_image: int
) -> dict[str, float]:
    """What the steps after warm-up took, and what they achieved.

    Args:
        images: how many pictures each of them trained on: the last of an epoch holds fewer.
        flops_per_image: of a training step.
    """
    if not len(steady_ms):
        return {}
    return {
        "step_ms_mean": float(steady_ms.mean()),
        "step_ms_median": float(np.median(steady_ms)),
        "step_ms_p95": float(np.percentile(steady_ms, 95)),
        "images_per_second": float(images.sum()) * 1e3 / float(steady_ms.sum()),
        "gflops": float(np.median(flops_per_image * images / steady_ms)) / 1e6,
    }


def _waiting(wait_ms: list[float]) -> dict[str, float]:
    return {"data_wait_ms_mean": float(np.mean(wait_ms))} if wait_ms else {}
