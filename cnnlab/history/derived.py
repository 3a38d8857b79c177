"""What lists of runs are searched and ordered by: columns that follow from a run's others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from cnnlab.history.rows import Values, record
from cnnlab.history.tables import LONGEST_DATA
from cnnlab.spec import (
    DatasetFacts,
    DeviceFacts,
    Energy,
    ExperimentSpec,
    ModelFacts,
    Part,
    Status,
    Timing,
    network_name,
)


@dataclass(frozen=True)
class _Facts:
    """What the JSON columns of a row hold; nothing where this program cannot read them."""

    spec: ExperimentSpec | None = None
    model: ModelFacts | None = None
    dataset: DatasetFacts | None = None
    device: DeviceFacts | None = None
    part: Part | None = None
    timing: Timing = field(default_factory=Timing)
    energy: Energy = field(default_factory=Energy)

    @property
    def used(self) -> str | None:
        """The device; until it is known, the one that was asked for."""
        if self.device:
            return self.device.used
        return self.spec.device if self.spec else None


def derived(row: Mapping[str, Any]) -> Values:
    """What lists are searched and ordered by, from the other columns of a run's row.

    A row that this program cannot read is found by what is plain text in it.
    """
    facts = _facts(row)
    spec, timing = facts.spec, facts.timing
    return {
        "trained_on": spec.dataset if spec and listable(spec.dataset) else None,
        "used": facts.used,
        "parameters": facts.model.parameters if facts.model else None,
        "fit_seconds": _known(timing.fit_seconds),
        "step_ms_median": _known(timing.step_ms_median),
        "images_per_second": _known(timing.images_per_second),
        "joules_each": _joules_each(facts, row["epochs_done"]),
        "part_kind": facts.part.kind if facts.part else None,
        "whole": int(_is_whole(row, facts.part)),
        "words": _words(row, facts),
    }


def listable(dataset: str) -> bool:
    """Whether lists know a data set by its name."""
    return len(dataset) <= LONGEST_DATA and "\0" not in dataset


def _facts(row: Mapping[str, Any]) -> _Facts:
    try:
        return _Facts(
            record(ExperimentSpec, row["spec"]),
            record(ModelFacts, row.get("model")),
            record(DatasetFacts, row.get("dataset")),
            record(DeviceFacts, row.get("device")),
            record(Part, row.get("part")),
            record(Timing, row.get("timing")) or Timing(),
            record(Energy, row.get("energy")) or Energy(),
        )
    except ValidationError:
        return _Facts()


def _joules_each(facts: _Facts, epochs_done: int) -> float | None:
    """Of one example that was trained on; None where that was not measured."""
    joules = _known(facts.energy.joules)
    pictures = facts.dataset.train_images * epochs_done if facts.dataset else 0
    return joules / pictures if joules and pictures else None


def _is_whole(row: Mapping[str, Any], part: Part | None) -> bool:
    """Whether it was trained to its end: cells of sweeps and legs of races are cut before."""
    cut = row.get("sweep_id") is not None or (part is not None and part.cut_seconds is not None)
    return row["status"] == Status.FINISHED and row["epochs_done"] > 0 and not cut


def _words(row: Mapping[str, Any], facts: _Facts) -> str:
    """All that a search looks through, in small letters."""
    what = [network_name(facts.spec.model), facts.spec.dataset] if facts.spec else []
    used = facts.used or ""
    kind = {"": "", "auto": "automatic", "cpu": "cpu"}.get(used, f"accelerator {used}")
    device = facts.device.name if facts.device else ""
    plain = (row[name] for name in ("run_id", "name", "session", "note"))
    return " ".join([*plain, *what, kind, device]).casefold()


def _known(figure: float | None) -> float | None:
    """A figure to order by; NaN is none."""
    return None if figure is None or math.isnan(figure) else figure
