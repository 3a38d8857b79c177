"""What a number from two runs is worth: a few grades that mean the same wherever one is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from cnnlab import words
from cnnlab.spec import choice, data_file, spoken

Bearing = Literal["work", "setting", "machine"]
"""What a difference is one of: what was to be learnt; how; where, and with which software."""
LEVEL_RATIO = 1.05
"""Epochs of one run differ by as much (20-22 s in the published one): a lead within it is none."""
LEVEL_RATIO_OF_DISTURBED = 1.25
"""The same where runs were disturbed: a neighbour comes and goes as it likes, and may well favour
one of them by chance."""


DATA = frozenset({"dataset", "dataset.name"})
"""What names the data, perhaps by a path."""


class Grade(StrEnum):
    """What a number from two runs is worth, the best first; of several that fit, the last holds."""

    NOTHING = "nothing differs"
    """Repeats: the number shows how far two runs of one thing lie apart."""
    ONE = "one thing differs"
    """The number is that thing's."""
    SEVERAL = "several things differ"
    """The number is theirs together."""
    MACHINES = "other machines or versions"
    """It is theirs as well."""
    DISTURBED = "disturbed"
    """Something took the time of a run: the number is about right at best."""
    OTHER_WORK = "other work"
    """Other data or another task: a number would mean nothing, and none is given."""


@dataclass(frozen=True)
class Thing:
    """One thing in which two runs differ."""

    name: str
    """Dotted, as in `differences`: `batch_size`, `environment.torch`."""
    one: Any
    other: Any
    bearing: Bearing = "setting"

    @property
    def said(self) -> str:
        """Within a sentence: "batch size is 32 against 128"."""
        if self.name == "model.blocks":
            return "the blocks of their networks differ"
        one, other = self.values
        return f"{spoken(self.name)} is {one} against {other}"

    @property
    def values(self) -> tuple[str, str]:
        """Both values in words."""
        values = [self.one, self.other]
        if self.name in DATA:
            files = [data_file(value) for value in values]
            values = files if files[0] != files[1] else values
        one, other = (_worded(self.name, value) for value in values)
        return one, other


def _worded(name: str, value: Any) -> str:
    if value is None and name in ("train_limit", "model.sequence_length"):
        return "all"
    if isinstance(value, bool):
        return "on" if value else "off"
    if name == "precision":
        return str(value).removeprefix("mixed_")
    return choice(name, value) if isinstance(value, str) else words.value(value)


def grade_of(things: Sequence[Thing], *, disturbed: bool = False) -> Grade:
    """The grade of a number from runs that differ in these things.

    Args:
        disturbed: the number is one of time, and something took the time of a run.
    """
    bearings = {thing.bearing for thing in things}
    if "work" in bearings:
        return Grade.OTHER_WORK
    if disturbed:
        return Grade.DISTURBED
    if "machine" in bearings:
        return Grade.MACHINES
    if not things:
        return Grade.NOTHING
    return Grade.ONE if len(things) == 1 else Grade.SEVERAL


def differing(things: Sequence[Thing]) -> str:
    """What differs, by name."""
    named = "; ".join(thing.said for thing in things)
    if not things:
        return "Nothing that is known differs between them"
    return (
        f"One thing differs: {named}"
        if len(things) == 1
        else f"{len(things)} things differ: {named}"
    )


def worth(grade: Grade, things: Sequence[Thing], marks: Sequence[str] = ()) -> str:
    """What a number of this grade is worth, in sentences that name everything that bears on it.

    Args:
        marks: what disturbed the runs, a phrase each.
    """
    named = "; ".join(thing.said for thing in things)
    match grade:
        case Grade.NOTHING | Grade.ONE:
            return f"{differing(things)}."
        case Grade.SEVERAL:
            return f"{len(things)} things differ, and the number is theirs together: {named}."
        case Grade.MACHINES:
            return f"On other machines or versions, and the number is theirs too: {named}."
        case Grade.DISTURBED:
            what = f" {differing(things)}." if things else ""
            return f"The times are about right at best: {'; '.join(marks)}.{what}"
        case Grade.OTHER_WORK:
            work = "; ".join(thing.said for thing in things if thing.bearing == "work")
            return f"They did other work, so that a ratio would mean nothing: {work}."
