"""What a network answered to pictures that it never learnt from: which are right, class by class,
what it takes for what, and where it is wrong or unsure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from cnnlab.analysis.chances import Interval, wilson
from cnnlab.spec import HeldOut

Order = Literal["worst", "least sure"]


@dataclass(frozen=True, eq=False)
class Answers:
    """The probabilities that a network gave to each class of some pictures, or sequences."""

    probabilities: np.ndarray
    """Float (n, classes)."""
    labels: np.ndarray
    """Whole numbers (n,): what they really are."""
    names: tuple[str, ...]
    """Of the classes."""
    numbers: np.ndarray
    """Whole numbers (n,): which pictures they are, counted from 0 in the order of their set: the
    test part, or, of the validation pictures, all that were there to learn from."""
    part: HeldOut = "validation"

    @cached_property
    def said(self) -> np.ndarray:
        """The likeliest class of each picture (n,); of equally likely ones the first."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def sure(self) -> np.ndarray:
        """The probability of what was said, float64 (n,)."""
        return self.probabilities.max(axis=1).astype(np.float64)

    @cached_property
    def right(self) -> np.ndarray:
        """Whether what was said is so, (n,)."""
        return self.said == self.labels

    def __len__(self) -> int:
        return len(self.labels)


def right_share(answers: Answers) -> Interval:
    """The share that is right, with what so many pictures can tell (Wilson)."""
    return wilson(float(answers.right.mean()), len(answers))


# --- class by class -------------------------------------------------------------------------


def by_class(answers: Answers) -> pd.DataFrame:
    """A row for each class in order: `name`, `pictures`, `right`, and the `share` that is right
    from `low` to `high` (Wilson, 95 %); these are NaN where the class has no picture.
    """
    classes = len(answers.names)
    pictures = np.bincount(answers.labels, minlength=classes)
    right = np.bincount(answers.labels[answers.right], minlength=classes)
    found = [
        wilson(hits / count, int(count)) if count else Interval(np.nan, np.nan, np.nan)
        for hits, count in zip(right, pictures, strict=True)
    ]
    shares = pd.DataFrame(found, columns=["share", "low", "high"])
    names = pd.DataFrame({"name": list(answers.names), "pictures": pictures, "right": right})
    return pd.concat([names, shares], axis=1)


def weakest_first(table: pd.DataFrame) -> list[int]:
    """The numbers of the classes of a `by_class`, the one that is known least first; those without
    a picture are left out.
    """
    known = table[table["pictures"] > 0]
    return list(known.sort_values(["share", "pictures"], ascending=[True, False]).index)


# --- what is taken for what -----------------------------------------------------------------


def confusion(answers: Answers) -> np.ndarray:
    """How many pictures of each class (row) were taken for each (column), int64."""
    classes = len(answers.names)
    places = answers.labels.astype(np.int64) * classes + answers.said
    return np.bincount(places, minlength=classes * classes).reshape(classes, classes)


def frequent(matrix: np.ndarray, count: int) -> list[tuple[int, int]]:
    """The mistakes that are made most often, as true class and what it was taken for."""
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[:count]
    places = [divmod(int(place), len(matrix)) for place in order]
    return [(truth, said) for truth, said in places if wrong[truth, said]]


def most_confused(matrix: np.ndarray, count: int) -> list[int]:
    """The classes that most mistakes are about, whether taken for others or others for them; those
    that stay are in the order of `alike`.
    """
    wrong = matrix - np.diag(np.diag(matrix))
    about = wrong.sum(axis=0) + wrong.sum(axis=1)
    worst = set(np.argsort(-about, kind="stable")[:count].tolist())
    return [number for number in alike(matrix) if number in worst]


def alike(matrix: np.ndarray) -> list[int]:
    """All classes in an order in which those that are taken for each other stand side by side.

    Greedy: it begins with the class of most mistakes, and goes on with whichever is mistaken most
    often for the one before.
    """
    wrong = matrix - np.diag(np.diag(matrix))
    both = (wrong + wrong.T).astype(np.float64)
    total = both.sum(axis=1)
    left = list(range(len(matrix)))
    order = [max(left, key=lambda number: total[number])]
    left.remove(order[0])
    while left:
        last = order[-1]
        order.append(max(left, key=lambda number: (both[last, number], total[number])))
        left.remove(order[-1])
    return order


def confusion_frame(matrix: np.ndarray, names: Sequence[str], shown: Sequence[int]) -> pd.DataFrame:
    """The cells of some classes of a `confusion`, for `charts.confusion_spec`.

    A row for each cell: the class numbers `truth` and `said` and their names, the places of both in
    `shown` (`row`, `column`), the `count`, its `share` of all pictures of the true class, and
    whether it is `right`.
    """
    pictures = matrix.sum(axis=1)
    rows = []
    for row, truth in enumerate(shown):
        for column, said in enumerate(shown):
            count = int(matrix[truth, said])
            share = count / pictures[truth] if pictures[truth] else 0.0
            rows.append((truth, said, names[truth], names[said], row, column, count, share))
    columns = ["truth", "said", "true_name", "said_name", "row", "column", "count", "share"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["right"] = frame["truth"] == frame["said"]
    return frame


# --- single pictures ------------------------------------------------------------------------


def in_cell(answers: Answers, truth: int, said: int) -> np.ndarray:
    """The places of the pictures of one class that were taken for another, the surest first."""
    places = np.flatnonzero((answers.labels == truth) & (answers.said == said))
    return places[np.argsort(-answers.sure[places], kind="stable")]


def notable(answers: Answers, order: Order, count: int) -> np.ndarray:
    """The places of the pictures that tell most: the surest mistakes first, or, right or wrong,
    those between whose two likeliest classes it could decide least.
    """
    if order == "worst":
        wrong = np.flatnonzero(~answers.right)
        return wrong[np.argsort(-answers.sure[wrong], kind="stable")][:count]
    return np.argsort(margins(answers), kind="stable")[:count]


def margins(answers: Answers) -> np.ndarray:
    """By how much the likeliest class of each picture leads the next, float64 (n,)."""
    if answers.probabilities.shape[1] < 2:
        return answers.sure
    two = np.partition(answers.probabilities.astype(np.float64), -2, axis=1)[:, -2:]
    return two[:, 1] - two[:, 0]


def likeliest(probabilities: np.ndarray, count: int) -> list[int]:
    """The class numbers of one picture's likeliest classes, the likeliest first."""
    return [int(number) for number in np.argsort(-probabilities, kind="stable")[:count]]
