"""What a training step costs on a device: a model fitted to measured cells, with its own error.

    ms per step = fixed + a x kernel calls + b x FLOP + c x bytes moved,  no coefficient below zero

The time of a step is the host's work for every kernel it starts, the arithmetic, and the traffic
between memory and arithmetic units (the roofline model's two limits, added up here: in a chain of
layers some are bound by one and some by the other). A recurrent layer starts its kernels once for
every element of a sequence, so its calls grow with the sequence.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from statistics import median
from typing import Any, Protocol

import numpy as np

from cnnlab.models import layer_table, step_counts
from cnnlab.spec import DatasetFacts, DeviceFacts, ExperimentSpec, Place, Status, Timing

FEATURES = ("fixed", "calls", "flops", "bytes")
LEAST_CELLS = 3
"""Two points make any line: with three, one can be held out."""


@dataclass(frozen=True)
class Work:
    """What one training step does; `cnnlab.models.step_counts` counts it."""

    calls: float
    """Kernels that the host starts, in units of one layer's."""
    flops: float
    bytes: float

    def row(self) -> tuple[float, float, float, float]:
        """The features, in the order of `FEATURES`."""
        return 1.0, self.calls, self.flops, self.bytes


@dataclass(frozen=True)
class Setting:
    """What must be alike for one model to hold."""

    device: str
    """As it is used, e.g. `cpu` or `cuda:0`."""
    family: str
    engine: str
    precision: str
    threads: int | None
    """CPU threads that were used, whatever was asked for; null where nobody noted it."""
    tf32: str


@dataclass(frozen=True)
class Sample:
    """One measured cell."""

    setting: Setting
    work: Work
    step_ms: float
    chosen: bool = False
    """Its threads were the engine's choice: the spec asked for none."""


@dataclass(frozen=True)
class CostModel:
    """Coefficients in ms per unit of `FEATURES`; what they rest on and how wrong they are."""

    coefficients: tuple[float, float, float, float]
    cells: int
    error: float
    """Median, over the cells, of the relative error of each when the model is fitted without it."""

    def predict(self, work: Work) -> float:
        """Milliseconds per step."""
        return float(np.dot(self.coefficients, work.row()))


class CellRun(Protocol):
    """What is asked of a run: a summary of the history has it, and so has a run card."""

    @property
    def status(self) -> Status: ...
    @property
    def spec(self) -> ExperimentSpec: ...
    @property
    def dataset(self) -> DatasetFacts | None: ...
    @property
    def device(self) -> DeviceFacts | None: ...
    @property
    def environment(self) -> Mapping[str, Any] | None: ...
    @property
    def timing(self) -> Timing: ...
    @property
    def sweep(self) -> Place | None: ...


def samples(runs: Iterable[CellRun]) -> tuple[Sample, ...]:
    """The measured cells among runs, one for each: the median of its runs.

    Compiled ones are left out: what compilation fuses is not counted in layers.
    """
    cells: dict[tuple[str, int], list[Sample]] = defaultdict(list)
    for run in runs:
        found = _sample(run)
        if found and run.sweep:
            cells[run.sweep.sweep_id, run.sweep.cell].append(found)
    return tuple(
        replace(cell[0], step_ms=median(one.step_ms for one in cell)) for cell in cells.values()
    )


def _sample(run: CellRun) -> Sample | None:
    step_ms = run.timing.step_ms_median
    if not (run.device and run.dataset) or run.spec.compile:
        return None
    if run.status is not Status.FINISHED or step_ms is None:
        return None
    work = work_of(run.spec, run.dataset.image_shape, run.dataset.classes)
    setting = setting_of(run.spec, run.device.used, threads_used(run))
    return Sample(setting, work, step_ms, chosen=run.spec.threads is None)


@lru_cache(maxsize=4096)
def work_of(spec: ExperimentSpec, shape: tuple[int, ...], classes: int) -> Work:
    """What a step of `spec` does on pictures of a shape (height, width, channels)."""
    return Work(*step_counts(spec, layer_table(spec.model, shape, classes)))


def setting_of(spec: ExperimentSpec, device: str, threads: int | None) -> Setting:
    """The setting of a spec on the device and with the CPU threads that it uses."""
    tf32 = spec.tf32 if device.startswith("cuda") else "default"  # of no account elsewhere
    return Setting(device, spec.model.family, spec.engine, spec.precision, threads, tf32)


class Threaded(Protocol):
    """A run that says how many CPU threads it had."""

    @property
    def spec(self) -> ExperimentSpec: ...
    @property
    def environment(self) -> Mapping[str, Any] | None: ...


def threads_used(run: Threaded) -> int | None:
    """CPU threads of a run's steps; those that its spec asked for where nobody noted them."""
    noted: int | None = (run.environment or {}).get("threads")
    return noted or run.spec.threads


def samples_like(
    spec: ExperimentSpec, device: str, work: Work, found: Iterable[Sample]
) -> tuple[Sample, ...]:
    """The cells of the setting that a spec will have on a device.

    Left to itself an engine takes as many threads as suit the size of a step. So the threads of a
    spec that asks for none are those of the cell, among those that asked for none either, whose
    step is nearest in size.
    """
    wanted = setting_of(spec, device, spec.threads)
    alike = [one for one in found if replace(one.setting, threads=spec.threads) == wanted]
    threads = spec.threads
    if threads is None:
        free = [one for one in alike if one.chosen]
        nearest = min(
            free, key=lambda one: abs(math.log(one.work.flops / work.flops)), default=None
        )
        threads = nearest.setting.threads if nearest else None
    return tuple(one for one in alike if one.setting.threads == threads)


def fit_all(samples: Iterable[Sample]) -> dict[Setting, CostModel]:
    """A model for every setting that has cells enough."""
    grouped: dict[Setting, list[Sample]] = defaultdict(list)
    for sample in samples:
        grouped[sample.setting].append(sample)
    found = {setting: fit(group) for setting, group in grouped.items()}
    return {setting: model for setting, model in found.items() if model}


def fit(samples: Sequence[Sample]) -> CostModel | None:
    """The model of cells that share a setting; None of fewer than `LEAST_CELLS` different ones."""
    if len({sample.work for sample in samples}) < LEAST_CELLS:
        return None
    rows = np.array([sample.work.row() for sample in samples])
    step_ms = np.array([sample.step_ms for sample in samples])
    errors = held_out(rows, step_ms)
    coefficients = _solve(rows, step_ms)
    first, second, third, fourth = (float(value) for value in coefficients)
    return CostModel((first, second, third, fourth), len(samples), float(np.median(errors)))


def held_out(rows: np.ndarray, step_ms: np.ndarray) -> np.ndarray:
    """The relative error of every cell by a model that was fitted without it.

    Cells of the same work are held out together: a repetition would give the answer away.

    Args:
        rows: features, one row for each cell.
        step_ms: what was measured, one for each cell.
    """
    errors = np.empty(len(rows))
    for place, row in enumerate(rows):
        others = (rows != row).any(axis=1)
        coefficients = _solve(rows[others], step_ms[others])
        errors[place] = abs(row @ coefficients - step_ms[place]) / step_ms[place]
    return errors


def _solve(rows: np.ndarray, step_ms: np.ndarray) -> np.ndarray:
    """Non-negative least squares of the relative errors.

    With four features the active ones can be tried: of all subsets whose plain solution has no
    negative coefficient, the one with the least error is the solution. A subset has fewer
    features than there are cells, so that something is left to tell a fit from chance.
    """
    scaled = rows / step_ms[:, None]
    scale = np.where(scaled.any(axis=0), np.linalg.norm(scaled, axis=0), 1.0)
    scaled = scaled / scale  # FLOP are counted in billions, kernels in tens
    best, least = np.zeros(rows.shape[1]), np.inf
    for count in range(1, max(min(len(rows) - 1, rows.shape[1]), 1) + 1):
        for chosen in map(list, combinations(range(rows.shape[1]), count)):
            part = np.linalg.lstsq(scaled[:, chosen], np.ones(len(rows)), rcond=None)[0]
            error = float(((scaled[:, chosen] @ part - 1.0) ** 2).sum())
            if (part >= 0).all() and error < least * (1 - 1e-9):
                best, least = np.zeros(rows.shape[1]), error
                best[chosen] = part
    return best / scale
