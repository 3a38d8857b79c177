"""Which picture of a folder or an archive belongs to which class, and which are not learnt from.

If there are parts (rules in `parts`), the training part alone is learnt from: the lab splits off
its own validation. Of what remains, a folder that holds everything is looked through; then the
folder on top is the class, classes are numbered by name, and deeper folders belong to their class.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnlab.datasets.parts import Divided, divide
from cnnlab.datasets.understanding import left_out, some
from cnnlab.spec import LabError, LeftOut

LAYOUT = "put every picture into a folder named after its class, as train/CLASS/picture.jpg"
NO_CLASSES = frozenset(
    (
        *("image", "images", "img", "imgs", "mask", "masks", "label", "labels"),
        *("annotation", "annotations", "groundtruth", "gt"),
    )
)
"""What the folders of a data set for marking up pictures are called."""


_PROPERLY_TEST = re.compile("te?st|prueba|测试|測試|テスト|테스트|시험")
"""What the part to test on is called, where another one, such as `val`, stands beside it."""


@dataclass(frozen=True)
class Layout:
    """The classes of the pictures that are used, by the pictures' names."""

    train: dict[str, str]
    test: dict[str, str]
    """All that is not learnt from."""
    tested: dict[str, str]
    """What of it is tested on."""
    left_out: tuple[LeftOut, ...]
    split: str
    note: str
    """Why some of `test` is not; empty where all of it is."""


def layout_of(path: Path, names: Sequence[str]) -> Layout:
    """Sort the pictures of a data set into classes.

    Raises:
        LabError: a picture outside any class folder, or classes that cannot be learnt.
    """
    found = divide(names)
    _check_parts(path, found)
    train = _below_common_top(found.train)
    outside = sorted([*found.stray, *(name for name, above in train.items() if not above)])
    if outside:
        raise _outside(path, found, outside)
    classes = {name: above[0] for name, above in train.items()}
    _check_classes(path, Counter(classes.values()))
    test, unknown = _held_out(found, set(classes.values()))
    tested, note = _to_test_on(found, test)
    gone = (*found.left_out, *unknown)
    return Layout(classes, test, tested, gone, _said(found, len(classes)), note)


def _check_parts(path: Path, found: Divided) -> None:
    if not found.train:
        parts = " and ".join(found.folders["test"])
        raise LabError(f"{path.name} has {parts}, but no folder 'train': {LAYOUT}.")


def _below_common_top(parts: dict[str, list[str]]) -> dict[str, list[str]]:
    """Without the folders on top that hold everything, as long as several folders lie below."""
    while len({above[0] if above else "" for above in parts.values()}) == 1:
        below = {name: above[1:] for name, above in parts.items()}
        deeper = {above[0] for above in below.values() if above}
        if not deeper or (len(deeper) == 1 and not all(below.values())):
            break
        parts = below
    return parts


def _outside(path: Path, found: Divided, names: Sequence[str]) -> LabError:
    flat = found.folders["train"] and set(names) == set(found.train)
    where = f" of the training part ({', '.join(found.folders['train'])})" if flat else ""
    count = f"{len(names):,} pictures" if len(names) > 1 else "a picture"
    return LabError(
        f"{path.name} holds {count}{where} outside any class folder, "
        f"{some([repr(name) for name in names])}: {LAYOUT}."
    )


def _check_classes(path: Path, counts: Counter[str]) -> None:
    if len(counts) < 2:
        raise LabError(
            f"{path.name} holds only one class, {next(iter(counts))!r}: "
            "learning to tell classes apart needs at least two folders of pictures."
        )
    if {name.lower().replace("_", "") for name in counts} <= NO_CLASSES:
        raise LabError(
            f"{path.name} has {' and '.join(sorted(counts))} where its classes should be: that is "
            f"a data set for marking up pictures, not for telling them apart; {LAYOUT}."
        )
    for name, count in sorted(counts.items()):
        if count < 2:
            raise LabError(
                f"The class {name!r} of {path.name} has only one picture: "
                "add another, or remove the class."
            )


def _held_out(found: Divided, learnt: Container[str]) -> tuple[dict[str, str], tuple[LeftOut, ...]]:
    """The classes of the test part, and what of it has none."""
    test = _below_common_top(found.test)
    classes = {name: above[0] for name, above in test.items() if above and above[0] in learnt}
    unknown = sorted(set(test) - set(classes))
    return classes, left_out(unknown, "in the test part, without a class that is learnt")


def _to_test_on(found: Divided, held_out: dict[str, str]) -> tuple[dict[str, str], str]:
    """Of what is not learnt from, the part called test where there is one beside another, such as
    `val`; and what is then said of the others.
    """
    proper = {folder for folder in found.folders["test"] if _PROPERLY_TEST.search(folder.lower())}
    tested = {name: of for name, of in held_out.items() if not proper.isdisjoint(name.split("/"))}
    left = len(held_out) - len(tested)
    if not tested or not left:
        return held_out, ""
    said = ", ".join(sorted(proper))
    return tested, f"Tested on {said} alone; {left:,} more are not learnt from either."


def _said(found: Divided, pictures: int) -> str:
    train, test = (", ".join(found.folders[part]) for part in ("train", "test"))
    if not found.folders["train"]:
        return f"all {pictures:,} pictures" + (f" but those in {test}" if test else "")
    return f"{train}: {pictures:,} pictures; not trained on: {test}"
