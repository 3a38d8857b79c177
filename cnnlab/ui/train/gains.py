"""What the calibration found that a device gains by, in words."""

from __future__ import annotations

from collections.abc import Mapping

from cnnlab import words
from cnnlab.sweep import CHOICES, BatchGain

GAINS_FROM = 1.05
"""As far as this, two steady measurements of one figure may lie apart."""


def pays(gain: float) -> bool:
    """Whether a choice is worth offering that makes a step so many times as fast."""
    return gain >= GAINS_FROM


def measured_alike(engine: str, family: str) -> bool:
    """Whether the calibration's figures hold for a recipe: it tries the choices on such only."""
    return engine == "fast" and family != "rnn"


def said(gains: Mapping[str, float]) -> str:
    """How each choice did against doing without it, in words."""
    return "; ".join(told(choice, gain) for choice, gain in gains.items())


def told(choice: str, gain: float) -> str:
    """How a choice did against doing without it, in words."""
    against = CHOICES[choice].against
    if pays(gain):
        return f"{choice} is about {words.number(gain, 2)} times as fast as {against} here"
    if pays(1 / gain):
        return f"{choice} takes about {words.number(1 / gain, 2)} times as long as {against} here"
    return f"{choice} is about as fast as {against} here"


def said_of_batches(gain: BatchGain) -> str:
    """What a larger batch does for the time per picture, in words."""
    if not pays(gain.most):
        return f"{gain.large} instead of {gain.small}: no faster per example here."
    low, high = (words.number(value, 2) for value in (gain.least, gain.most))
    times = low if low == high else f"{low} to {high}"
    return (
        f"{gain.large} instead of {gain.small}: about {times} times as fast per example here, on "
        f"small networks, with {gain.large // gain.small} times fewer updates."
    )
