"""Where the time of a training step goes, part by part, and the most that its machine can do."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from cnnlab.spec.base import Frozen, Number

Outcome = Literal["faster", "nothing", "slower"]


class LayerTime(Frozen):
    """One layer's part of a training step, over a whole batch."""

    kind: str
    detail: str
    forward_ms: Number
    backward_ms: Number
    fixed_ms: Number
    """Of the two together, what does not grow with the batch: starting the layer's calls above all,
    and moving its weights. From a step of one picture beside the whole one."""

    @property
    def ms(self) -> float:
        return self.forward_ms + self.backward_ms


class Bandwidth(Frozen):
    """How fast data that take so much room are read and written again, over and over."""

    mb: Number
    """10^6 bytes: small ones stay in a cache."""
    gb_per_second: Number


class Ceilings(Frozen):
    """The most that the device of a profile does, measured beside it, on a CPU with all its cores.

    Null where it could not be measured; `missing` says why.
    """

    arithmetic: str
    """What the run computes in: `float32`, `TF32`, `bfloat16` or `float16`."""
    matmul_gflops: Number | None = None
    conv_gflops: Number | None = None
    bfloat16_gflops: Number | None = None
    """The better of the two in bfloat16: what a lower precision could bring."""
    bandwidths: tuple[Bandwidth, ...] = ()
    call_us: Number | None = None
    """What it costs the host to start one operation on next to nothing."""
    threads: int | None = None
    """CPU threads that they were taken with; null on an accelerator."""
    missing: str | None = None


class Profile(Frozen):
    """A training step of a run, taken apart after the run was over.

    `step_ms` is the undisturbed step, as the engine takes it: the mean of the quicker half. The
    parts add up to it. On an accelerator they are the time that the device is busy with each.
    """

    step_ms: Number
    layers: tuple[LayerTime, ...]
    """In the order of the layer table, without its input."""
    data_ms: Number
    """Making the batch."""
    loss_ms: Number
    """Loss and metrics, forward and backward."""
    optimizer_ms: Number
    host_ms: Number
    """The rest: the framework between the parts. On an accelerator, the time in which the device
    has nothing to do, since the host has not told it."""
    looking_ms: Number
    """What the marks between the parts added to each step that was timed with them; it is in none
    of the figures above."""
    scaled: Number = 1.0
    """What the parts were multiplied by so as not to exceed the step; far below 1 where an engine
    fuses the step into one function, whose layers can be timed only without that."""
    steps: int
    """How many steps were timed part by part."""
    threads: int | None = None
    """CPU threads of a step; null on an accelerator."""
    ceilings: Ceilings | None = None
    marks: tuple[str, ...] = ()
    """What disturbed the measurement, a sentence each."""

    @property
    def parts_ms(self) -> float:
        """All parts together."""
        rest = self.data_ms + self.loss_ms + self.optimizer_ms + self.host_ms
        return sum(layer.ms for layer in self.layers) + rest


class Trial(Frozen):
    """One change to a run's spec, measured against it in short turns."""

    change: dict[str, Any]
    """The fields that were changed, by their names in the spec."""
    expected: Number | None
    """How many times as fast the profile made one hope for; null where it could not say."""
    ratio: Number
    """How many times as many pictures a second: the median over the pairs."""
    low: Number
    high: Number
    """The least and the greatest of the pairs."""
    pairs: Annotated[int, Field(ge=1)]
    outcome: Outcome
    base_step_ms: Number
    changed_step_ms: Number
    made_at: str
    """ISO 8601, UTC."""
    marks: tuple[str, ...] = ()
