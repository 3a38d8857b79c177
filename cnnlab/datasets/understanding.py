"""What is told of a data set, counted the same way for all that holds classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnnlab.spec import LeftOut, Understood

NAMED = 3
"""How many of those that are left out are named."""


def counted(labels: np.ndarray, class_names: Sequence[str]) -> dict[str, int]:
    """How many examples each class has, in the order of the classes."""
    counts = np.bincount(labels, minlength=len(class_names)).tolist()
    return dict(zip(class_names, counts, strict=True))


def value_range(*arrays: np.ndarray) -> tuple[float, float]:
    """The lowest and the highest of all values."""
    return min(float(a.min()) for a in arrays), max(float(a.max()) for a in arrays)


def told(
    labels: np.ndarray, class_names: Sequence[str], images: np.ndarray, split: str
) -> Understood:
    """Of a data set that is learnt from whole, just as it lies in its arrays."""
    return Understood(
        classes=counted(labels, class_names), value_range=value_range(images), split=split
    )


def some(names: Sequence[str]) -> str:
    """The first of many names, and how many more there are."""
    shown = ", ".join(names[:NAMED])
    return f"{shown} and {len(names) - NAMED:,} more" if len(names) > NAMED else shown


def left_out(names: Sequence[str], why: str) -> tuple[LeftOut, ...]:
    """One line for all that is left out for the same reason; none where nothing is."""
    return (LeftOut(what=some(names), why=why, count=len(names)),) if names else ()
