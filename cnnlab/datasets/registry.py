"""The data sets that have a name of their own: adding one is one function and one entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cnnlab.datasets import arrays, cifar, shapes, waves
from cnnlab.datasets.downloads import Published
from cnnlab.datasets.store import Held, Plan, Progress
from cnnlab.datasets.understanding import told
from cnnlab.spec import Kind, Understood


@dataclass(frozen=True)
class Dataset:
    """Training pictures or sequences with their labels."""

    name: str
    images: np.ndarray
    """uint8 (N, height, width, channels), one or three channels; of sequences float32 (N, steps,
    features, 1), scaled already. May be read-only, and mapped from a file or a view of one."""
    labels: np.ndarray
    """int32 (N,), from 0 to the number of classes less 1."""
    class_names: tuple[str, ...]
    synthetic: bool
    understood: Understood
    """What its files were taken for, all of them, however few are learnt from."""
    kind: Kind = "pictures"
    order: np.ndarray | None = None
    """Where each lies in the prepared data set; null: as they come."""
    test: Held | None = None
    """What is never learnt from, all of it, however few are."""


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
    """Draws the first so many of a synthetic set, every class equally often."""
    kind: Kind = "pictures"

    @property
    def size(self) -> int:
        """Bytes to download."""
        return sum(file.size for file in self.files)


CIFAR_HOST = "https://www.cs.toronto.edu/~kriz/"
DRAWN = "all that is drawn"
KERAS_HOST = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
FASHION = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)


def _draw_shapes(count: int) -> Dataset:
    images, labels = shapes.draw(count)
    about = told(labels, shapes.CLASS_NAMES, images, DRAWN)
    return Dataset("shapes", images, labels, shapes.CLASS_NAMES, synthetic=True, understood=about)


def _draw_ten_shapes(count: int) -> Dataset:
    images, labels = shapes.draw_ten(count)
    names = tuple(shapes.SHAPES)
    about = told(labels, names, images, DRAWN)
    return Dataset("shapes10", images, labels, names, synthetic=True, understood=about)


def _ten_shapes(_: list[Path], progress: Progress) -> Plan:
    progress(None, f"drawing {shapes.PICTURES:,} pictures")
    return plan_of(_draw_ten_shapes(shapes.PICTURES))


def _shapes(_: list[Path], progress: Progress) -> Plan:
    progress(None, f"drawing {shapes.PICTURES:,} pictures")
    return plan_of(_draw_shapes(shapes.PICTURES))


def _draw_waves(count: int) -> Dataset:
    sequences, labels = waves.draw(count)
    names = waves.CLASS_NAMES
    about = told(labels, names, sequences, DRAWN)
    return Dataset("waves", sequences, labels, names, True, about, kind="series")


def _waves(_: list[Path], progress: Progress) -> Plan:
    progress(None, f"drawing {waves.SEQUENCES:,} sequences")
    return plan_of(_draw_waves(waves.SEQUENCES))


def plan_of(data: Dataset) -> Plan:
    """What was drawn, to be kept as it is."""
    return Plan(
        shape=data.images.shape,
        labels=data.labels,
        class_names=data.class_names,
        fill=partial(np.copyto, src=data.images),
        understood=lambda: data.understood,
        dtype="float32" if data.kind == "series" else "uint8",
    )


def _cifar(files: list[Path], progress: Progress) -> Plan:
    return cifar.plan(files[0], progress)


def _mnist(files: list[Path], progress: Progress) -> Plan:
    return arrays.npz(files[0], progress)


def _fashion_mnist(files: list[Path], _: Progress) -> Plan:
    return arrays.idx(files[:2], files[2:], FASHION)


# Places, sizes and SHA-256 as in the loaders of Keras 3.15.1 (`keras/src/datasets`), which names no
# checksum for Fashion-MNIST; those are of the files published by Zalando Research.
REGISTRY: dict[str, Entry] = {
    "shapes10": Entry(
        title="Ten shapes (synthetic)",
        image_shape=(32, 32, 3),
        classes=len(shapes.SHAPES),
        train_images=shapes.PICTURES,
        files=(),
        plan=_ten_shapes,
        draw=_draw_ten_shapes,
    ),
    "shapes": Entry(
        title="Shapes (synthetic)",
        image_shape=(32, 32, 3),
        classes=len(shapes.CLASS_NAMES),
        train_images=shapes.PICTURES,
        files=(),
        plan=_shapes,
        draw=_draw_shapes,
    ),
    "waves": Entry(
        title="Waves (synthetic)",
        image_shape=(waves.STEPS, waves.FEATURES, 1),
        classes=len(waves.CLASS_NAMES),
        train_images=waves.SEQUENCES,
        files=(),
        plan=_waves,
        draw=_draw_waves,
        kind="series",
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
            Published(
                "fashion-mnist/t10k-images-idx3-ubyte.gz",
                f"{KERAS_HOST}t10k-images-idx3-ubyte.gz",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                4_422_102,
            ),
            Published(
                "fashion-mnist/t10k-labels-idx1-ubyte.gz",
                f"{KERAS_HOST}t10k-labels-idx1-ubyte.gz",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                5_148,
            ),
        ),
        plan=_fashion_mnist,
    ),
}
