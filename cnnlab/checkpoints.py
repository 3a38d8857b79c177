"""Checkpoints: where a run stood after its last epoch, so that it can go on from there.

Each is one file under `home()/checkpoints/RUN_ID`: plain arrays (`.npz`, read without pickle) and
the facts of the run as JSON. The two newest of a run are kept, so that one damaged file costs an
epoch, not the run. A run that finished, diverged or was deleted needs none; of all others the
newest `MOST_RUNS` runs within `MOST_BYTES` stay (`tidy`).
"""

from __future__ import annotations

import logging
import os
import shutil
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from cnnlab.spec import DatasetFacts, Epoch, ExperimentSpec, Frozen, LabError, home

log = logging.getLogger(__name__)

KEPT_OF_A_RUN = 2
MOST_RUNS = 20
MOST_BYTES = 4_000_000_000


class Facts(Frozen):
    """What a checkpoint says of its run."""

    spec: ExperimentSpec
    dataset: DatasetFacts
    epochs: tuple[Epoch, ...]
    """The finished epochs: a process that was killed may not have handed all of them on."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A run after an epoch: its facts, and every number that the next step depends on."""

    facts: Facts
    weights: list[np.ndarray]
    """As `keras.Model.get_weights` orders them, moving statistics included."""
    optimizer: list[np.ndarray]
    """The optimizer's variables in their order: step counter, momenta, loss scale …"""


class Standing(Protocol):
    """What `tidy` needs to know of runs; `cnnlab.history.History` says it."""

    def settled(self, run_ids: Collection[str]) -> set[str]: ...

    def open_runs(self) -> set[str]: ...


def folder() -> Path:
    """Where the checkpoints of all runs lie."""
    return home() / "checkpoints"


def kept(run_id: str) -> list[int]:
    """The epochs after which there is a checkpoint of a run, newest first; the files may be bad."""
    return sorted((int(path.stem) for path in _files(run_id)), reverse=True)


def _files(run_id: str) -> list[Path]:
    return [path for path in (folder() / run_id).glob("*.npz") if path.stem.isdecimal()]


# --- writing --------------------------------------------------------------------------------


def write(run_id: str, checkpoint: Checkpoint) -> None:
    """Put a checkpoint on the disk, whole or not at all, and drop the run's outdated ones.

    Raises:
        OSError: the folder cannot be written.
    """
    place = folder() / run_id
    place.mkdir(parents=True, exist_ok=True)
    target = place / f"{len(checkpoint.facts.epochs):05d}.npz"
    part = target.with_suffix(".part")
    arrays = {
        "facts": np.array(checkpoint.facts.model_dump_json()),
        **{f"weight-{number:04d}": array for number, array in enumerate(checkpoint.weights)},
        **{f"optimizer-{number:04d}": array for number, array in enumerate(checkpoint.optimizer)},
    }
    with part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())
    part.replace(target)
    _sync(place)
    for number in kept(run_id)[KEPT_OF_A_RUN:]:
        (place / f"{number:05d}.npz").unlink(missing_ok=True)


def _sync(place: Path) -> None:
    """Let a renaming survive a power failure; Windows cannot open folders and does it itself."""
    if os.name != "posix":
        return
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- reading --------------------------------------------------------------------------------


def newest(run_id: str) -> Checkpoint:
    """The newest checkpoint of a run that can be read.

    Raises:
        LabError: there is none, or all are damaged.
    """
    found = kept(run_id)
    for number in found:
        try:
            return _read(folder() / run_id / f"{number:05d}.npz")
        except LabError as error:
            log.warning("%s", error)
    if found:
        raise LabError(f"Every checkpoint of the run {run_id} is damaged; train it again.")
    raise LabError(f"The run {run_id} has no checkpoint to go on from; train it again.")


def _read(path: Path) -> Checkpoint:
    try:
        with np.load(path, allow_pickle=False) as file:
            names = sorted(file.files)
            facts = Facts.model_validate_json(str(file["facts"]))
            parts = {
                kind: [file[name] for name in names if name.startswith(f"{kind}-")]
                for kind in ("weight", "optimizer")
            }
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise LabError(f"The checkpoint {path} is damaged ({type(error).__name__}).") from error
    return Checkpoint(facts, parts["weight"], parts["optimizer"])


# --- tidying --------------------------------------------------------------------------------


def discard(run_id: str) -> None:
    """Remove the checkpoints of a run."""
    shutil.rmtree(folder() / run_id, ignore_errors=True)


def tidy(runs: Standing) -> None:
    """Remove the checkpoints that nobody will resume from, then the oldest beyond the limits.

    Those of a run that waits or trains, in this process or another, stay.
    """
    names = [path.name for path in folder().glob("*") if path.is_dir()]
    if not names:
        return
    settled, in_use = runs.settled(names), runs.open_runs()
    for name in settled - in_use:
        discard(name)
    left = [name for name in names if name not in settled | in_use]
    for name in _beyond(sorted(left, key=_age, reverse=True)):
        discard(name)


def _age(run_id: str) -> float:
    """When a run's newest checkpoint was written, in seconds since 1970."""
    return max((path.stat().st_mtime for path in _files(run_id)), default=0.0)


def _beyond(newest_first: list[str]) -> list[str]:
    """The runs that the limits leave no room for."""
    gone, total = [], 0
    for place, name in enumerate(newest_first):
        total += sum(path.stat().st_size for path in _files(name))
        if place >= MOST_RUNS or total > MOST_BYTES:
            gone.append(name)
    return gone
