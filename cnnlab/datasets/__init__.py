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

from cnnlab.datasets.catalogue import DatasetInfo, info, known, run_name, title
from cnnlab.datasets.loading import (
    draw_ahead,
    fetch,
    for_spec,
    gallery,
    load,
    prepared,
    warnings_for,
)
from cnnlab.datasets.mixing import warnings_of
from cnnlab.datasets.names import stand_in
from cnnlab.datasets.registry import REGISTRY, Dataset, Entry
from cnnlab.datasets.store import Progress
from cnnlab.datasets.understanding import sentences
from cnnlab.datasets.windows import source

__all__ = [
    "REGISTRY",
    "Dataset",
    "DatasetInfo",
    "Entry",
    "Progress",
    "draw_ahead",
    "fetch",
    "for_spec",
    "gallery",
    "info",
    "known",
    "load",
    "prepared",
    "run_name",
    "sentences",
    "source",
    "stand_in",
    "title",
    "warnings_for",
    "warnings_of",
]
