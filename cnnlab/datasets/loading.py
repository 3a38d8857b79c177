"""Prepares a data set when it is first asked for, and reads it from the store from then on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cnnlab.datasets import arrays, cifar, downloads, mixing, names, pictures, store, texts, windows
from cnnlab.datasets.catalogue import DatasetInfo, info
from cnnlab.datasets.registry import REGISTRY, Dataset, plan_of
from cnnlab.datasets.store import Plan, Progress
from cnnlab.datasets.windows import SPLIT
from cnnlab.spec import ExperimentSpec, Kind, LabError, Problem, SpecError, Split

SAMPLE = 10_000
"""How much of a drawn set is kept: enough for the presets that begin with it."""


def _silent(_share: float | None, _what: str) -> None:
    """Progress that nobody follows."""


def load(
    name: str,
    limit: int | None = None,
    progress: Progress = _silent,
    validation_split: float = SPLIT,
    split: Split = "last",
) -> Dataset:
    """The training pictures or sequences of a data set, prepared if this is the first time.

    Args:
        name: a registry name, the name of a file or folder in `home()/datasets`, or a path.
        limit: the first so many; None for all.
        progress: is told what is being done while the data set is prepared.
        validation_split: share of them, the last ones, that validates; the values of a CSV file
            are scaled and classed without a look at those.
        split: the order that they are taken in: their own, or one in which each class is spread
            evenly, so that the first so many and the last ones hold of each class its share.

    Raises:
        LabError: no such data set, or one that cannot be had, read or learnt from.
    """
    entry = REGISTRY.get(name)
    # What is drawn holds every class equally often from the first example on.
    early = None if split == "stratified" and not (entry and entry.draw) else limit
    found = _found(name, early, progress)
    if isinstance(found, Dataset):
        return _in_order(found, limit, split)
    synthetic = entry is not None and entry.draw is not None
    kind: Kind = "pictures" if found.images.dtype == np.uint8 else "series"
    if found.windows:
        if split == "stratified":
            raise SpecError([_only_last(name)])
        images, labels = windows.examples(
            name, found.images[:, 0, :, 0], found.labels, found.windows, limit, validation_split
        )
    else:
        images, labels = found.images[:early], found.labels[:early]
    facts = (found.class_names, synthetic, found.understood, kind)
    data = Dataset(name, images, labels, *facts, test=found.test)
    return _in_order(data, limit, split)


def for_spec(spec: ExperimentSpec, progress: Progress = _silent) -> Dataset:
    """What a run learns from, in the order that it is taken in: the last ones validate.

    Raises:
        LabError: as `load`.
    """
    return load(spec.dataset, spec.train_limit, progress, spec.validation_split, spec.split)


def warnings_for(spec: ExperimentSpec) -> tuple[str, ...]:
    """What makes a run's validation part mean little, as far as that is known without reading.

    Raises:
        LabError: there is no such data set, or the store is damaged.
    """
    found = store.read(names.key_of(spec.dataset, remembered=True))
    if found is None or found.windows or spec.split == "stratified":
        return ()
    labels = np.asarray(found.labels[: spec.train_limit])
    return mixing.warnings_of(labels, found.class_names, spec.validation_split)


def _only_last(name: str) -> Problem:
    return Problem(
        field="split",
        value='"stratified"',
        allowed=f"the windows of {name} share their rows, so only the last ones can validate",
    )


def _in_order(data: Dataset, limit: int | None, split: Split) -> Dataset:
    if split == "last":
        return data
    order = mixing.evenly(np.asarray(data.labels))[:limit]
    return replace(data, images=data.images[order], labels=data.labels[order], order=order)


def _found(name: str, limit: int | None, progress: Progress) -> Dataset | store.Prepared:
    """A data set from the store, prepared if need be; or the first so many of a drawn one."""
    entry = REGISTRY.get(name)
    key = names.key_of(name)
    found = store.read(key)
    if found is None and entry and entry.draw and limit is not None:
        found = store.read(sample_key(name)) if limit <= SAMPLE else None
        if found is None:
            return entry.draw(min(limit, entry.train_images))
    if found is None:
        store.prepare(key, _plan(name, progress))
        progress(1.0, f"{name} is prepared")
        found = store.read(key)
    if found is None:
        raise LabError(f"The prepared data set {name} has just been deleted: try again.")
    return found


def draw_ahead() -> None:
    """Keep the first `SAMPLE` of what is drawn, so that a run need not draw them.

    Raises:
        LabError: the store cannot be written.
    """
    for name, entry in REGISTRY.items():
        if not entry.draw or store.meta(names.key_of(name)) or store.meta(sample_key(name)):
            continue
        store.prepare(sample_key(name), plan_of(entry.draw(SAMPLE)))


def sample_key(name: str) -> str:
    """The first `SAMPLE` of a drawn set in the store."""
    return store.key(f"{name}-sample", (names.key_of(name), SAMPLE))


def _plan(name: str, progress: Progress) -> Plan:
    if entry := REGISTRY.get(name):
        return entry.plan([downloads.obtain(name, f, progress) for f in entry.files], progress)
    path = names.path_of(name)
    if path.suffix.lower() == ".npz" and path.is_file():
        return arrays.npz(path, progress)
    if texts.is_table(path):
        from cnnlab.datasets import columns  # with pandas, for which no other run need wait

        return columns.plan(path, windows.options(name), progress)
    if cifar.layout_of(path):
        return cifar.plan(path, progress)
    return pictures.plan(path, progress)


def fetch(name: str, progress: Progress = _silent) -> DatasetInfo:
    """Prepare a data set without training on it.

    Raises:
        LabError: as `load`.
    """
    load(name, None, progress)
    return info(name)


def prepared(name: str) -> Path | None:
    """The folder in the store that holds a data set; None where it is not prepared.

    Raises:
        LabError: there is no such data set.
    """
    return store.folder_of(names.key_of(name))


def gallery(name: str, per_class: int = 8, classes: int = 10) -> list[tuple[str, np.ndarray]]:
    """Samples: the name of a class, and up to `per_class` of its pictures or sequences.

    Empty for a data set that is not ready.

    Raises:
        LabError: there is no such data set, or the store is damaged.
    """
    entry = REGISTRY.get(name)
    data: Dataset | store.Prepared | None = store.read(names.key_of(name, remembered=True))
    if data is None and entry and entry.draw:
        data = entry.draw(per_class * entry.classes)
    if data is None:
        return []
    images, labels = data.images, data.labels
    if isinstance(data, store.Prepared) and data.windows:
        rows = data.images[:, 0, :, 0]
        images, labels = windows.examples(name, rows, data.labels, data.windows, None, SPLIT)
    shown: list[tuple[str, np.ndarray]] = []
    for number in np.unique(labels)[:classes]:  # a class of an array may have no picture
        places = np.flatnonzero(labels == number)[:per_class]
        shown.append((data.class_names[number], np.asarray(images[places])))
    return shown
