"""What is kept of a run: its card."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from cnnlab.spec.base import Frozen, Number
from cnnlab.spec.events import (
    DatasetFacts,
    DeviceFacts,
    Disturbances,
    Energy,
    Epoch,
    Exam,
    Machine,
    Memory,
    ModelFacts,
    Status,
    Timing,
)
from cnnlab.spec.experiment import ExperimentSpec
from cnnlab.spec.profile import Profile, Trial
from cnnlab.spec.race import Part
from cnnlab.spec.sweep import Place

RUN_SCHEMA: Literal["cnnlab.run/1"] = "cnnlab.run/1"


class Steps(Frozen):
    """The steps of a run in columns of equal length.

    `loss` and `accuracy` are running means of the epoch, known at window ends, null between.
    """

    step: tuple[int, ...] = ()
    epoch: tuple[int, ...] = ()
    seconds: tuple[Number | None, ...] = ()
    ms: tuple[Number, ...] = ()
    loss: tuple[Number | None, ...] = ()
    accuracy: tuple[Number | None, ...] = ()


class RunCard(Frozen):
    """One run, whole: what `train --json` prints and `runs export` writes."""

    schema_: Annotated[Literal["cnnlab.run/1"], Field(alias="schema")] = RUN_SCHEMA
    run_id: str
    name: str
    session: str
    status: Status
    error: str | None = None
    note: str = ""
    created_at: str
    """ISO 8601, UTC."""
    spec: ExperimentSpec
    model: ModelFacts | None = None
    dataset: DatasetFacts | None = None
    device: DeviceFacts | None = None
    machine: Machine | None = None
    """Where it was trained, or went on after it broke off; null: on the lab's own computer."""
    environment: dict[str, Any] = Field(default_factory=dict)
    timing: Timing = Timing()
    memory: Memory = Memory()
    energy: Energy = Energy()
    disturbances: Disturbances | None = None
    test: Exam | None = None
    """Null where the data have no test set, where the run did not finish, and in older cards."""
    sweep: Place | None = None
    """Set where the run is a measured cell of a sweep: steps enough for their time, no epoch."""
    profile: Profile | None = None
    """Where the time of its steps goes; null until somebody asked."""
    trials: tuple[Trial, ...] = ()
    """What was tried to make its steps faster, in the order in which it was."""
    part: Part | None = None
    """Set where the run belongs to a race, to repeats over seeds, or to a sweep that trains."""
    epochs: tuple[Epoch, ...] = ()
    steps: Steps = Steps()

    model_config = ConfigDict(populate_by_name=True)

    @property
    def full_step(self) -> int:
        """How many pictures or sequences its steps train on, but for an epoch's last one."""
        size = self.spec.batch_size
        return self.dataset.full_step(size) if self.dataset else size

    @property
    def marks(self) -> tuple[str, ...]:
        """What disturbed the times of this run, a sentence each."""
        seen = self.disturbances.marks if self.disturbances else ()
        after = self.timing.resumed_after
        return (*seen, *(f"It was resumed after epoch {epoch}." for epoch in after))
