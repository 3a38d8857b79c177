"""What a calibration says of the choices that may or may not pay on a device."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from cnnlab.sweep.calibration import AXIS, CHOICES, COMPILING, NETWORKS, probe
from cnnlab.sweep.results import CellResult


def gains(found: Sequence[CellResult]) -> dict[str, dict[str, float]]:
    """By device and choice: how many times as fast a step is with it as without.

    The median over the networks that were measured both ways, and neither noisily; below 1 it is
    slower.

    Args:
        found: what a calibration came to; another sweep has no gains.
    """
    ratios: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for device, figures in _step_ms(found).items():
        for choice, facts in CHOICES.items():
            if not facts.has(device):
                continue
            for base, step_ms in figures.items():
                if chosen := figures.get(f"{base}, {choice}"):
                    ratios[device][choice].append(step_ms / chosen)
    return {
        device: {choice: median(each) for choice, each in by_choice.items()}
        for device, by_choice in ratios.items()
    }


@dataclass(frozen=True)
class Compiling:
    """What compiling costs a run, once, and what it brings its steps."""

    seconds: float
    """Before the first step."""
    gain: float
    """How many times as fast a step is afterwards."""

    @property
    def pays_from_seconds(self) -> float:
        """How long a training takes uncompiled that takes as long compiled; infinite where every
        one takes longer.
        """
        return self.seconds / (1.0 - 1.0 / self.gain) if self.gain > 1.0 else math.inf

    def gain_over(self, train_seconds: float) -> float:
        """How many times as fast a whole training is.

        Args:
            train_seconds: what it takes uncompiled, without its validation, which never is.
        """
        return train_seconds / (self.seconds + train_seconds / self.gain)


def compiling(found: Sequence[CellResult]) -> dict[str, Compiling]:
    """By device: what torch.compile costs and brings; empty where the calibration does not tell.

    It costs what the slowest of the compiled cells took more before its steady steps than the same
    network uncompiled: a cell that comes later finds what the ones before have set up, but every
    run is the first one of its process.

    Args:
        found: what a calibration came to.
    """
    gained = gains(found)
    ahead = _ahead_seconds(found)
    costs: dict[str, Compiling] = {}
    for device, choices in gained.items():
        pairs = [
            (ahead.get((device, f"{base}, {COMPILING}")), ahead.get((device, base)))
            for base in (probe(*network) for network in CHOICES[COMPILING].networks)
        ]
        more = [max(compiled) - min(plain) for compiled, plain in pairs if compiled and plain]
        if more and COMPILING in choices:
            costs[device] = Compiling(max(*more, 0.0), choices[COMPILING])
    return costs


def _ahead_seconds(found: Sequence[CellResult]) -> dict[tuple[str, str], list[float]]:
    """By device and probe: what each of its measurements took before its steady steps."""
    known: dict[tuple[str, str], list[float]] = {}
    for result in found:
        seconds = [one.ahead_seconds for one in result.figure.measured]
        if AXIS in result.cell.values:
            cell = result.cell.device, str(result.cell.values[AXIS])
            known[cell] = [each for each in seconds if each is not None]
    return known


@dataclass(frozen=True)
class BatchGain:
    """What a larger batch does for the time that one picture takes."""

    small: int
    large: int
    least: float
    """Times as fast per picture, of the network that gains least."""
    most: float


def batch_gains(found: Sequence[CellResult]) -> dict[str, dict[str, BatchGain]]:
    """By device and family of networks: how many times as fast a larger batch is per picture.

    Args:
        found: what a calibration came to; another sweep has no gains.
    """
    gained: dict[str, dict[str, BatchGain]] = defaultdict(dict)
    for device, figures in _step_ms(found).items():
        for network, ((_, model), sizes) in NETWORKS.items():
            small, large = sizes[0], sizes[-1]
            slow, quick = (figures.get(probe(network, size)) for size in (small, large))
            if small == large or not slow or not quick:
                continue
            times = (slow / small) / (quick / large)
            same = gained[device].get(model.family)
            if same and (same.small, same.large) != (small, large):
                continue  # the sizes of the family's first network speak for it
            low, high = (same.least, same.most) if same else (times, times)
            gained[device][model.family] = BatchGain(
                small, large, min(low, times), max(high, times)
            )
    return dict(gained)


def _step_ms(found: Sequence[CellResult]) -> dict[str, dict[str, float]]:
    """By device and probe, but for what is too noisy to be held against anything."""
    figures: dict[str, dict[str, float]] = defaultdict(dict)
    for result in found:
        if AXIS in result.cell.values and result.figure.step_ms and not result.figure.noisy:
            figures[result.cell.device][str(result.cell.values[AXIS])] = result.figure.step_ms
    return figures
