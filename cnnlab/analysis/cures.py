"""What could make a step faster, judged by what bounds it; and what a trial came to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cnnlab import words
from cnnlab.analysis.bounds import StepBound
from cnnlab.models import Layer, layer_table, memory_mb
from cnnlab.spec import ExperimentSpec, Profile, RunCard, Trial, change, choice, spoken

WORTH_IT = 1.1
"""A cure is offered from this gain on: less is hardly told from chance in a short trial."""
LITTLE_OVERHEAD = 0.2
LARGEST_BATCH = 4096
LEAST_STEPS = 16
"""Of an epoch, below which a larger batch leaves too little to learn from."""


@dataclass(frozen=True)
class Cure:
    """A change to the spec that the lab can try."""

    change: dict[str, Any]
    expected: float
    """How many times as many pictures a second, by the profile."""
    at_most: bool
    """It is what would remain if all went well, not what is likely."""
    why: str
    price: str
    """What else it changes."""

    @property
    def title(self) -> str:
        """The change in words."""
        return named(self.change)

    @property
    def promise(self) -> str:
        """What it should bring, in words."""
        most = "at most " if self.at_most else "about "
        return f"{most}{words.number(self.expected, 2)} times as fast"


def named(fields: dict[str, Any]) -> str:
    """A change in words: "batch size 256", "torch.compile on"."""

    def said(name: str, value: Any) -> str:
        return "on" if value is True else choice(name, str(value))

    return ", ".join(f"{spoken(name)} {said(name, value)}" for name, value in fields.items())


def sentence_case(name: str) -> str:
    """A change at the beginning of a sentence; a name of the library's stays as it is written."""
    return name if name.startswith("torch") else name[0].upper() + name[1:]


@dataclass(frozen=True)
class Patient:
    """A run with what is known of its step."""

    spec: ExperimentSpec
    found: StepBound
    profile: Profile
    layers: list[Layer]
    train_images: int
    device: str
    memory_mb: float | None
    """Of the machine or the card; null where that is not known."""
    compiles: bool
    """Whether there is a compiler for torch.compile."""


def patient(card: RunCard, found: StepBound) -> Patient:
    """The run of a card that has a profile."""
    assert card.profile
    assert card.dataset
    assert card.device
    table = layer_table(card.spec.model, card.dataset.image_shape, card.dataset.classes)
    on_cpu = card.device.used == "cpu"
    room = card.environment.get("memory_mb" if on_cpu else "accelerator_memory_mb")
    return Patient(
        spec=card.spec,
        found=found,
        profile=card.profile,
        layers=table,
        train_images=card.dataset.train_images,
        device=card.device.used,
        memory_mb=room if isinstance(room, int | float) else None,
        compiles=card.environment.get("cxx_compiler", "") is not None,
    )


def cures(one: Patient) -> list[Cure]:
    """What the lab can try: what is likely before what is only possible, and of each the most
    promising first; nothing that promises little.
    """
    offered = [cure for propose in _CURES for cure in propose(one)]
    worth = [cure for cure in offered if cure.expected >= WORTH_IT]
    return sorted(worth, key=lambda cure: (cure.at_most, -cure.expected))


def _larger_batch(one: Patient) -> Iterator[Cure]:
    batch = next_batch(one)
    if batch is None:
        return
    times = batch / one.spec.batch_size
    yield Cure(
        change={"batch_size": batch},
        expected=one.found.gain_at(batch),
        at_most=False,
        why=(
            f"Overhead is paid once a step: at batch size {batch} it would be "
            f"{whole_percent(one.found.overhead_at(batch))} of it."
        ),
        price=f"{words.number(times)} times fewer updates an epoch, so it learns differently.",
    )


def next_batch(one: Patient) -> int | None:
    """The smallest power of two at which overhead is little; the largest sensible one where it
    never is; none where there is no larger one.
    """
    most = min(LARGEST_BATCH, one.train_images // LEAST_STEPS)
    batch, best = 2 ** (math.floor(math.log2(one.spec.batch_size)) + 1), None
    while batch <= most and _has_room(one, batch):
        best = batch
        if one.found.overhead_at(batch) <= LITTLE_OVERHEAD:
            break
        batch *= 2
    return best


def _has_room(one: Patient, batch: int) -> bool:
    needed = memory_mb(change(one.spec, batch_size=batch), one.layers)
    return one.memory_mb is None or needed < one.memory_mb / 2


def _fast_engine(one: Patient) -> Iterator[Cure]:
    if one.spec.engine == "fast":
        return
    left = one.found.step_ms - one.found.overhead_ms - one.profile.data_ms
    yield Cure(
        change={"engine": "fast"},
        expected=one.found.step_ms / max(left, one.found.step_ms / 10),
        at_most=True,
        why="The engine fast does the same arithmetic with less Python and fewer copies around it.",
        price="None: the same start, batches and mathematics.",
    )


def _whole_step(one: Patient) -> Iterator[Cure]:
    if one.spec.compile or one.spec.engine != "fast" or not one.compiles:
        return
    # What the optimizer and the weights need of memory stays; starting calls goes.
    left = one.found.step_ms - one.found.overhead_ms
    yield Cure(
        change={"compile": True},
        expected=one.found.step_ms / max(left, one.found.step_ms / 10),
        at_most=True,
        why="One compiled function starts fewer kernels and needs no Python between them.",
        price="Compiling takes from seconds to a minute, before the first step.",
    )


def _lower_precision(one: Patient) -> Iterator[Cure]:
    ceilings = one.profile.ceilings
    if one.spec.precision != "float32" or ceilings is None or not ceilings.bfloat16_gflops:
        return
    full = max(ceilings.matmul_gflops or 0.0, ceilings.conv_gflops or 0.0)
    if not full or one.spec.model.family == "rnn":
        return
    times = ceilings.bfloat16_gflops / full
    saved = one.found.compute_ms * max(1 - 1 / times, 0.0) + one.found.memory_ms / 2
    yield Cure(
        change={"precision": "mixed_bfloat16"},
        expected=one.found.step_ms / (one.found.step_ms - saved),
        at_most=True,
        why=f"In bfloat16 this device does {words.number(times, 2)} times as much arithmetic.",
        price="Three significant digits instead of seven in most of the arithmetic.",
    )


def _more_threads(one: Patient) -> Iterator[Cure]:
    ceilings, used = one.profile.ceilings, one.profile.threads
    if used is None or ceilings is None or not ceilings.threads or used >= ceilings.threads:
        return
    work = one.found.compute_ms + one.found.memory_ms
    saved = work * (1 - used / ceilings.threads)
    yield Cure(
        change={"threads": ceilings.threads},
        expected=one.found.step_ms / (one.found.step_ms - saved),
        at_most=True,
        why=f"The step uses {used} of {ceilings.threads} threads.",
        price="No core is left for anything else.",
    )


def _tf32(one: Patient) -> Iterator[Cure]:
    if not one.device.startswith("cuda") or one.spec.tf32 == "on":
        return
    if one.profile.ceilings is None or one.profile.ceilings.arithmetic != "float32":
        return
    yield Cure(
        change={"tf32": "on"},
        expected=one.found.step_ms / (one.found.step_ms - one.found.compute_ms / 2),
        at_most=True,
        why="TF32 lets the card's tensor cores do float32 products.",
        price="Three significant digits instead of seven in the products.",
    )


_CURES: tuple[Callable[[Patient], Iterator[Cure]], ...] = (
    _fast_engine,
    _larger_batch,
    _whole_step,
    _lower_precision,
    _tf32,
    _more_threads,
)


# --- what a trial came to -------------------------------------------------------------------


def newest(trials: Sequence[Trial], fields: dict[str, Any]) -> Trial | None:
    """The last trial of a change; none where it was never tried."""
    return next((trial for trial in reversed(trials) if trial.change == fields), None)


def told(trial: Trial) -> str:
    """What a trial came to, in a sentence."""
    first = sentence_case(named(trial.change))
    spread = f"{words.number(trial.low)} to {words.number(trial.high)} over {trial.pairs} pairs"
    match trial.outcome:
        case "faster":
            said = f"is {words.number(trial.ratio)} times as fast ({spread})"
        case "slower":
            said = f"makes it slower: {words.number(trial.ratio)} times as fast ({spread})"
        case _:
            said = f"brings nothing: {words.number(trial.ratio)} times as fast ({spread})"
    hoped = f", where {words.number(trial.expected)} was hoped for" if trial.expected else ""
    return f"{first} {said}{hoped}."


def whole_percent(share: float) -> str:
    """A share to whole per cents, as sentences want it."""
    return f"{round(100 * share)} %"
