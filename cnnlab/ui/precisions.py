"""The precisions that a device gains by, as its calibration found."""

from __future__ import annotations

from cnnlab import words
from cnnlab.ui import link, sweeps

GAINS_FROM = 1.05
"""Less than 5 % is what two measurements of one figure differ by."""


def pays(gain: float) -> bool:
    """Whether a precision is worth offering that is so many times as fast as float32."""
    return gain >= GAINS_FROM


def offered(device: str) -> tuple[dict[str, str], str]:
    """The precisions to offer on a device, each with its label, and what is known of them.

    Before a calibration they are all offered; after it those that gain.
    """
    names = link.schema("spec", "precision")["enum"]
    found = sweeps.gains_on(device)
    left = {name: name for name in names if pays(found.get(name, GAINS_FROM))}
    if not found:
        return left, "Calibrate on the Hardware page to see which of them this device gains by."
    return left, f"{said(found)}."


def said(gains: dict[str, float]) -> str:
    """How each half precision did against float32, in words."""
    return ", ".join(f"{precision} {_times(gain)}" for precision, gain in gains.items())


def _times(gain: float) -> str:
    times = f"about {words.number(gain, 2)} times as fast as float32"
    return f"is {times} here" if pays(gain) else f"does not gain here ({times})"
