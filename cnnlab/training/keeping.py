"""Keeps what a run learns, tells what it answers as it learns, and holds it against the test set.

All of it lies outside what is timed: a validation is heard while it passes by, and the rest is done
between epochs and after the last one, where the ledger counts it apart.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

import keras
import numpy as np

from cnnlab.engines import Job, Judged, Pictures, Poll
from cnnlab.learned import About, Answers, Writer
from cnnlab.spec import Answered, Epoch, Event, GalleryChosen, LabError
from cnnlab.training.callback import Stopped

log = logging.getLogger(__name__)

GALLERY = 24
LIKELIEST = 3
CHOICE_SEED = 0


def chosen(labels: np.ndarray, most: int = GALLERY) -> np.ndarray:
    """The places of a few pictures, of as many classes as there are: always the same ones."""
    seen: Counter[int] = Counter()
    ranks = np.empty(len(labels), np.int64)
    for place, label in enumerate(labels.tolist()):
        ranks[place] = seen[label]
        seen[label] += 1
    turns = np.random.default_rng(CHOICE_SEED).permutation(int(labels.max(initial=0)) + 1)
    return np.lexsort((turns[labels], ranks))[:most]


def weight_names(model: keras.Model) -> tuple[str, ...]:
    """Names for the weights of a model, which sort into its own order: `0002.conv2d_2.kernel`."""
    kinds: Counter[str] = Counter()
    layer_of: dict[int, str] = {}
    for layer in model.layers:
        kind = type(layer).__name__.lower()
        kinds[kind] += 1
        layer_of |= {id(variable): f"{kind}_{kinds[kind]}" for variable in layer.weights}
    return tuple(
        f"{number:04d}.{layer_of[id(variable)]}.{variable.name}"
        for number, variable in enumerate(model.weights)
    )


class Validation:
    """The pictures that a run is validated on, and those of them that are shown."""

    def __init__(self, pictures: Pictures, indices: np.ndarray) -> None:
        """
        Args:
            indices: where each lies in the prepared data set.
        """
        self.pictures, self.indices = pictures, indices
        self.shown = chosen(pictures.labels)
        self.gallery = Pictures(
            pictures.images[self.shown], pictures.labels[self.shown], pictures.classes
        )


class Keeper:
    """Keeps what one run learns: told after each epoch, and once at the end.

    A disk that takes no more is no reason to lose the training: it goes on without.
    """

    def __init__(
        self,
        writer: Writer,
        job: Job,
        validation: Validation,
        class_names: tuple[str, ...],
        emit: Callable[[Event], None],
    ) -> None:
        self._writer: Writer | None = writer
        self._job, self._validation, self._emit = job, validation, emit
        self._class_names = class_names
        self._names = weight_names(job.model)
        self._final: np.ndarray | None = None
        self._best: np.ndarray | None = None

    def begin(self, epochs: int, done: int) -> None:
        """Tell which pictures are shown, and go on with what is kept of the epochs that are done.

        Args:
            epochs: that the run is to have.
        """
        shown = self._validation.indices[self._validation.shown]
        labels = self._validation.gallery.labels
        about = About(
            epochs=epochs,
            class_names=self._class_names,
            weights=self._names,
            frame_bytes=sum(4 * variable.value.numel() for variable in self._job.model.weights),
            gallery=shown,
            gallery_labels=labels,
        )
        self._try(lambda writer: writer.begin(about, done))
        indices, named = tuple(shown.tolist()), tuple(labels.tolist())
        self._emit(GalleryChosen(indices=indices, labels=named, class_names=self._class_names))

    def listen(self) -> None:
        """A validation begins."""
        if self._job.listener:
            self._job.listener.listen()

    def epoch(self, row: Epoch, weights: list[np.ndarray]) -> None:
        """Take in an epoch that is over, and tell what was answered after it."""
        answers = self._heard()
        self._emit(_told(row.epoch, answers))

        def keep(writer: Writer) -> None:
            writer.epoch(dict(zip(self._names, weights, strict=True)), row.val_accuracy, answers)
            if writer.facts.best_epoch == row.epoch:
                self._best = self._final

        self._try(keep)

    def _heard(self) -> np.ndarray:
        """The answers to the gallery; where the whole validation was heard, that is taken up."""
        if self._job.listener is None:
            return self._job.judge(self._validation.gallery, _go_on).probabilities
        self._final = self._job.listener.heard().astype(np.float16)
        return self._final[self._validation.shown]

    def end(self, finished: bool, test: Pictures | None, judged: Judged | None, poll: Poll) -> None:
        """Keep the last epoch's weights, and what was answered after it and after the best one.

        Args:
            judged: a run that finished, held against the test set; null where there is none.
        """

        def keep(writer: Writer) -> None:
            if finished:
                self._final = self._answers(self._final, self._validation.pictures, poll)
            writer.end(self._both(writer, test, judged, poll))

        self._try(keep)

    def _both(
        self, writer: Writer, test: Pictures | None, judged: Judged | None, poll: Poll
    ) -> dict[str, Answers]:
        """By part of the data."""
        if self._final is None:  # stopped, and nobody has heard its last validation
            return {}
        end = self._final, judged.probabilities if judged else None
        facts, validation = writer.facts, self._validation
        same = facts.best_epoch == facts.epochs
        best = end if same else self._at_best(writer, test if judged else None, poll)
        labels, indices = validation.pictures.labels, validation.indices
        found = {"validation": Answers(labels, indices, end[0], best[0])}
        if test and end[1] is not None:
            found["test"] = Answers(test.labels, np.arange(len(test.labels)), end[1], best[1])
        return found

    def _at_best(
        self, writer: Writer, test: Pictures | None, poll: Poll
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """What the best epoch's weights answer to the validation and to the test set."""
        known = self._best is not None and test is None
        if known or writer.facts.best_epoch is None:
            return self._best, None
        self._job.model.set_weights(list(writer.best_weights().values()))
        validation = self._answers(self._best, self._validation.pictures, poll)
        return validation, self._answers(None, test, poll) if test else None

    def _answers(self, known: np.ndarray | None, to: Pictures, poll: Poll) -> np.ndarray | None:
        """What the model answers as it stands; None where somebody stops that, or the device has no
        room: the weights are to be kept all the same.
        """
        if known is not None:
            return known
        try:
            return self._job.judge(to, poll).probabilities
        except Stopped:
            return None
        except RuntimeError:  # torch's want of memory is one, on every device
            log.exception("what this run answers is not known")
            return None

    def _try(self, work: Callable[[Writer], object]) -> None:
        if self._writer is None:
            return
        try:
            work(self._writer)
        except (OSError, LabError):
            log.exception("no more of what this run learns can be kept")
            self._writer = None


def _go_on() -> None:
    """For a few pictures nobody need be asked."""


def _told(epoch: int, answers: np.ndarray) -> Answered:
    """The likeliest classes of each picture."""
    order = np.argsort(-answers, axis=1, kind="stable")[:, :LIKELIEST]
    shares = np.take_along_axis(answers, order, axis=1).astype(np.float64).round(3)
    classes = tuple(map(tuple, order.tolist()))
    return Answered(epoch=epoch, classes=classes, shares=tuple(map(tuple, shares.tolist())))
