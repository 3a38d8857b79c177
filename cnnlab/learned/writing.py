"""Keeps what a run learns, on its way and at its end."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from cnnlab.learned.files import (
    BEST,
    FILM,
    FINAL,
    GALLERY,
    MOST_FRAMES,
    PREDICTIONS,
    Facts,
    Frame,
    epochs_in,
    place_of,
    read_arrays,
    read_facts,
    settings,
    write_arrays,
    write_facts,
)
from cnnlab.spec import LabError

Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class About:
    """What is known of a run before its first step."""

    epochs: int
    """That it is to have."""
    class_names: tuple[str, ...]
    weights: tuple[str, ...]
    """As `Facts.weights`."""
    frame_bytes: int
    """Of its weights."""
    gallery: np.ndarray
    """Of the pictures that are shown as it learns: where they lie in the data set, int32 (N,)."""
    gallery_labels: np.ndarray


@dataclass(frozen=True, eq=False)
class Answers:
    """What a run answered to a part of its data, at the end and after its best epoch."""

    labels: np.ndarray
    indices: np.ndarray
    """Where each lies in that part of the data set."""
    final: np.ndarray
    """Probabilities (N, classes)."""
    best: np.ndarray | None


@dataclass(eq=False)
class _Now:
    """Where a run stands."""

    facts: Facts
    weights: Weights = field(default_factory=dict)
    rows: list[np.ndarray] = field(default_factory=list)
    """Of the gallery, one for each epoch."""


class Writer:
    """Keeps what one run learns: `begin`, then each `epoch`, then `end`.

    Each raises `OSError` where the disk takes no more, and leaves what is there whole.
    """

    def __init__(self, run_id: str) -> None:
        self.place = place_of(run_id)
        self._about: About
        self._now: _Now

    def begin(self, about: About, done: int) -> Facts:
        """Make room for a run that has done so many epochs, and go on with what is kept of those.

        Returns:
            What is kept so far: of a run that begins, nothing.
        """
        self._about = about
        every = film_every(about.epochs, about.frame_bytes, settings().film_mb * 10**6)
        before = self._before(about) if done else None
        if before is None:
            shutil.rmtree(self.place, ignore_errors=True)
        (self.place / FILM).mkdir(parents=True, exist_ok=True)
        fresh = Facts(
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            class_names=about.class_names,
            epochs=done,
            film_every=every,
            weights=about.weights,
        )
        facts, rows = self._gone_on(fresh, before) if before else (fresh, [])
        self._now = _Now(facts, rows=rows + [self._unknown()] * (done - len(rows)))
        if rows:
            self._write_gallery()
        write_facts(self.place, facts)
        return facts

    def _before(self, about: About) -> tuple[Facts, list[np.ndarray]] | None:
        """What is kept of the epochs before; None where that is damaged, or of another network."""
        try:
            facts = read_facts(self.place)
            gallery = read_arrays(self.place / GALLERY)
        except LabError:
            return None
        same = np.array_equal(gallery.get("indices", ()), about.gallery)
        return (facts, list(gallery["probabilities"])) if same else None

    def _gone_on(
        self, fresh: Facts, before: tuple[Facts, list[np.ndarray]]
    ) -> tuple[Facts, list[np.ndarray]]:
        """The film goes on, without frames that are not to be, or not to be any more; so do the
        newest files of the other kinds, until the run writes its own: it may break off before.
        """
        facts, rows = before
        wanted = [f for f in facts.frames if self._stays(f, fresh)]
        outdated = [frame.file for frame in set(facts.frames) - set(wanted)]
        outdated += [f for f in (FINAL, BEST, PREDICTIONS) if not self._lasts(f, facts, fresh)]
        for file in outdated:
            (self.place / file).unlink(missing_ok=True)
        update: dict[str, object] = {"made_at": facts.made_at, "frames": tuple(wanted)}
        if BEST not in outdated:
            names = ("best_epoch", "best_val_accuracy")
            update |= {name: getattr(facts, name) for name in names}
        return fresh.model_copy(update=update), rows[: fresh.epochs]

    def _lasts(self, file: str, before: Facts, fresh: Facts) -> bool:
        """Whether a file is there, and of epochs that are done. One that does not say of which, as
        older labs wrote them, would soon be taken for another's; but the best is in the facts.
        """
        try:
            epochs = epochs_in(self.place / file)
        except LabError:
            return False
        if file == BEST:
            known = before.best_epoch
            return known is not None and epochs.get("best", known) == known <= fresh.epochs
        return bool(epochs) and max(epochs.values()) <= fresh.epochs

    @staticmethod
    def _stays(frame: Frame, fresh: Facts) -> bool:
        every = fresh.film_every
        return frame.epoch <= fresh.epochs and every > 0 and frame.epoch % every == 0

    def _unknown(self) -> np.ndarray:
        """The row of an epoch whose answers were lost when the run was killed."""
        shape = len(self._about.gallery), len(self._about.class_names)
        return np.full(shape, np.nan, np.float16)

    def epoch(self, weights: Weights, val_accuracy: float, answers: np.ndarray) -> None:
        """Take in an epoch.

        Args:
            val_accuracy: NaN is no accuracy.
            answers: probabilities of the gallery's pictures, (N, classes).
        """
        now = self._now
        number = now.facts.epochs + 1
        now.weights, update = weights, dict[str, object](epochs=number)
        now.rows.append(answers.astype(np.float16))
        if now.facts.film_every and number % now.facts.film_every == 0:
            frame = Frame(epoch=number, file=f"{FILM}/{number:04d}.safetensors")
            write_arrays(self.place / frame.file, weights)
            update["frames"] = (*now.facts.frames, frame)
        best = now.facts.best_val_accuracy
        if val_accuracy > (-1.0 if best is None else best):
            write_arrays(self.place / BEST, weights, epochs={"best": number})
            update |= {"best_epoch": number, "best_val_accuracy": val_accuracy}
        now.facts = now.facts.model_copy(update=update)
        if len(update) > 1:
            self._write_gallery()
            write_facts(self.place, now.facts)

    def _write_gallery(self) -> None:
        arrays = {
            "indices": self._about.gallery.astype(np.int32),
            "labels": self._about.gallery_labels.astype(np.int32),
            "probabilities": np.stack(self._now.rows),
        }
        write_arrays(self.place / GALLERY, arrays)

    @property
    def facts(self) -> Facts:
        """What is kept so far."""
        return self._now.facts

    def best_weights(self) -> dict[str, np.ndarray]:
        """Those after the best epoch.

        Raises:
            LabError: they are not there any more.
        """
        return read_arrays(self.place / BEST)

    def end(self, answers: Mapping[str, Answers]) -> None:
        """Keep the last epoch's weights, and the answers by part: `validation`, `test`."""
        if not self._now.weights:  # no epoch was finished in this part of the run
            if not self._now.facts.epochs:
                shutil.rmtree(self.place, ignore_errors=True)
            return
        self._write_gallery()
        facts = self._now.facts
        epochs = {"final": facts.epochs}
        write_arrays(self.place / FINAL, self._now.weights, epochs=epochs, lasting=True)
        found: dict[str, np.ndarray] = {}
        for part, given in answers.items():
            found |= {
                f"{part}.labels": given.labels.astype(np.int32),
                f"{part}.indices": given.indices.astype(np.int32),
                f"{part}.final": given.final.astype(np.float16),
            }
            if given.best is not None:
                found[f"{part}.best"] = given.best.astype(np.float16)
        if facts.best_epoch is not None:
            epochs["best"] = facts.best_epoch
        write_arrays(self.place / PREDICTIONS, found, epochs=epochs, lasting=True)
        write_facts(self.place, facts)


def film_every(epochs: int, frame_bytes: int, limit_bytes: int) -> int:
    """After how many epochs each a frame is kept, so that the film stays within a limit: 1, 2, 4,
    8 …; 0 where not even one frame fits.
    """
    most = min(limit_bytes // max(frame_bytes, 1), MOST_FRAMES)
    if not most:
        return 0
    every = 1
    while epochs // every > most:
        every *= 2
    return every
