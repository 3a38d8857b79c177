"""What of the differences between two runs bears on their speeds, and what on their accuracies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cnnlab.analysis.differing import facts_of, flatten
from cnnlab.analysis.grades import DATA, Bearing, Thing
from cnnlab.spec import HERE, ExperimentSpec, RunCard, data_file

Difference = tuple[str, Any, Any]
"""A field by its dotted name, and what it is in one run and in the other."""

# What decides no epoch's duration: how many there are, and where learning starts.
DECIDES_NO_SPEED = frozenset({"epochs", "seed", "learning_rate", "split"})
# What is told by what was found instead: the device used, the epochs done, the threads there were.
FOUND_INSTEAD = frozenset({"device", "machine", "gpu_off", "threads", "epochs"})
# What bears on speed, of the facts kept about a run's process and machine.
MACHINE = (
    "host",
    "cpu",
    "cpu_physical_cores",
    "cpu_governor",
    "power_source",
    "platform",
    "cnnlab",
    "python",
    "torch",
    "keras",
    "numpy",
    "cuda",
    "cudnn",
    "rocm",
    "accelerator_driver",
    "accelerator_power_limit_w",
    "openmp_wait",
)
# What another host brings along, and is told by its name alone.
OF_THE_HOST = frozenset(
    f"environment.{name}"
    for name in MACHINE
    if name not in ("host", "cnnlab", "python", "torch", "keras", "numpy")
)
# What of it bears on accuracy too: it may compute other numbers.
COMPUTES = frozenset({"environment.torch", "environment.keras", "environment.cnnlab"})
# What follows from the device and the engine.
AS_ASKED = ("pictures_staged", "steps_recorded", "sequences_compiled", "subnormals_flushed")
HANDLED_AS_ASKED = frozenset(f"environment.{name}" for name in AS_ASKED)
# How the arithmetic and the pictures were handled there: settings, as much as what a spec asks for.
HANDLING = ("matmul_tf32", "cudnn_tf32", *AS_ASKED, "card_shared")
DECIDES_NO_ACCURACY = HANDLED_AS_ASKED | {"threads", "environment.card_shared"}
SIZES = ("dataset.train_images", "dataset.validation_images")
WORK = frozenset(
    {"dataset", *(f"dataset.{name}" for name in ("name", "classes", "image_shape", "kind"))}
)
"""Other data, or another task."""
TF32 = ("environment.matmul_tf32", "environment.cudnn_tf32")
ARITHMETIC_OF = {"cnn": "cudnn_tf32", "rnn": "cudnn_tf32", "dense": "matmul_tf32"}
"""The setting that holds for most float32 arithmetic of a family of networks on an NVIDIA card."""
TF32_FROM = 8.0
"""The compute capability of the first cards that have TF32."""
# More differences between the blocks of two networks than these are told as one.
MOST_IN_BLOCKS = 2


@dataclass(frozen=True)
class Facts:
    """Everything about a run that decides its speed or its accuracy, gathered once."""

    run_id: str
    name: str
    epochs: int
    cut: bool
    """It was ended on purpose, after so many seconds: how far it came is no setting of it."""
    asked: Mapping[str, Any]
    """By the spec, but for what was found."""
    threads: int | None
    """Asked for; null: as many as the engine took by itself."""
    found: Mapping[str, Any]
    """On the machine; null or absent where it is not known."""
    marks: tuple[str, ...]
    """What went on beside it, and where it was resumed."""

    @classmethod
    def of(cls, card: RunCard) -> Facts:
        """Those of a card."""
        return cls(
            run_id=card.run_id,
            name=card.name,
            epochs=len(card.epochs),
            cut=card.part is not None and card.part.cut_seconds is not None,
            asked=_asked(card.spec),
            threads=card.spec.threads,
            found=_found_facts(card),
            marks=card.marks,
        )


@lru_cache(maxsize=4096)
def _asked(spec: ExperimentSpec) -> Mapping[str, Any]:
    """What a spec asks for that decides speed or accuracy, by dotted name."""
    facts = flatten(spec.model_dump(mode="json"))
    return {name: value for name, value in facts.items() if name not in FOUND_INSTEAD}


def asked_facts(spec: ExperimentSpec) -> Mapping[str, Any]:
    """What a spec asks for that decides speed, by dotted name."""
    return {name: value for name, value in _asked(spec).items() if name not in DECIDES_NO_SPEED}


def _found_facts(card: RunCard) -> dict[str, Any]:
    """What was found that decides either; null or absent where it is not known."""
    environment = card.environment
    facts: dict[str, Any] = {
        "threads": environment.get("threads") or card.spec.threads,
        "arithmetic": arithmetic(card),
        **{f"environment.{name}": environment.get(name) for name in (*HANDLING, *MACHINE)},
    }
    if environment:  # the published runs say nothing of theirs
        facts["environment.host"] = card.machine.name if card.machine else HERE
    if card.device:
        kind = card.device.used.partition(":")[0]
        facts["device"] = "CPU" if kind == "cpu" else card.device.name
        if kind == "cpu":
            facts["environment.cpu"] = facts["environment.cpu"] or card.device.name
        if kind != "cuda":
            facts |= dict.fromkeys(TF32)
    if card.dataset:
        facts |= facts_of(card.dataset, "dataset")
    if card.model:
        facts["model.parameters"] = card.model.parameters
    return facts


def arithmetic(card: RunCard) -> str | None:
    """What most of a run was computed in: "float32", "TF32", "bfloat16" or "float16"; None where
    its card does not say.
    """
    spec, known = card.spec, card.environment
    if spec.precision != "float32":
        return spec.precision.removeprefix("mixed_")
    if card.device is None:
        return None
    capability = known.get("accelerator_compute_capability")
    before = capability is not None and float(capability) < TF32_FROM
    if not card.device.used.startswith("cuda") or before:
        return "float32"
    allowed = known.get(ARITHMETIC_OF[spec.model.family])
    return None if allowed is None else "TF32" if allowed else "float32"


# --- what differs ---------------------------------------------------------------------------


def speed_things(a: Facts, b: Facts) -> list[Thing]:
    """What differs and bears on speed; where nothing does, whatever else was asked for otherwise.

    A fact that one of the runs lacks is no difference: published and imported runs say less than
    those measured here.
    """
    epochs = [] if a.cut or b.cut else _epochs_done(a, b)
    found = _told_once([*_differing(a, b), *epochs])
    bears = [each for each in found if each[0] not in DECIDES_NO_SPEED]
    return list(map(_thing, bears or found))


def accuracy_things(a: Facts, b: Facts) -> list[Thing]:
    """What differs and bears on accuracy."""
    found = _told_once([*_differing(a, b), *_epochs_done(a, b)])
    things = (_thing(each) for each in found if each[0] not in DECIDES_NO_ACCURACY)
    return [x for x in things if x.bearing != "machine" or x.name in COMPUTES]


def _epochs_done(a: Facts, b: Facts) -> list[Difference]:
    return [("epochs", a.epochs, b.epochs)] if a.epochs != b.epochs else []


def _thing(found: Difference) -> Thing:
    return Thing(*found, _bearing(found[0]))


def _bearing(name: str) -> Bearing:
    if name in WORK:
        return "work"
    machine = name.startswith("environment.") and name.partition(".")[2] in MACHINE
    return "machine" if machine else "setting"


def _differing(a: Facts, b: Facts) -> list[Difference]:
    """What decides anything and is known to be another thing in one run than in the other."""
    if a.asked == b.asked:
        asked = []
    elif list(a.asked) == list(b.asked):  # one family of networks, of as many layers
        both = zip(a.asked.items(), b.asked.values(), strict=True)
        asked = [(name, one, other) for (name, one), other in both if one != other]
    else:
        names = dict.fromkeys([*a.asked, *b.asked])
        pairs = ((name, a.asked.get(name), b.asked.get(name)) for name in names)
        asked = [(name, one, other) for name, one, other in pairs if one != other]
    found = [
        (name, one, other)
        for name, one in a.found.items()
        if one is not None and (other := b.found.get(name)) is not None and one != other
    ]
    whole = asked + found
    if a.threads == b.threads and _decides_threads({name for name, _, _ in whole}):
        whole = [each for each in whole if each[0] != "threads"]
    return [] if not whole else _without_other_places(whole)


def _decides_threads(names: set[str]) -> bool:
    """Whether the engine, left to itself, takes other threads for one of these differences."""
    chosen = names & {"engine", "batch_size", "compile"}
    return bool(chosen) or any(name.startswith("model.") for name in names)


def _without_other_places(found: list[Difference]) -> list[Difference]:
    """Without a data set that only lies elsewhere: its file is of the same name."""
    paths = {name: (one, other) for name, one, other in found if name in DATA}
    elsewhere = paths and all(data_file(one) == data_file(other) for one, other in paths.values())
    return [each for each in found if each[0] not in paths] if elsewhere else found


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
        return layers or not names.isdisjoint(WORK)
    if name in OF_THE_HOST:
        return "environment.host" in names
    if name.startswith("dataset."):
        other_data = "dataset" in names or ("dataset.name" in names and name != "dataset.name")
        other_part = name in SIZES and not names.isdisjoint(("train_limit", "validation_split"))
        return other_data or other_part or (name == SIZES[1] and SIZES[0] in names)
    if name in (*TF32, "arithmetic"):
        return not names.isdisjoint({"precision", "tf32", "arithmetic"} - {name})
    if name in HANDLED_AS_ASKED:
        return not names.isdisjoint({"device", "engine"})
    return name.startswith("model.") and "model.family" in names - {name}


# --- whether only the device differs --------------------------------------------------------


def comparability(a: RunCard, b: RunCard) -> list[str]:
    """Why a difference in speed is not the device's alone, a phrase for each reason; best empty."""
    return reasons_between(Facts.of(a), Facts.of(b))


def reasons_between(a: Facts, b: Facts) -> list[str]:
    """As `comparability`, for those who hold many runs against each other."""
    unbegun = [f"{name} has no finished epoch" for name, run in _named(a, b) if not run.epochs]
    return unbegun + [thing.said for thing in _beside_device(a, b)] + disturbances(a, b)


def disturbances(a: Facts, b: Facts) -> list[str]:
    """What disturbed either run, a phrase each."""
    marks = ((name, mark.rstrip(".")) for name, run in _named(a, b) for mark in run.marks)
    return [f"{name} was disturbed: {mark[:1].lower()}{mark[1:]}" for name, mark in marks]


def count_reasons(a: Facts, b: Facts) -> int:
    """How many `reasons_between` has, without a word of them."""
    unbegun = (not a.epochs) + (not b.epochs)
    return unbegun + len(_beside_device(a, b)) + len(a.marks) + len(b.marks)


def _beside_device(a: Facts, b: Facts) -> list[Thing]:
    things = speed_things(a, b)
    return [x for x in things if x.name != "device" and x.name not in DECIDES_NO_SPEED]


def _named(a: Facts, b: Facts) -> list[tuple[str, Facts]]:
    return list(zip(told_apart(a, b), (a, b), strict=True))


def told_apart(a: RunCard | Facts, b: RunCard | Facts) -> tuple[str, str]:
    """The names of two runs, with their ids where they share one name."""
    if a.name != b.name:
        return a.name, b.name
    return f"{a.name} ({a.run_id})", f"{b.name} ({b.run_id})"
