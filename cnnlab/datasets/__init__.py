"""Data sets: a registry name or a path becomes uint8 pictures and their labels.

A data set is prepared once, kept in the store below `home()/datasets` and mapped into memory from
then on. Only training pictures are read: the lab splits off its own validation.

Where they come from:
- the names in `REGISTRY`: published archives, downloaded once or put there by the owner, and
  `shapes`, which is drawn here;
- the name of a file or folder in `home()/datasets`, or any path: a folder or an archive of pictures
  sorted by class (rules in `pictures`), a `.npz` file (rules in `arrays`), or an archive of CIFAR
  as published.

Registry sets and arrays keep their order, so that Keras's `validation_split` takes the same last
pictures as everywhere else; pictures sorted by class are shuffled once, with a fixed seed.
Nothing here imports keras: a page may call `info`, `known` and `gallery`, which decode nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cnnlab.datasets import archives, arrays, cifar, downloads, pictures, shapes, store
from cnnlab.datasets.downloads import Published
from cnnlab.datasets.store import Plan, Progress
from cnnlab.spec import Frozen, LabError

__all__ = [
    "REGISTRY",
    "Dataset",
    "DatasetInfo",
    "Entry",
    "Progress",
    "fetch",
    "gallery",
    "info",
    "known",
    "load",
]


@dataclass(frozen=True)
class Dataset:
    """Training pictures with their labels."""

    name: str
    images: np.ndarray
    """uint8 (N, height, width, channels), one or three channels; may be a read-only memory map."""
    labels: np.ndarray
    """int32 (N,), from 0 to the number of classes less 1."""
    class_names: tuple[str, ...]
    synthetic: bool


class DatasetInfo(Frozen):
    """What can be said of a data set without reading it; None where that is unknown."""

    name: str
    title: str
    image_shape: tuple[int, int, int] | None
    """Height, width, channels."""
    classes: int | None
    train_images: int | None
    synthetic: bool
    ready: bool
    """Nothing needs to be downloaded or decoded any more."""
    origin: str
    """One line for a person: where it comes from."""


@dataclass(frozen=True)
class Entry:
    """A data set of the registry: its facts, the files it needs and how it is made from them."""

    title: str
    image_shape: tuple[int, int, int]
    classes: int
    train_images: int
    files: tuple[Published, ...]
    """What is downloaded; nothing if it is drawn."""
    plan: Callable[[list[Path], Progress], Plan]
    draw: Callable[[int], Dataset] | None = None
    """Draws the first so many pictures of a synthetic set, every class equally often."""

    @property
    def size(self) -> int:
        """Bytes to download."""
        return sum(file.size for file in self.files)


CIFAR_HOST = "https://www.cs.toronto.edu/~kriz/"
KERAS_HOST = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
FASHION = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)


def _draw_shapes(count: int) -> Dataset:
    images, labels = shapes.draw(count)
    return Dataset("shapes", images, labels, shapes.CLASS_NAMES, synthetic=True)


def _shapes(_: list[Path], progress: Progress) -> Plan:
    progress(None, f"drawing {shapes.PICTURES:,} pictures")
    data = _draw_shapes(shapes.PICTURES)
    fill = partial(np.copyto, src=data.images)
    return Plan(data.images.shape, data.labels, data.class_names, fill)


def _cifar(files: list[Path], progress: Progress) -> Plan:
    return cifar.plan(files[0], progress)


def _mnist(files: list[Path], progress: Progress) -> Plan:
    return arrays.npz(files[0], progress)


def _fashion_mnist(files: list[Path], _: Progress) -> Plan:
    return arrays.idx(files[0], files[1], FASHION)


# Places, sizes and SHA-256 as in the loaders of Keras 3.15.1 (`keras/src/datasets`), which names no
# checksum for Fashion-MNIST; those are of the files published by Zalando Research.
REGISTRY: dict[str, Entry] = {
    "shapes": Entry(
        title="Shapes (synthetic)",
        image_shape=(32, 32, 3),
        classes=len(shapes.CLASS_NAMES),
        train_images=shapes.PICTURES,
        files=(),
        plan=_shapes,
        draw=_draw_shapes,
    ),
    "cifar10": Entry(
        title="CIFAR-10",
        image_shape=(32, 32, 3),
        classes=10,
        train_images=50_000,
        files=(
            Published(
                "cifar-10-python.tar.gz",
                f"{CIFAR_HOST}cifar-10-python.tar.gz",
                "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
                170_498_071,
            ),
        ),
        plan=_cifar,
    ),
    "cifar100": Entry(
        title="CIFAR-100",
        image_shape=(32, 32, 3),
        classes=100,
        train_images=50_000,
        files=(
            Published(
                "cifar-100-python.tar.gz",
                f"{CIFAR_HOST}cifar-100-python.tar.gz",
                "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
                169_001_437,
            ),
        ),
        plan=_cifar,
    ),
    "mnist": Entry(
        title="MNIST",
        image_shape=(28, 28, 1),
        classes=10,
        train_images=60_000,
        files=(
            Published(
                "mnist.npz",
                f"{KERAS_HOST}mnist.npz",
                "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
                11_490_434,
            ),
        ),
        plan=_mnist,
    ),
    "fashion_mnist": Entry(
        title="Fashion-MNIST",
        image_shape=(28, 28, 1),
        classes=10,
        train_images=60_000,
        files=(
            Published(
                "fashion-mnist/train-images-idx3-ubyte.gz",
                f"{KERAS_HOST}train-images-idx3-ubyte.gz",
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                26_421_880,
            ),
            Published(
                "fashion-mnist/train-labels-idx1-ubyte.gz",
                f"{KERAS_HOST}train-labels-idx1-ubyte.gz",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                29_515,
            ),
        ),
        plan=_fashion_mnist,
    ),
}


def _silent(_share: float | None, _what: str) -> None:
    """Progress that nobody follows."""


def load(name: str, limit: int | None = None, progress: Progress = _silent) -> Dataset:
    """The training pictures of a data set, prepared if this is the first time.

    Args:
        name: a registry name, the name of a file or folder in `home()/datasets`, or a path.
        limit: the first so many pictures; None for all.
        progress: is told what is being done while the data set is prepared.

    Raises:
        LabError: no such data set, or one that cannot be had, read or learnt from.
    """
    entry = REGISTRY.get(name)
    key = _key(name)
    found = store.read(key)
    if found is None and entry and entry.draw and limit is not None:
        return entry.draw(min(limit, entry.train_images))
    if found is None:
        store.prepare(key, _plan(name, progress))
        progress(1.0, f"{name} is prepared")
        found = store.read(key)
    if found is None:
        raise LabError(f"The prepared data set {name} has just been deleted: try again.")
    synthetic = entry is not None and entry.draw is not None
    return Dataset(name, found.images[:limit], found.labels[:limit], found.class_names, synthetic)


def _plan(name: str, progress: Progress) -> Plan:
    if entry := REGISTRY.get(name):
        return entry.plan([downloads.obtain(name, f, progress) for f in entry.files], progress)
    path = _path(name)
    if path.suffix.lower() == ".npz" and path.is_file():
        return arrays.npz(path, progress)
    if cifar.layout_of(path):
        return cifar.plan(path, progress)
    return pictures.plan(path, progress)


def info(name: str) -> DatasetInfo:
    """What is known of a data set, without reading, downloading or preparing it.

    Raises:
        LabError: there is no such data set; suggests names that are near.
    """
    key = _key(name)
    facts = store.meta(key)
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
        )
    path = _path(name)
    return DatasetInfo(
        name=name,
        title=path.name,
        image_shape=facts.shape[1:] if facts else None,
        classes=len(facts.class_names) if facts else None,
        train_images=facts.shape[0] if facts else None,
        synthetic=False,
        ready=facts is not None,
        origin=str(path),
    )


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

    Raises:
        LabError: that folder cannot be read, or one of its folders holds too many files.
    """
    return [info(name) for name in (*REGISTRY, *_own_names())]


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
    """Sample pictures: the name of a class, and uint8 (up to `per_class`, height, width, channels).

    Empty for a data set that is not ready.

    Raises:
        LabError: there is no such data set, or the store is damaged.
    """
    if not info(name).ready:
        return []
    entry = REGISTRY.get(name)
    limit = per_class * entry.classes if entry and entry.draw else None
    data = load(name, limit)
    shown: list[tuple[str, np.ndarray]] = []
    for number, title in enumerate(data.class_names):
        places = np.flatnonzero(data.labels == number)[:per_class]
        if len(places) and len(shown) < classes:
            shown.append((title, np.asarray(data.images[places])))
    return shown


# --- names and paths ------------------------------------------------------------------------


def _key(name: str) -> str:
    """The name of a data set in the store; another one as soon as its files change.

    Raises:
        LabError: there is no such data set.
    """
    if entry := REGISTRY.get(name):
        return store.key(name, [file.sha256 for file in entry.files])
    path = _path(name)
    if path.is_dir():
        return store.key(path.name, (str(path), archives.listing(path)))
    facts = path.stat()
    return store.key(path.name, (str(path), facts.st_size, facts.st_mtime_ns))


def _is_source(path: Path) -> bool:
    return path.is_dir() or (
        path.is_file() and path.name.lower().endswith((".npz", *archives.SUFFIXES))
    )


def _path(name: str) -> Path:
    """The file or folder that a name means: in the owner's data set folder, or a path.

    Raises:
        LabError: there is none, or it is of no kind that can be read.
    """
    shown = repr(name if len(name) <= 80 else f"{name[:77]}...")
    try:
        for path in (store.folder() / name, Path(name).expanduser()):
            if name and _is_source(path):
                return path.resolve()
        if name and Path(name).expanduser().exists():
            raise LabError(
                f"{name} is no data set: it must be a folder, .npz, {', '.join(archives.SUFFIXES)}."
            )
    except (OSError, ValueError, RuntimeError) as error:  # no name for a file, no such home
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise LabError(f"There is no data set {shown}: {reason}.") from error
    near = difflib.get_close_matches(name, [*REGISTRY, *_own_names()], n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}" if near else f"choose {', '.join(REGISTRY)}"
    raise LabError(
        f"There is no data set {shown}: {hint}, or name a folder or an archive of pictures."
    )
