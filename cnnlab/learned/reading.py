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
    FACTS,
    Facts,
    names_in,
    place_of,
    read_arrays,
    read_facts,
)
from cnnlab.spec import HeldOut, LabError, Paired

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
    """What is kept of a run. Everything raises `LabError` where a file is gone or damaged."""

    run_id: str
    place: Path
    facts: Facts

    @property
    def frames(self) -> tuple[int, ...]:
        """The epochs, counted from 1, whose weights can be had, rising; the last one among them
        once the run is over."""
        found = {f.epoch for f in self.facts.frames if (self.place / f.file).exists()}
        if (self.place / "final.safetensors").exists():
            found.add(self.facts.epochs)
        return tuple(sorted(found))

    def weights(self, at: At | int) -> dict[str, np.ndarray]:
        """The weights at the end, after the best epoch, or after the epoch of that number.

        Their values, in this order, are what `keras.Model.set_weights` takes.
        """
        if isinstance(at, str):
            return read_arrays(self.place / f"{at}.safetensors")
        for frame in self.facts.frames:
            if frame.epoch == at:
                return read_arrays(self.place / frame.file)
        if at == self.facts.epochs:
            return self.weights("final")
        if at == self.facts.best_epoch:
            return self.weights("best")
        raise LabError(
            f"The weights of the run {self.run_id} after epoch {at} were not kept; choose one of "
            f"the epochs {', '.join(map(str, self.frames))}."
        )

    @property
    def parts(self) -> tuple[HeldOut, ...]:
        """The parts of its data of which answers are kept: none of a run that did not finish."""
        path = self.place / "predictions.safetensors"
        names = names_in(path) if path.exists() else frozenset[str]()
        return tuple(part for part in get_args(HeldOut) if f"{part}.final" in names)

    def predictions(self, part: HeldOut, at: At = "final") -> Predictions | None:
        """What it answered; None where the data have no such part, or the run did not finish."""
        path = self.place / "predictions.safetensors"
        arrays = read_arrays(path) if path.exists() else {}
        if f"{part}.{at}" not in arrays:
            return None
        try:
            names = (f"{part}.{at}", f"{part}.labels", f"{part}.indices")
            found = Predictions(*(arrays[name] for name in names))
        except KeyError as error:
            raise LabError(f"{path} lacks {error}: train the run again.") from error
        classes = len(self.facts.class_names)
        count = len(found.labels)
        if found.probabilities.shape != (count, classes) or found.indices.shape != (count,):
            raise LabError(f"{path} does not fit its run: train it again.")
        return found

    @property
    def gallery(self) -> Gallery:
        """The same few pictures, epoch by epoch."""
        path = self.place / "gallery.safetensors"
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
    """About which pictures of a part a run was right at its end."""

    pictures: bytes
    """Tells those pictures from others."""
    right: np.ndarray


def paired(first: str, second: str) -> dict[HeldOut, Paired]:
    """How often two runs were right, at their ends, about the same pictures of each part of their
    data; without the parts that were not kept of both, or of which they have other pictures.
    Whether it is one data set, the caller knows.
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


def _right_of(run_id: str) -> Mapping[HeldOut, _Right]:
    """Empty where it was not kept, or cannot be read."""
    try:
        changed_ns = (place_of(run_id) / "predictions.safetensors").stat().st_mtime_ns
        return _read_right(place_of(run_id), changed_ns)
    except (LabError, OSError):
        return {}


@lru_cache(maxsize=1024)
def _read_right(place: Path, changed_ns: int) -> Mapping[HeldOut, _Right]:
    """Once for all pages that hold the run against others, as long as its file is the same."""
    run, found = open_run(place.name, place.parent.parent), {}
    for part in get_args(HeldOut):
        if (said := run.predictions(part)) is not None:
            pictures = sha256(said.indices.tobytes() + said.labels.tobytes()).digest()
            found[part] = _Right(pictures, said.probabilities.argmax(1) == said.labels)
    return found
