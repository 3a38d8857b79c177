"""The loss of a batch, and the sums of an epoch's losses and hits, kept on the device."""

from __future__ import annotations

from typing import NamedTuple

import keras
import torch


class Answers(NamedTuple):
    """What a network answers to a batch."""

    probabilities: torch.Tensor
    """(batch, classes)."""
    labels: torch.Tensor
    """(batch, 1)."""
    right: torch.Tensor
    """(batch, 1): the probability of the right class, clipped as Keras clips it."""
    inside: torch.Tensor
    """(batch, 1): whether it is none of the ends of what it is clipped to."""


class CrossEntropy:
    """Categorical cross-entropy of a softmax, with Keras's clipping: where the probability of the
    right class is at an end of what it clips to, no gradient passes.
    """

    def __init__(self) -> None:
        self.low = keras.config.epsilon()

    def forward(self, z: torch.Tensor, y: torch.Tensor) -> Answers:
        """
        Args:
            z: what stands before the softmax, float32 (batch, classes).
            y: labels, integers (batch,).
        """
        probabilities, labels = torch.softmax(z, -1), y.unsqueeze(1)
        right = probabilities.gather(1, labels)
        clipped = right.clamp(self.low, 1.0 - self.low)
        return Answers(probabilities, labels, clipped, right == clipped)

    @staticmethod
    def backward(answers: Answers) -> torch.Tensor:
        """The gradient of the batch's mean loss by `z`."""
        share = answers.inside / len(answers.labels)
        return (answers.probabilities * share).scatter_add_(1, answers.labels, share.neg())

    @staticmethod
    def summed(right: torch.Tensor) -> torch.Tensor:
        """The sum of losses along the last axis, of the probabilities of the right classes."""
        return -right.log().sum(-1)


class Tally:
    """The sums of an epoch.

    Batches may be put aside, to be counted many at once: one by one that is a tenth of what a step
    of a small network takes beside its arithmetic.
    """

    WAITING = 1024
    """Pictures: when batches of so many are put aside they are counted."""

    def __init__(self, device: torch.device) -> None:
        exact = torch.float32 if device.type == "mps" else torch.float64
        self.total = torch.zeros(1, dtype=exact, device=device)
        self.correct = torch.zeros(1, dtype=torch.int64, device=device)
        self.images = 0
        self._waiting: list[Answers] = []

    def put_aside(self, answers: Answers) -> None:
        """To be counted with others of its size."""
        if self._waiting and len(self._waiting[0].labels) != len(answers.labels):
            self._count_waiting()
        self._waiting.append(answers)
        if len(self._waiting) * len(answers.labels) >= self.WAITING:
            self._count_waiting()

    def count(self, answers: Answers, batches: int = 1) -> None:
        """Add equally large batches to the sums of losses and hits, by the device alone.

        Each batch's losses are summed first, in their own precision; to add such sums up in twice
        that rounds nothing. So the epoch's loss does not depend on how many are counted at once.
        """
        each = CrossEntropy.summed(answers.right.view(batches, -1))
        # A card adds one such sum, of a recorded step, without another call.
        self.total.add_(each if batches == 1 else each.sum(dtype=self.total.dtype))
        hits = answers.probabilities.argmax(-1, keepdim=True) == answers.labels
        self.correct.add_(hits.sum())

    def _count_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self.count(Answers(*map(torch.cat, zip(*waiting, strict=True))), len(waiting))

    def reset(self) -> None:
        """Begin anew."""
        self._waiting.clear()
        self.total.zero_()
        self.correct.zero_()
        self.images = 0

    def result(self) -> dict[str, float]:
        """The means so far; waits for the device."""
        self._count_waiting()
        total, correct = torch.cat((self.total, self.correct.to(self.total.dtype))).tolist()
        images = max(self.images, 1)
        return {"accuracy": correct / images, "loss": total / images}
