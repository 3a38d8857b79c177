"""Two runs' answers to the same pictures, counted."""

from __future__ import annotations

from typing import Literal, NamedTuple

HeldOut = Literal["validation", "test"]
"""A part of the data that nothing is learnt from."""


class Paired(NamedTuple):
    """How often each of two runs was right about the same pictures."""

    both: int
    only_first: int
    only_second: int
    neither: int
