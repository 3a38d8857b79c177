"""What a run has learnt, as pages read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from cnnlab.learned.files import (
    BEST,
    FACTS,
    FINAL,
    GALLERY,
    PREDICTIONS,
    Facts,
    Stored,
    epochs_in,
    names_in,
    place_of,
    read_arrays,
    read_facts,
    read_stored,
)
from cnnlab.spec import HeldOut, LabError, Paired, RunCard

At = Literal["final", "best"]


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a run answered to the pictures, or sequences, of a part of its data."""

    probabilities: np.ndarray
    """float16 (N, classes)."""
    labels: np.ndarray
    """int32 (N,)."""
    indices: np.ndarray
    """Where each lies in the prepared data set, int32 (N,): of `validation` among its pictures to
    learn from, of `test` among those of its test part."""
    epoch: int | None
    """After which it answered so: a run that is trained on may be further since. Null where that is
    not known."""


@dataclass(frozen=True, eq=False)
class Gallery:
    """What a run answered to the same few validation pictures after each of its epochs."""

    indices: np.ndarray
    """As those of `Predictions`, int32 (N,), N at most 24."""
    probabilities: np.ndarray
    """float16 (epochs, N, classes); NaN for epochs that were lost when the run was killed."""
    labels: np.ndarray
    """int32 (N,)."""


@dataclass(frozen=True)
class Learned:
    """What is kept of a run. Everything raises `LabError` where a file is gone or damaged.

    A run that broke off, or is on its way, may have gone on since a file was written: each file is
    of the epoch that it names itself.
    """

    run_id: str
    place: Path
    facts: Facts

    @property
    def frames(self) -> tuple[int, ...]:
        """The epochs, counted from 1, whose weights can be had, rising; the last one among them
        once the run is over, unless it was killed."""
        found = {f.epoch for f in self.facts.frames if (self.place / f.file).exists()}
        return tuple(sorted(found | set(filter(None, [self._written("final")]))))

    @property
    def end(self) -> int | None:
        """The newest epoch whose weights can be had: of a run that is over its last one, unless it
        was killed. None where there are none."""
        newest, best = max(self.frames, default=0), self.facts.best_epoch or 0
        return (max(newest, self.best or 0) if best > newest else newest) or None

    @property
    def best(self) -> int | None:
        """The best epoch, where its weights can be had."""
        return self._written("best")

    def _written(self, at: At) -> int | None:
        """After which epoch the weights stood as that file has them."""
        path = self._file(at)
        return epochs_in(path).get(at, self._supposed(at)) if path.exists() else None

    def _supposed(self, at: At) -> int | None:
        """The epoch of a file that an older lab wrote, which does not say it."""
        return self.facts.epochs if at == "final" else self.facts.best_epoch

    def _file(self, at: At) -> Path:
        return self.place / {"final": FINAL, "best": BEST}[at]

    def weights(self, at: At | int) -> dict[str, np.ndarray]:
        """The weights at the `end`, after the `best` epoch, or after the epoch of that number.

        Their values, in this order, are what `keras.Model.set_weights` takes.
        """
        epoch = at if isinstance(at, int) else self.end if at == "final" else self.best
        if epoch is None:
            raise LabError(
                f"The {at} weights of the run {self.run_id} are not kept any more: train it again."
            )
        for frame in self.facts.frames:
            if frame.epoch == epoch and (self.place / frame.file).exists():
                return read_arrays(self.place / frame.file)
        for place in get_args(At):
            if self._written(place) == epoch:
                return self._read(place, epoch)
        raise LabError(
            f"The weights of the run {self.run_id} after epoch {epoch} were not kept; choose one "
            f"of the epochs {', '.join(map(str, self.frames))}."
        )

    def _read(self, at: At, epoch: int) -> dict[str, np.ndarray]:
        found = read_stored(self._file(at))
        if found.epochs.get(at, epoch) != epoch:
            raise LabError(f"The run {self.run_id} went on meanwhile: try it once more.")
        return found.arrays

    @property
    def parts(self) -> tuple[HeldOut, ...]:
        """The parts of its data of which answers are kept: none of a run that did not finish."""
        names = names_in(self.place / PREDICTIONS)
        return tuple(part for part in get_args(HeldOut) if f"{part}.final" in names)

    def predictions(self, part: HeldOut, at: At = "final") -> Predictions | None:
        """What it answered; None where the data have no such part, or the run did not finish."""
        path = self.place / PREDICTIONS
        stored = read_stored(path) if path.exists() else Stored({}, {})
        arrays, name = stored.arrays, f"{part}.{at}"
        if name not in arrays:
            return None
        try:
            said, labels, indices = (arrays[n] for n in (name, f"{part}.labels", f"{part}.indices"))
        except KeyError as error:
            raise LabError(f"{path} lacks {error}: train the run again.") from error
        count = len(labels)
        if said.shape != (count, len(self.facts.class_names)) or indices.shape != (count,):
            raise LabError(f"{path} does not fit its run: train it again.")
        return Predictions(said, labels, indices, stored.epochs.get(at, self._supposed(at)))

    @property
    def gallery(self) -> Gallery:
        """The same few pictures, epoch by epoch."""
        path = self.place / GALLERY
        arrays = read_arrays(path)
        try:
            found = Gallery(*(arrays[name] for name in ("indices", "probabilities", "labels")))
        except KeyError as error:
            raise LabError(f"{path} lacks {error}: train the run again.") from error
        shape = found.indices.shape[0], len(self.facts.class_names)
        if found.probabilities.shape[1:] != shape or found.labels.shape != shape[:1]:
            raise LabError(f"{path} does not fit its run: train it again.")
        return found


def kept(run_id: str) -> bool:
    """Whether anything is kept of a run."""
    return (place_of(run_id) / FACTS).exists()


def open_run(run_id: str, home: Path | None = None) -> Learned:
    """What is kept of a run, by its whole id.

    Args:
        home: another lab's than this one's.

    Raises:
        LabError: nothing is kept of it, or it is damaged.
    """
    place = place_of(run_id, home and home / "learned")
    return Learned(run_id, place, read_facts(place))


class _Right(NamedTuple):
    """About which pictures of a part a run was right when it last ended."""

    pictures: bytes
    """Tells those pictures from others."""
    right: np.ndarray
    epoch: int | None
    """After which that was."""


def paired(first: RunCard, second: RunCard) -> dict[HeldOut, Paired]:
    """How often two runs were right, after the last epochs of both, about the same pictures of each
    part of their data; without the parts that were not kept of both, or of which they have other
    pictures. Whether it is one data set, the caller knows.
    """
    one, other = _right_of(first), _right_of(second)
    return {
        part: _counted(one[part].right, other[part].right)
        for part in get_args(HeldOut)
        if part in one and part in other and one[part].pictures == other[part].pictures
    }


def _counted(right: np.ndarray, too: np.ndarray) -> Paired:
    counts = (right & too, right & ~too, ~right & too, ~right & ~too)
    return Paired(*(int(count.sum()) for count in counts))


def _right_of(card: RunCard) -> Mapping[HeldOut, _Right]:
    """Empty where it was not kept, cannot be read, or where the run has gone on since."""
    place = place_of(card.run_id)
    try:
        changed_ns = (place / PREDICTIONS).stat().st_mtime_ns
        found = _read_right(place, changed_ns)
    except (LabError, OSError):
        return {}
    last = card.epochs[-1].epoch if card.epochs else None
    return {part: said for part, said in found.items() if said.epoch == last}


@lru_cache(maxsize=1024)
def _read_right(place: Path, changed_ns: int) -> Mapping[HeldOut, _Right]:
    """Once for all pages that hold the run against others, as long as its file is the same."""
    run, found = open_run(place.name, place.parent.parent), {}
    for part in get_args(HeldOut):
        if (said := run.predictions(part)) is not None:
            pictures = sha256(said.indices.tobytes() + said.labels.tobytes()).digest()
            right = said.probabilities.argmax(1) == said.labels
            found[part] = _Right(pictures, right, said.epoch)
    return found
