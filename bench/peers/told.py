"""A recipe built by the lab, each epoch with the lab's callback or with none, as it is ordered."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch

from bench.peers.answering import Line
from cnnlab.engines import Job, Pictures
from cnnlab.spec import Event, ExperimentSpec, parse_spec
from cnnlab.training import LabCallback
from cnnlab.training.run import build, on


class TrainingSeconds(keras.callbacks.Callback):
    """Seconds from the first batch of an epoch to its validation."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.began = time.perf_counter()

    def on_test_begin(self, logs: Any = None) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.train_seconds = time.perf_counter() - self.began


def job_of(order: dict[str, Any], spec: ExperimentSpec) -> Job:
    """The run, built as `training.train` builds it."""
    with np.load(order["data"]) as data:
        images, labels = data["x_train"], data["y_train"].astype(np.int32)
    job, _ = build(spec, Pictures(images, labels, int(labels.max()) + 1))
    return job


def main() -> None:
    """Serve one recipe."""
    line = Line()
    order = line.order()
    spec, device, steps = parse_spec(order["spec"]), order["device"], order["steps"]

    with Path(os.devnull).open("w") as events, on(device):

        def emit(event: Event) -> None:
            print(event.model_dump_json(), file=events, flush=True)

        job = job_of(order, spec)
        while order:
            told = order.get("told", True)
            callback = LabCallback(spec, device, emit, lambda: False) if told else TrainingSeconds()
            job.model.train_function = None  # the lab's callback leaves its own there
            job.model.fit(**job.fit, epochs=1, callbacks=job.callbacks(callback))
            order = line.answer(1e3 * callback.train_seconds / steps)


if __name__ == "__main__":
    main()
