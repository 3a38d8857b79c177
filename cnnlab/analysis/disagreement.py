"""What two networks disagree on: the same pictures, answered by both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnnlab.analysis.answers import Answers
from cnnlab.analysis.chances import mcnemar
from cnnlab.spec import LabError


@dataclass(frozen=True, eq=False)
class Disagreement:
    """Which of two networks is right on which pictures; places in the answers of both, in which
    the same pictures stand at the same places."""

    both: np.ndarray
    first_only: np.ndarray
    second_only: np.ndarray
    neither: np.ndarray

    @property
    def chance(self) -> float:
        """How likely so lopsided a difference were between equally good networks; see `mcnemar`."""
        return mcnemar(len(self.first_only), len(self.second_only))


def paired(first: Answers, second: Answers) -> tuple[Answers, Answers]:
    """The answers of both to the pictures that both were asked about, in the same order.

    Raises:
        LabError: there are none, or the pictures of the same number are not the same.
    """
    _, here, there = np.intersect1d(first.numbers, second.numbers, return_indices=True)
    one, other = at(first, here), at(second, there)
    if not len(one) or one.names != other.names or not np.array_equal(one.labels, other.labels):
        raise LabError(
            "The two runs were asked about different pictures, so they cannot disagree: choose two "
            "on the same data, with the same share kept aside."
        )
    return one, other


def at(answers: Answers, places: np.ndarray) -> Answers:
    """The answers to some of the pictures."""
    kept = answers.probabilities[places], answers.labels[places]
    return Answers(*kept, answers.names, answers.numbers[places], answers.part)


def disagreement(first: Answers, second: Answers) -> Disagreement:
    """Who is right where, of two that are `paired`; the surest of whoever is right come first."""
    one, other = first.right, second.right
    surest = np.argsort(-np.maximum(first.sure, second.sure), kind="stable")

    def where(mask: np.ndarray) -> np.ndarray:
        return surest[mask[surest]]

    return Disagreement(
        where(one & other), where(one & ~other), where(~one & other), where(~one & ~other)
    )
