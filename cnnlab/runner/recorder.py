"""What the lab needs of a history."""

from __future__ import annotations

from typing import Protocol

from cnnlab import checkpoints
from cnnlab.runner.sweep_job import Keeper
from cnnlab.spec import ExperimentSpec, Part, Place, RunCard, Status


class Recorder(checkpoints.Standing, Keeper, Protocol):
    """What the lab needs of a history; `cnnlab.history.History` is one."""

    def create(
        self,
        spec: ExperimentSpec,
        *,
        name: str,
        session: str,
        place: Place | None = None,
        part: Part | None = None,
    ) -> str: ...

    def mark(self, run_id: str, status: Status, error: str | None = None) -> None: ...

    def reopen(self, run_id: str) -> RunCard: ...

    def interrupt_orphans(self) -> list[str]: ...
