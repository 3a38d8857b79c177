"""Which examples train and which validate: the order that they are taken in.

The first ones train and the last ones validate, as Keras's `validation_split` has it, and a limit
takes the first so many. Where each class is to be in every part with its own share, the examples
are brought into an order in which each class is spread evenly: then every part is such a share.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnlab.datasets.understanding import some
from cnnlab.spec import training_part

SEED = 0
"""The same for every run, so that runs with other seeds are validated on the same examples."""
HARDLY = 0.25
"""A class has hardly any examples to train on below that share of what would be even."""


def evenly(labels: np.ndarray) -> np.ndarray:
    """An order of the examples in which each class is spread evenly, int64 (N,)."""
    shuffled = np.random.default_rng(SEED).permutation(len(labels))
    rank = np.empty(len(labels))
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        rank[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.argsort(rank, kind="stable")


def warnings_of(
    labels: np.ndarray, class_names: Sequence[str], validation_split: float
) -> tuple[str, ...]:
    """What makes a validation part mean little: classes that training hardly sees, a sentence.

    Args:
        labels: of all that is used, in the order that it is taken in.
    """
    train = training_part(len(labels), validation_split)
    seen = np.bincount(labels[:train], minlength=len(class_names))
    asked = np.bincount(labels[train:], minlength=len(class_names))
    even = asked * (1 - validation_split) / validation_split
    lacking = np.flatnonzero((asked > 0) & (seen < HARDLY * even)).tolist()
    if not lacking:
        return ()
    none = "none" if not seen[lacking].any() else f"{int(seen[lacking].sum()):,}"
    return (
        f"{int(asked[lacking].sum()):,} of the {len(labels) - train:,} examples to validate on are "
        f"of classes that have {none} to train on ({some([class_names[n] for n in lacking])}), as "
        "in data sorted by class: choose split=stratified, which takes from each class evenly.",
    )
