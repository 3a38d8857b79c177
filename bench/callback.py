"""What the lab's clocks cost a step: the callback that times and tells, against none.

Both arms fit the same network with the same engine, in turn, in one process. The baseline's
callback reads the clock at the two ends of the epoch and does nothing between.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras

from bench.engines import ARTICLE_STEPS, DEVICE, KIND, TrainingSeconds, pictures
from bench.measure import paired, save
from cnnlab.engines import ENGINES, Job, Start, initial_weights
from cnnlab.spec import PRESETS, Event, ExperimentSpec, change
from cnnlab.training import LabCallback

PAIRS = 15
DENSE_STEPS = 1500
BUDGET_SHARE = 0.005


def job_of(spec: ExperimentSpec, steps: int) -> tuple[ExperimentSpec, Job]:
    """A network ready to fit, on noise, with few pictures to validate."""
    data = pictures(spec, steps)
    spec = change(spec, validation_split=64 / len(data.labels), threads=1)
    with keras.device(DEVICE):
        weights = initial_weights(spec, data.images.shape[1:], data.classes)
        return spec, ENGINES[spec.engine](spec, data, Start(weights))


def fit(job: Job, callback: keras.callbacks.Callback) -> None:
    """One epoch with the arm's callback alone."""
    job.model.train_function = None  # the lab's callback leaves its own there
    with keras.device(DEVICE):
        job.model.fit(**job.fit, epochs=1, callbacks=job.callbacks(callback))


def timed(spec: ExperimentSpec, job: Job) -> Callable[[], float]:
    """An epoch's training (s) with the lab's callback, whose events are written out as a worker's
    are."""

    def epoch() -> float:
        with Path(os.devnull).open("w") as out:

            def emit(event: Event) -> None:
                print(event.model_dump_json(), file=out, flush=True)

            callback = LabCallback(spec, DEVICE, emit, lambda: False)
            fit(job, callback)
        return callback.train_seconds

    return epoch


def plain(job: Job) -> Callable[[], float]:
    """The same without."""

    def epoch() -> float:
        clock = TrainingSeconds()
        fit(job, clock)
        return clock.seconds

    return epoch


def main() -> list[dict[str, Any]]:
    """Measure, keep and return the results."""
    results = []
    for preset, steps in (("article", ARTICLE_STEPS), ("dense", DENSE_STEPS)):
        arms = [job_of(PRESETS[preset].spec, steps) for _ in range(2)]
        result = paired(timed(*arms[0]), plain(arms[1][1]), PAIRS)
        share, most, least = (
            1 / result["ratio"][name] - 1 for name in ("median", "quartile_low", "quartile_high")
        )
        note = (
            f"The lab's callback makes an epoch of the preset {preset}, {KIND}, {share:+.2%} "
            f"longer (quartiles {least:+.1%} to {most:+.1%}; budget {BUDGET_SHARE:.1%})."
        )
        results.append(
            result
            | {
                "name": f"Epoch of the preset {preset}, batch 32, {KIND}",
                "unit": "s",
                "arms": {"a": "with the lab's callback", "b": "with none"},
                "budget": {"share": BUDGET_SHARE},
                "notes": [note],
            }
        )
    save("callback", results)
    return results


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
