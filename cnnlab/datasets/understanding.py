"""What is told of a data set, counted the same way for all that holds classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cnnlab.spec import LeftOut, Understood

CLASSES_NAMED = 20
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


def sentences(understood: Understood, things: str) -> list[str]:
    """What a data set was taken for, line by line.

    Args:
        things: what it holds: pictures or sequences.
    """
    lines = [f"Taken to learn from: {understood.split}."]
    lines.append(f"Classes: {_classes(understood.classes)}.")
    if understood.test_classes:
        lines.append(f"Test part, not learnt from: {_classes(understood.test_classes)}.")
    if understood.columns:
        said = (f"{c.name} ({c.role}, {c.values:,})" for c in understood.columns)
        lines.append(f"Columns: {', '.join(said)}.")
    if understood.value_range:
        low, high = understood.value_range
        lines.append(f"Values of the {things} in the file: {low:g} to {high:g}.")
    lines += [f"Left out: {x.what} ({x.count:,}): {x.why}." for x in understood.left_out]
    return lines + list(understood.notes)


def _classes(counts: Mapping[str, int]) -> str:
    shown = ", ".join(f"{name} {count:,}" for name, count in list(counts.items())[:CLASSES_NAMED])
    more = len(counts) - CLASSES_NAMED
    return f"{shown} and {more:,} more" if more > 0 else shown
