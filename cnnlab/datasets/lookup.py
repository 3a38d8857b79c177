"""Single pictures or sequences of a data set that lies in the store, for pages to show."""

from __future__ import annotations

import numpy as np

from cnnlab.datasets import loading, names, store, windows
from cnnlab.datasets.registry import REGISTRY, Dataset
from cnnlab.spec import ExperimentSpec, HeldOut


def some(
    spec: ExperimentSpec, places: np.ndarray, part: HeldOut = "validation"
) -> np.ndarray | None:
    """Some of the examples of a run's data set, uint8 or float32 (N, …); None where it would have
    to be prepared first, or has become another one with fewer.

    Args:
        places: where they lie among those to learn from, of which some validate; or in the test
            part.

    Raises:
        LabError: there is no such data set, or the store is damaged.
    """
    most = int(places.max(initial=0)) + 1
    found = _ready(spec.dataset, most)
    if found is None:
        return None
    if part == "test":
        images = found.test.images if found.test else np.empty(0)
    elif isinstance(found, store.Prepared) and found.windows:
        rows, cut = found.images[:, 0, :, 0], found.windows
        limit, share = spec.train_limit, spec.validation_split
        images, _ = windows.examples(spec.dataset, rows, found.labels, cut, limit, share)
    else:
        images = found.images
    return np.asarray(images[places]) if most <= len(images) else None


def _ready(name: str, count: int) -> Dataset | store.Prepared | None:
    """A data set that need not be prepared; of a drawn one at least the first so many."""
    found = store.read(names.key_of(name, remembered=True))
    entry = REGISTRY.get(name)
    if found is None and entry and entry.draw:
        found = store.read(loading.sample_key(name)) if count <= loading.SAMPLE else None
        return found or entry.draw(count)
    return found
