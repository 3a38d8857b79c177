"""A recipe built by the lab, each epoch with what it learns kept or not, as it is ordered."""

from __future__ import annotations

import time

import numpy as np

from bench.keeping import FILM_EPOCHS, RUN
from bench.peers.answering import Line
from bench.peers.told import job_of
from bench.peers.works import VALIDATION_PICTURES
from cnnlab.engines import Job, Pictures
from cnnlab.learned import Writer
from cnnlab.spec import Event, parse_spec
from cnnlab.training import LabCallback
from cnnlab.training.callback import Bookmark
from cnnlab.training.keeping import Keeper, Validation
from cnnlab.training.run import on


def _ignore(event: Event) -> None:
    """Both arms tell alike, so nobody listens."""


def keeper_of(job: Job, data: str) -> Keeper:
    """As `training.train` makes it, for the pictures that validate."""
    with np.load(data) as found:
        images, labels = found["x_train"], found["y_train"].astype(np.int32)
    classes, first = int(labels.max()) + 1, len(labels) - VALIDATION_PICTURES
    pictures = Pictures(images[first:], labels[first:], classes)
    names = tuple(map(str, range(classes)))
    validation = Validation(pictures, np.arange(first, len(labels)))
    return Keeper(Writer(RUN), job, validation, names, _ignore)


def main() -> None:
    """Serve one recipe."""
    line = Line()
    order = line.order()
    spec, device, data = parse_spec(order["spec"]), order["device"], order["data"]
    with on(device):
        job = job_of(order, spec)
        keeper, done = keeper_of(job, data), 0
        while order:
            kept = order.get("kept", True)
            if (
                kept and done % FILM_EPOCHS == 0
            ):  # a film anew, so that each epoch is a frame of one
                keeper.begin(FILM_EPOCHS, done=0)
            done += kept
            bookmark = Bookmark(keeper=keeper if kept else None)
            callback = LabCallback(spec, device, _ignore, lambda: False, bookmark)
            job.model.train_function = None  # the lab's callback leaves its own there
            began = time.perf_counter()
            job.model.fit(**job.fit, epochs=1, callbacks=job.callbacks(callback))
            order = line.answer(1e3 * (time.perf_counter() - began))


if __name__ == "__main__":
    main()
