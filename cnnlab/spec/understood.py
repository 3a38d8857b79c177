"""What the lab took a person's files for, so that a misreading is seen before it is learnt."""

from __future__ import annotations

from typing import Literal

from cnnlab.spec.base import Frozen, Number


class Column(Frozen):
    """A column of a table that is used."""

    name: str
    role: Literal["time", "value", "series"]
    values: int
    """Cells that hold something."""


class LeftOut(Frozen):
    """Files, columns or rows that nothing is learnt from."""

    what: str
    why: str
    count: int


class Understood(Frozen):
    """What a data set was taken for."""

    classes: dict[str, int]
    """Pictures or sequences of each class in the training part."""
    test_classes: dict[str, int] | None = None
    """The same of the test part; null where there is none, or none with classes."""
    columns: tuple[Column, ...] = ()
    """Of a table: those that are used."""
    left_out: tuple[LeftOut, ...] = ()
    value_range: tuple[Number, Number] | None = None
    """Lowest and highest value as the file has them, before anything is scaled."""
    split: str
    """What was taken as the training part."""
    notes: tuple[str, ...] = ()
    """How the file was read where it could have been read otherwise, a sentence each."""
