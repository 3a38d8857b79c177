"""Data sets: a registry name or a path becomes pictures, or sequences, and their labels.

A data set is prepared once, kept in the store below `home()/datasets` and mapped into memory from
then on. Only training pictures are read: the lab splits off its own validation.

Where they come from:
- the names in `REGISTRY`: published archives, downloaded once or put there by the owner, and
  `shapes` (pictures) and `waves` (sequences), which are drawn here;
- the name of a file or folder in `home()/datasets`, or any path: a folder or an archive of pictures
  sorted by class (rules in `pictures`), a `.npz` file (rules in `arrays`), an archive of CIFAR as
  published, or a `.csv` of values over time (rules in `columns` and `windows`).

Registry sets and arrays keep their order, so that Keras's `validation_split` takes the same last
pictures as everywhere else; pictures sorted by class are shuffled once, with a fixed seed.
Nothing here imports keras: a page may call `info`, `known` and `gallery`, which decode nothing.
"""

from __future__ import annotations

import difflib
import time
from pathlib import Path

import numpy as np

from cnnlab.datasets import (
    archives,
    arrays,
    cifar,
    downloads,
    pictures,
    store,
    windows,
)
from cnnlab.datasets.registry import REGISTRY, Dataset, Entry, plan_of
from cnnlab.datasets.store import Plan, Progress
from cnnlab.datasets.windows import source
from cnnlab.spec import ExperimentSpec, Frozen, Kind, LabError, network_name

__all__ = [
    "REGISTRY",
    "Dataset",
    "DatasetInfo",
    "Entry",
    "Progress",
    "draw_ahead",
    "fetch",
    "gallery",
    "info",
    "known",
    "load",
    "run_name",
    "source",
]


class DatasetInfo(Frozen):
    """What can be said of a data set without reading it; None where that is unknown."""

    name: str
    title: str
    image_shape: tuple[int, int, int] | None
    """Height, width, channels of a picture; steps, features, 1 of a sequence."""
    classes: int | None
    train_images: int | None
    synthetic: bool
    ready: bool
    """Nothing needs to be downloaded or decoded any more."""
    origin: str
    """One line for a person: where it comes from."""
    kind: Kind = "pictures"


SAMPLE = 10_000
"""How much of a drawn set is kept: enough for the presets that begin with it."""

LISTING_SECONDS = 10
"""How long `info` trusts a listing of a folder: a page asks several times in a row."""
_folder_keys: dict[Path, tuple[str, float]] = {}
"""Keys of folders, and when they were listed (monotonic seconds)."""


def _silent(_share: float | None, _what: str) -> None:
    """Progress that nobody follows."""


SPLIT: float = ExperimentSpec.model_fields["validation_split"].default


def load(
    name: str,
    limit: int | None = None,
    progress: Progress = _silent,
    validation_split: float = SPLIT,
) -> Dataset:
    """The training pictures or sequences of a data set, prepared if this is the first time.

    Args:
        name: a registry name, the name of a file or folder in `home()/datasets`, or a path.
        limit: the first so many; None for all.
        progress: is told what is being done while the data set is prepared.
        validation_split: share of them, the last ones, that validates; the values of a CSV file
            are scaled and classed without a look at those.

    Raises:
        LabError: no such data set, or one that cannot be had, read or learnt from.
    """
    entry = REGISTRY.get(name)
    key = _key(name)
    found = store.read(key)
    if found is None and entry and entry.draw and limit is not None:
        found = store.read(_sample_key(name)) if limit <= SAMPLE else None
        if found is None:
            return entry.draw(min(limit, entry.train_images))
    if found is None:
        store.prepare(key, _plan(name, progress))
        progress(1.0, f"{name} is prepared")
        found = store.read(key)
    if found is None:
        raise LabError(f"The prepared data set {name} has just been deleted: try again.")
    synthetic = entry is not None and entry.draw is not None
    kind: Kind = "pictures" if found.images.dtype == np.uint8 else "series"
    if found.windows:
        images, labels = windows.examples(name, found, limit, validation_split)
    else:
        images, labels = found.images[:limit], found.labels[:limit]
    return Dataset(name, images, labels, found.class_names, synthetic, kind)


def draw_ahead() -> None:
    """Keep the first `SAMPLE` of what is drawn, so that a run need not draw them.

    Raises:
        LabError: the store cannot be written.
    """
    for name, entry in REGISTRY.items():
        if not entry.draw or store.meta(_key(name)) or store.meta(_sample_key(name)):
            continue
        store.prepare(_sample_key(name), plan_of(entry.draw(SAMPLE)))


def _sample_key(name: str) -> str:
    return store.key(f"{name}-sample", (_key(name), SAMPLE))


def _plan(name: str, progress: Progress) -> Plan:
    if entry := REGISTRY.get(name):
        return entry.plan([downloads.obtain(name, f, progress) for f in entry.files], progress)
    path = _path(name)
    if path.suffix.lower() == ".npz" and path.is_file():
        return arrays.npz(path, progress)
    if path.suffix.lower() == ".csv":
        from cnnlab.datasets import columns  # with pandas, for which no other run need wait

        return columns.plan(path, windows.options(name), progress)
    if cifar.layout_of(path):
        return cifar.plan(path, progress)
    return pictures.plan(path, progress)


def info(name: str) -> DatasetInfo:
    """What is known of a data set, without reading, downloading or preparing it.

    Raises:
        LabError: there is no such data set; suggests names that are near.
    """
    facts = store.meta(_key(name, remembered=True))
    if entry := REGISTRY.get(name):
        return DatasetInfo(
            name=name,
            title=entry.title,
            image_shape=entry.image_shape,
            classes=entry.classes,
            train_images=entry.train_images,
            synthetic=entry.draw is not None,
            ready=facts is not None or entry.draw is not None,
            origin=_origin(entry, facts is not None),
            kind=entry.kind,
        )
    path = _path(name)
    options = source(name)[1]
    count, shape = _counted(facts)
    return DatasetInfo(
        name=name,
        title=f"{path.name}?{options}" if options else path.name,
        image_shape=shape,
        classes=len(facts.class_names) if facts else None,
        train_images=count,
        synthetic=False,
        ready=facts is not None,
        origin=str(path),
        kind="series" if path.suffix.lower() == ".csv" else "pictures",
    )


def run_name(spec: ExperimentSpec, part_of: str = "") -> str:
    """What a run is called when nobody says: its network and its data, in 120 signs at most.

    Args:
        part_of: Race or Sweep, which then stands before it.
    """
    entry = REGISTRY.get(spec.dataset)
    data = entry.title if entry else Path(spec.dataset).name
    before = f"{part_of}: " if part_of else ""
    return f"{before}{network_name(spec.model)} on {data}"[:120]


def _counted(facts: store.Meta | None) -> tuple[int | None, tuple[int, int, int] | None]:
    """How many pictures or sequences a prepared data set has, and their shape."""
    if facts is None:
        return None, None
    rows, _, columns, _ = facts.shape
    if cut := facts.windows:
        return windows.count(rows, cut.window, cut.horizon), (cut.window, columns, 1)
    return rows, facts.shape[1:]


def _origin(entry: Entry, prepared: bool) -> str:
    if entry.draw:
        return "drawn here, synthetic"
    if prepared:
        return "downloaded and prepared here"
    if all(file.local.is_file() for file in entry.files):
        return f"in {store.folder()}, prepared when first used"
    return f"downloads {entry.size / 1e6:,.0f} MB once"


def known() -> list[DatasetInfo]:
    """The registry, then what the owner has put into `home()/datasets`, by file name.

    One that is refused already at a glance is listed with the reason as its origin.
    """
    return [info(name) for name in REGISTRY] + [_own_info(name) for name in _own_names()]


def _own_info(name: str) -> DatasetInfo:
    try:
        return info(name)
    except LabError as error:
        return DatasetInfo(
            name=name,
            title=name,
            image_shape=None,
            classes=None,
            train_images=None,
            synthetic=False,
            ready=False,
            origin=str(error),
        )


def _own_names() -> list[str]:
    """The names in `home()/datasets` that are neither hidden nor the registry's own files."""
    folder = store.folder()
    if not folder.is_dir():
        return []
    taken = {
        file.local.relative_to(folder).parts[0]
        for entry in REGISTRY.values()
        for file in entry.files
        if file.local.is_file() and file.local.stat().st_size == file.size
    }
    names = sorted(path.name for path in folder.iterdir() if _is_source(path))
    return [name for name in names if name not in {*taken, *REGISTRY} and name[0] != "."]


def fetch(name: str, progress: Progress = _silent) -> DatasetInfo:
    """Prepare a data set without training on it.

    Raises:
        LabError: as `load`.
    """
    load(name, None, progress)
    return info(name)


def gallery(name: str, per_class: int = 8, classes: int = 10) -> list[tuple[str, np.ndarray]]:
    """Samples: the name of a class, and up to `per_class` of its pictures or sequences.

    Empty for a data set that is not ready.

    Raises:
        LabError: there is no such data set, or the store is damaged.
    """
    entry = REGISTRY.get(name)
    data: Dataset | store.Prepared | None = store.read(_key(name, remembered=True))
    if data is None and entry and entry.draw:
        data = entry.draw(per_class * entry.classes)
    if data is None:
        return []
    images, labels = data.images, data.labels
    if isinstance(data, store.Prepared) and data.windows:
        images, labels = windows.examples(name, data, None, SPLIT)
    shown: list[tuple[str, np.ndarray]] = []
    for number in np.unique(labels)[:classes]:  # a class of an array may have no picture
        places = np.flatnonzero(labels == number)[:per_class]
        shown.append((data.class_names[number], np.asarray(images[places])))
    return shown


# --- names and paths ------------------------------------------------------------------------


def _key(name: str, remembered: bool = False) -> str:
    """The name of a data set in the store; another one as soon as its files change.

    Listing a large folder takes a noticeable time; `remembered` allows a recent listing.

    Raises:
        LabError: there is no such data set.
    """
    if entry := REGISTRY.get(name):
        return store.key(name, [file.sha256 for file in entry.files])
    path = _path(name)
    if path.is_dir():
        return _folder_key(path, remembered)
    facts = path.stat()
    identity: tuple[object, ...] = (str(path), facts.st_size, facts.st_mtime_ns)
    if path.suffix.lower() == ".csv":
        identity += (windows.options(name),)
    return store.key(path.name, identity)


def _folder_key(path: Path, remembered: bool) -> str:
    known, listed = _folder_keys.get(path, ("", -LISTING_SECONDS))
    if remembered and time.monotonic() - listed < LISTING_SECONDS:
        return known
    key = store.key(path.name, (str(path), archives.listing(path)))
    _folder_keys[path] = key, time.monotonic()
    return key


def _is_source(path: Path) -> bool:
    return path.is_dir() or (
        path.is_file() and path.name.lower().endswith((".npz", ".csv", *archives.SUFFIXES))
    )


def _path(name: str) -> Path:
    """The file or folder that a name means: in the owner's data set folder, or a path.

    Raises:
        LabError: there is none, or it is of no kind that can be read.
    """
    shown = repr(name if len(name) <= 80 else f"{name[:77]}...")
    name, _ = source(name)
    try:
        for path in (store.folder() / name, Path(name).expanduser()):
            if name and _is_source(path):
                return path.resolve()
        if name and Path(name).expanduser().exists():
            raise LabError(
                f"{name} is no data set: it must be a folder, .csv, .npz, "
                f"{', '.join(archives.SUFFIXES)}."
            )
    except (OSError, ValueError, RuntimeError) as error:  # no name for a file, no such home
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise LabError(f"There is no data set {shown}: {reason}.") from error
    near = difflib.get_close_matches(name, [*REGISTRY, *_own_names()], n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}" if near else f"choose {', '.join(REGISTRY)}"
    raise LabError(
        f"There is no data set {shown}: {hint}, or name a folder or an archive of pictures, "
        "a .npz file or a .csv file."
    )
