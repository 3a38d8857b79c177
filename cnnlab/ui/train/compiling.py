"""Whether compiling a run's step pays over the length of the run, and how that is said."""

from __future__ import annotations

from dataclasses import dataclass

from cnnlab import words
from cnnlab.spec import HERE
from cnnlab.sweep import COMPILING, Compiling
from cnnlab.ui import tables
from cnnlab.ui.explore import sweeps
from cnnlab.ui.train import estimates, gains
from cnnlab.ui.train.recipe import Recipe


@dataclass(frozen=True)
class Weighed:
    """What the calibration found of compiling, held against a run."""

    found: Compiling
    train_seconds: float | None
    """Of the run, uncompiled; null where nothing is known to judge by."""

    @property
    def pays(self) -> bool:
        """Whether the run is over sooner; where its length is not known, whether one may be."""
        if self.train_seconds is None:
            return gains.pays(self.found.gain)
        return gains.pays(self.found.gain_over(self.train_seconds))

    def said(self) -> str:
        """In words, what a step gains and what becomes of that over the run."""
        steps = gains.told(COMPILING, self.found.gain)
        if not gains.pays(self.found.gain):
            return steps
        first = f"{steps}, once it has been compiled for about {tables.about(self.found.seconds)}"
        least = f"about {tables.about(self.found.pays_from_seconds)}"
        if self.train_seconds is None:
            return f"{first}: that pays in a run that trains for more than {least}"
        length = f"which trains for about {tables.about(self.train_seconds)}"
        if self.pays:
            over = words.number(self.found.gain_over(self.train_seconds), 2)
            return f"{first}: over this run, {length}, it is about {over} times as fast"
        return f"{first}: this run, {length}, is too short for that to pay ({least} would be even)"


def weighed(filled: Recipe, device: str) -> Weighed | None:
    """Compiling held against a recipe; null where no calibration tells of it."""
    spec = filled.spec
    if spec is None or spec.machine != HERE:
        return None
    if not gains.measured_alike(spec.engine, spec.model.family):
        return None
    found = sweeps.compiling().get(device)
    if found is None:
        return None
    known = estimates.train_seconds(spec, filled.layers, device) if filled.good else None
    return Weighed(found, known)
