"""The files of what was learnt: facts, settings, and arrays as safetensors, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from cnnlab.spec import Frozen, LabError, Number, home

FACTS, SETTINGS = "facts.json", "settings.json"
FILM = "film"
PARTS = ("final", "best", "predictions", "gallery")
"""Files of a run beside its film and its facts, without `.safetensors`."""
FINAL, BEST, PREDICTIONS, GALLERY = (f"{part}.safetensors" for part in PARTS)
ENDS = ("final", "best")
"""Of what a file may say the epoch."""
ASIDE = ".deleted"
"""Where that of deleted runs lies, for as long as a deletion can be taken back."""
DRAFT = ".draft-"
"""Before the name of what is being unpacked."""
MOST_FRAMES = 200
"""Of a film: more than anybody looks at."""


class Frame(Frozen):
    """The weights after an epoch."""

    epoch: int
    file: Annotated[str, Field(pattern=r"^film/\d{4,6}\.safetensors$")]


class Facts(Frozen):
    """What is kept of a run."""

    version: Literal["cnnlab.learned/1"] = "cnnlab.learned/1"
    made_at: str
    """ISO 8601, UTC."""
    class_names: tuple[str, ...]
    epochs: int
    """That are done; the gallery has a row for each."""
    best_epoch: int | None = None
    """That with the highest validation accuracy, the first of equals; null where none was finite,
    or its weights were lost when the run broke off."""
    best_val_accuracy: Number | None = None
    film_every: int
    """A frame of the film after every so many epochs, a power of two; 0: no film fits."""
    frames: tuple[Frame, ...] = ()
    weights: tuple[str, ...]
    """The arrays of each frame, in the order of `keras.Model.get_weights`, which is also that of
    their names: a number, the layer, the variable."""
    sizes: dict[str, int] = Field(default_factory=dict)
    """Bytes of `final`, `best`, `predictions` and `gallery`, as far as they are there, and of the
    whole `film`."""


class Settings(Frozen):
    """How much room may be taken, in MB (10^6 bytes)."""

    film_mb: Annotated[int, Field(ge=0, le=100_000)] = 100
    """For the film of one run."""
    total_mb: Annotated[int, Field(ge=0, le=10_000_000)] = 4_000
    """For all runs together."""


def folder() -> Path:
    """Where that of all runs lies."""
    return home() / "learned"


def place_of(run_id: str, above: Path | None = None) -> Path:
    """The folder of a run, whether it exists or not.

    Raises:
        LabError: no run is called so: the name leads elsewhere.
    """
    if not run_id or run_id.startswith(".") or not set(run_id).isdisjoint("/\\:"):
        raise LabError(f"{run_id[:64]!r} is no run's id; choose one from the history.")
    return (above or folder()) / run_id


# --- plain arrays ---------------------------------------------------------------------------


def write_arrays(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    *,
    epochs: Mapping[str, int] | None = None,
    lasting: bool = False,
) -> None:
    """Put arrays into a file, whole or not at all; `lasting` also beyond a power failure.

    Args:
        epochs: as of `Stored`. The facts beside it are written apart, and a run may break off in
            between, so the file says it itself.

    Raises:
        OSError: it cannot be written.
    """
    said = {at: str(epoch) for at, epoch in (epochs or {}).items()}
    part = path.with_suffix(".part")
    # The library writes memory as it lies, whatever order its axes are in.
    plain = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    try:
        save_file(plain, part, said)
    except SafetensorError as error:  # the library's word for a disk that is full, too
        raise OSError(f"{path} cannot be written: {error}") from error
    if lasting:
        with part.open("rb+") as file:
            os.fsync(file.fileno())
    part.replace(path)


class Stored(NamedTuple):
    """What a file holds."""

    arrays: dict[str, np.ndarray]
    """By name, in the order of their names."""
    epochs: dict[str, int]
    """The epochs after which the weights stood so, or gave these answers: `final`, that of the end
    of what was then trained, and `best`. Empty in files of older labs."""


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file, by name, in the order of their names.

    Raises:
        LabError: it is not there, or damaged.
    """
    return read_stored(path).arrays


def read_stored(path: Path) -> Stored:
    """All that a file holds.

    Raises:
        LabError: it is not there, or damaged.
    """
    with _opened(path) as file:
        return Stored(dict(sorted(file.get_tensors().items())), _epochs(file))


def names_in(path: Path) -> frozenset[str]:
    """The names of the arrays of a file, which is not read whole for that; none where it is gone.

    Raises:
        LabError: it is damaged.
    """
    if not path.exists():
        return frozenset()
    with _opened(path) as file:
        return frozenset(file.keys())


def epochs_in(path: Path) -> dict[str, int]:
    """`Stored.epochs` of a file that is there.

    Raises:
        LabError: it is not there, or damaged.
    """
    with _opened(path) as file:
        return _epochs(file)


def _epochs(file: safe_open) -> dict[str, int]:
    return {at: int(epoch) for at, epoch in (file.metadata() or {}).items() if at in ENDS}


@contextmanager
def _opened(path: Path) -> Iterator[safe_open]:
    try:
        with safe_open(path, framework="np") as file:
            yield file
    except FileNotFoundError as error:
        raise LabError(
            f"{path.parent.name}/{path.name} is not kept any more: train the run again."
        ) from error
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, why: Exception) -> LabError:
    return LabError(f"{path} is damaged ({why}): train the run again.")


# --- facts and settings ---------------------------------------------------------------------


def write_text(path: Path, text: str) -> None:
    """Put a text into a file, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def write_facts(place: Path, facts: Facts) -> None:
    """Keep the facts of a run, with the sizes of what lies beside them."""
    parts = {part: place / f"{part}.safetensors" for part in PARTS}
    sizes = {part: file.stat().st_size for part, file in parts.items() if file.exists()}
    film = sum((place / frame.file).stat().st_size for frame in facts.frames)
    facts = facts.model_copy(update={"sizes": {**sizes, FILM: film}})
    write_text(place / FACTS, facts.model_dump_json(indent=1))


def read_facts(place: Path) -> Facts:
    """The facts of a run's folder.

    Raises:
        LabError: nothing is kept of the run, or the facts are damaged.
    """
    try:
        return Facts.model_validate_json((place / FACTS).read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise LabError(
            f"What the run {place.name} has learnt was not kept, or had to make room: train it "
            "again."
        ) from error
    except (OSError, ValidationError) as error:
        raise LabError(
            f"{place / FACTS} is damaged ({type(error).__name__}): train the run again."
        ) from error


def settings() -> Settings:
    """How much room may be taken, as it was set, or as it is by itself.

    Raises:
        LabError: what was set cannot be read.
    """
    path = folder() / SETTINGS
    try:
        return Settings.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Settings()
    except (OSError, ValidationError) as error:
        raise LabError(
            f"{path} cannot be read ({type(error).__name__}): delete it to have the usual limits."
        ) from error


def write_settings(chosen: Settings) -> None:
    """Set how much room may be taken, from the next run on.

    Raises:
        LabError: it cannot be written.
    """
    path = folder() / SETTINGS
    try:
        write_text(path, chosen.model_dump_json())
    except OSError as error:
        raise LabError(f"{path} cannot be written: {error.strerror or error}.") from error
