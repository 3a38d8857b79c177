"""What differs between runs, and what of it forbids to hold their speeds against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd

from cnnlab import words
from cnnlab.spec import ExperimentSpec, RunCard, choice, spoken

Difference = tuple[str, Any, Any]
"""A field by its dotted name, and what it is in one run and in the other."""

# What decides no epoch's duration: the thing compared, how many epochs, where learning starts.
NO_MATTER_FOR_SPEED = frozenset({"device", "gpu_off", "epochs", "seed", "learning_rate"})
# What does, of the facts kept about a run's process and machine.
MATTERS_FOR_SPEED = (
    "threads",
    "cpu",
    "cpu_governor",
    "power_source",
    "python",
    "torch",
    "keras",
    "cuda",
    "cudnn",
    "rocm",
    "matmul_tf32",
    "cudnn_tf32",
)
SIZES = ("dataset.train_images", "dataset.validation_images")
DECIDE_LAYERS = ("dataset", "dataset.name", "dataset.classes", "dataset.image_shape")
# More differences between the blocks of two networks than these are told as one.
MOST_IN_BLOCKS = 2


def flatten(value: Any, name: str = "") -> dict[str, Any]:
    """Nested plain data as one level with dotted names: `model.blocks.0.convs.1.filters`.

    A list of plain values stays one value.
    """
    if isinstance(value, Mapping):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list | tuple) and any(isinstance(v, Mapping | list) for v in value):
        items = [(str(index), item) for index, item in enumerate(value)]
    else:
        return {name: value}
    flat: dict[str, Any] = {}
    for key, item in items:
        flat |= flatten(item, f"{name}.{key}" if name else key)
    return flat


def differences(cards: Sequence[RunCard]) -> pd.DataFrame:
    """Only what differs between the runs, as text: a row for each field, a column for each run id.

    Fields of the spec go by their own dotted names; facts follow as `dataset.…`, `device.…`,
    `environment.…` and the model's `model.parameters`, `model.flops_per_image`.
    """
    facts = [_all_facts(card) for card in cards]
    names = list(dict.fromkeys(name for each in facts for name in each))
    found = {name: [each.get(name) for each in facts] for name in names}
    # Most fields of many runs are the same; only the rest is worth putting into words.
    rows = {
        name: [_written(name, value) for value in row]
        for name, row in found.items()
        if any(value != row[0] for value in row[1:])
    }
    differing = {name: row for name, row in rows.items() if len(set(row)) > 1}
    frame = pd.DataFrame.from_dict(
        differing, orient="index", columns=[card.run_id for card in cards], dtype="str"
    )
    return frame.rename_axis("field")


def agreements(card: RunCard, differing: pd.DataFrame) -> dict[str, str]:
    """The rest of `differences`: what one of the runs shares with all others, as text by field."""
    facts = _all_facts(card)
    return {
        name: _written(name, value) for name, value in facts.items() if name not in differing.index
    }


def _written(name: str, value: Any) -> str:
    """A setting to its last digit; a fraction that was measured, such as a load, to three."""
    measured = isinstance(value, float) and name.startswith("environment.")
    return words.number(value) if measured else words.value(value)


def _all_facts(card: RunCard) -> dict[str, Any]:
    facts = flatten(card.spec.model_dump(mode="json"))
    for name in ("model", "dataset", "device"):
        part = getattr(card, name)
        facts |= flatten(part.model_dump(mode="json"), name) if part else {}
    # The spec's own field says it already.
    facts.pop("device.requested", None)
    return facts | flatten(card.environment, "environment")


# --- what of it forbids to compare speeds ---------------------------------------------------


def comparability(a: RunCard, b: RunCard) -> list[str]:
    """Why the two runs' speeds cannot be compared fairly, a phrase for each reason; best empty.

    The device itself is what is compared and is no reason. A fact that one of the runs lacks is
    none either: published and imported runs say less than those measured here.
    """
    return reasons_between(SpeedFacts.of(a), SpeedFacts.of(b))


@dataclass(frozen=True)
class SpeedFacts:
    """Everything about a run that decides how long its epochs take, gathered once."""

    run_id: str
    name: str
    epochs: int
    asked: Mapping[str, Any]
    """By the spec."""
    found: Mapping[str, Any]
    """On the machine; null or absent where it is not known."""
    marks: tuple[str, ...]
    """What went on beside it, and where it was resumed."""

    @classmethod
    def of(cls, card: RunCard) -> SpeedFacts:
        """Those of a card."""
        asked, found = asked_facts(card.spec), _found_facts(card)
        return cls(card.run_id, card.name, len(card.epochs), asked, found, card.marks)


def reasons_between(a: SpeedFacts, b: SpeedFacts) -> list[str]:
    """As `comparability`, for those who hold many runs against each other."""
    named = tuple(zip(told_apart(a, b), (a, b), strict=True))
    unbegun = [f"{name} has no finished epoch" for name, run in named if not run.epochs]
    other = [_reason(*found) for found in _told_once(_differing(a, b))]
    marks = ((name, mark.rstrip(".")) for name, run in named for mark in run.marks)
    return unbegun + other + [f"{name} was disturbed: {mark}" for name, mark in marks]


def told_apart(a: RunCard | SpeedFacts, b: RunCard | SpeedFacts) -> tuple[str, str]:
    """The names of two runs, with their ids where they share one name."""
    if a.name != b.name:
        return a.name, b.name
    return f"{a.name} ({a.run_id})", f"{b.name} ({b.run_id})"


def fair_times(cards: Sequence[RunCard]) -> bool:
    """Whether nothing forbids to hold the times of each run against those of the first."""
    first, *others = map(SpeedFacts.of, cards)
    return not any(count_reasons(first, other) for other in others)


def count_reasons(a: SpeedFacts, b: SpeedFacts) -> int:
    """How many `reasons_between` has, without a word of them."""
    return (
        (not a.epochs)
        + (not b.epochs)
        + len(_told_once(_differing(a, b)))
        + len(a.marks)
        + len(b.marks)
    )


def _told_once(found: Sequence[Difference]) -> list[Difference]:
    """Without what only follows from another difference; blocks of many differences as one."""
    names = frozenset(name for name, _, _ in found)
    kept = [each for each in found if not _follows(each[0], names)]
    in_blocks = [each for each in kept if each[0].startswith("model.blocks.")]
    if len(in_blocks) <= MOST_IN_BLOCKS:
        return kept
    first = kept.index(in_blocks[0])
    rest = [each for each in kept[first:] if each not in in_blocks]
    return [*kept[:first], ("model.blocks", None, None), *rest]


def _follows(name: str, names: frozenset[str]) -> bool:
    """Whether it is told by another difference: other data have other sizes, for example."""
    if name == "model.parameters":
        layers = any(other.startswith("model.") for other in names - {name})
        return layers or not names.isdisjoint(DECIDE_LAYERS)
    if name.startswith("dataset."):
        other_data = "dataset" in names or ("dataset.name" in names and name != "dataset.name")
        other_part = name in SIZES and not names.isdisjoint(("train_limit", "validation_split"))
        return other_data or other_part or (name == SIZES[1] and SIZES[0] in names)
    return name.startswith("model.") and "model.family" in names - {name}


def _reason(name: str, one: Any, other: Any) -> str:
    if name == "model.blocks":
        return "the blocks of their networks differ"
    return f"{spoken(name)} is {_said(name, one)} against {_said(name, other)}"


def _said(name: str, value: Any) -> str:
    if value is None and name in ("train_limit", "model.sequence_length"):
        return "all"
    return choice(name, value) if isinstance(value, str) else words.value(value)


def _differing(a: SpeedFacts, b: SpeedFacts) -> list[Difference]:
    """What decides speed and is known to be another thing in one run than in the other."""
    if a.asked == b.asked:
        asked = []
    elif list(a.asked) == list(b.asked):  # one family of networks, of as many layers
        both = zip(a.asked.items(), b.asked.values(), strict=True)
        asked = [(name, one, other) for (name, one), other in both if one != other]
    else:
        names = dict.fromkeys([*a.asked, *b.asked])
        found = ((name, a.asked.get(name), b.asked.get(name)) for name in names)
        asked = [(name, one, other) for name, one, other in found if one != other]
    return asked + [
        (name, one, other)
        for name, one in a.found.items()
        if one is not None and (other := b.found.get(name)) is not None and one != other
    ]


@lru_cache(maxsize=4096)
def asked_facts(spec: ExperimentSpec) -> Mapping[str, Any]:
    """What a spec asks for that decides speed, by dotted name."""
    skipped = NO_MATTER_FOR_SPEED | {"threads"}  # the environment says how many there were
    facts = flatten(spec.model_dump(mode="json"))
    return {name: value for name, value in facts.items() if name not in skipped}


def _found_facts(card: RunCard) -> dict[str, Any]:
    """What was found that decides speed; null or absent where it is not known."""
    facts = {name: card.environment.get(name) for name in MATTERS_FOR_SPEED}
    facts["threads"] = facts["threads"] or card.spec.threads
    if card.dataset:
        facts |= flatten(card.dataset.model_dump(mode="json"), "dataset")
    if card.model:
        facts["model.parameters"] = card.model.parameters
    return facts
