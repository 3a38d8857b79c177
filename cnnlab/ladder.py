"""The ladder: from one spec to another one change at a time, and what each change brought.

Every rung is trained anew, all equally long and one after the other, so that the factors between
them multiply to what lies between the ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd

from cnnlab import analysis, datasets, words
from cnnlab.analysis.chances import wilson
from cnnlab.analysis.grades import Grade, Thing
from cnnlab.analysis.versus import last_accuracy, validation_pictures
from cnnlab.spec import (
    PRESETS,
    ExperimentSpec,
    LabError,
    RunCard,
    SpecError,
    change,
    parse_spec,
    spoken,
)

EPOCHS = 3
"""Of each rung: the first has the warm-up, two show how far epochs lie apart."""
RUNG_SECONDS = 20.0
"""What the slowest rung may train, by the pace of the slower end."""
FEWEST_STEPS = 30
"""In an epoch of the largest batch: fewer say little of a step."""
ORDER = ("device", "engine", "threads", "compile", "tf32", "precision", "batch_size", "model")
"""What is changed first: where, then how, then what; fields that are not named come last."""
NO_RUNG = frozenset({"dataset", "epochs", "train_limit", "gpu_off"})
"""Data are the same in all rungs, and so is their length; a GPU is left by name."""


@dataclass(frozen=True)
class Step:
    """What one change brought."""

    title: str
    """What was changed: "batch size: 32 to 128"."""
    runs: tuple[str, str]
    """Ids of the rungs before and after it."""
    verdict: analysis.Verdict


@dataclass(frozen=True)
class Ladder:
    """What each change brought, and all of them."""

    steps: tuple[Step, ...]
    whole: analysis.Verdict
    """The last rung against the first."""
    lost: tuple[str, ...]
    """Rungs that have no figure, each with the reason: their change is told with the next."""

    @property
    def product(self) -> float | None:
        """All factors multiplied; null where one is not known."""
        factors = [step.verdict.speed.ratio for step in self.steps]
        return math.prod(filter(None, factors)) if all(factors) else None


# --- planning -------------------------------------------------------------------------------


def rungs(first: ExperimentSpec, last: ExperimentSpec) -> list[ExperimentSpec]:
    """Specs from the first to the last, each with one change more.

    A change that is not possible without another, such as a precision that one engine lacks, is
    made together with the next.

    Raises:
        LabError: they learn from other data, or nothing differs between them.
    """
    if first.dataset != last.dataset:
        raise LabError(
            f"No ladder leads from {first.dataset} to {last.dataset}: runs on other data did other "
            "work; choose two on the same."
        )
    start = change(first, gpu_off="none", device=_device(first))
    found = [start, *_climbing(start, change(last, gpu_off="none", device=_device(last)))]
    if len(found) < 2:
        raise LabError("Nothing differs between the two that a ladder could change step by step.")
    return found


def _device(spec: ExperimentSpec) -> str:
    return "cpu" if spec.gpu_off != "none" else spec.device


def _climbing(start: ExperimentSpec, end: ExperimentSpec) -> Iterator[ExperimentSpec]:
    raw, target = start.model_dump(mode="json"), end.model_dump(mode="json")
    for path in _paths(raw, target):
        _copy(raw, target, path)
        try:
            yield parse_spec(raw)
        except SpecError:
            continue  # together with the next; the last one is the end, which is a spec


def _paths(raw: dict[str, Any], target: dict[str, Any]) -> list[tuple[str, ...]]:
    """The fields that differ, in the order in which they are changed."""
    names = [name for name in target if name not in NO_RUNG and raw[name] != target[name]]
    names.sort(key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    paths: list[tuple[str, ...]] = []
    for name in names:
        alike = name == "model" and raw["model"]["family"] == target["model"]["family"]
        inner = [key for key in target["model"] if alike and raw["model"][key] != target[name][key]]
        paths += [(name, key) for key in inner] or [(name,)]
    return paths


def _copy(raw: dict[str, Any], target: dict[str, Any], path: tuple[str, ...]) -> None:
    if len(path) == 1:
        raw[path[0]] = target[path[0]]
    else:
        raw[path[0]] = raw[path[0]] | {path[1]: target[path[0]][path[1]]}


def shortened(
    specs: Sequence[ExperimentSpec], seconds_per_picture: float | None, pictures: int | None
) -> list[ExperimentSpec]:
    """The rungs, all of one short length.

    Args:
        seconds_per_picture: of the slower end; None where it was never measured.
        pictures: how many there are, to train and to validate on; None where it is not known.
    """
    split = max(spec.validation_split for spec in specs)
    most = FEWEST_STEPS * max(spec.batch_size for spec in specs) / (1 - split)
    if seconds_per_picture:
        most = max(most, RUNG_SECONDS / EPOCHS / seconds_per_picture)
    known = [limit for limit in (pictures, *(s.train_limit for s in specs)) if limit]
    limit = min([math.ceil(most), *known])
    return [change(spec, epochs=EPOCHS, train_limit=limit) for spec in specs]


def names(specs: Sequence[ExperimentSpec]) -> list[str]:
    """What the run of each rung is called: by what was changed last."""
    changes = [titled(a, b) for a, b in pairwise(specs)]
    return [f"Rung {place}: {title}"[:120] for place, title in enumerate(["start", *changes])]


def between(a: RunCard, b: RunCard) -> list[ExperimentSpec]:
    """The short rungs between two runs, the ends included.

    Raises:
        LabError: as `rungs`.
    """
    paces = [pace.seconds for pace in analysis.paces_of(a, b) if pace]
    sizes = [d.train_images + d.validation_images for d in (a.dataset, b.dataset) if d]
    pictures = min(sizes, default=None)
    return shortened(rungs(_as_run(a), _as_run(b)), max(paces, default=None), pictures)


def _as_run(card: RunCard) -> ExperimentSpec:
    """The spec of a run with the device that it used, whatever was asked for."""
    return change(card.spec, device=card.device.used) if card.device else card.spec


def example(accelerators: Sequence[str], instruction_sets: Sequence[str]) -> list[ExperimentSpec]:
    """The built-in one: from the article's recipe as typed to the fastest that this machine has.

    Where the article's data are not here, it learns from pictures of their size that are drawn.

    Args:
        instruction_sets: of the CPU, by which it does bfloat16 in hardware or not.
    """
    dataset = "cifar100" if datasets.info("cifar100").ready else "shapes"
    typed = change(PRESETS["article"].spec, dataset=dataset, engine="stock", device="cpu")
    bfloat16 = bool(accelerators) or any("bf16" in name.lower() for name in instruction_sets)
    fastest = change(
        typed,
        engine="fast",
        device=accelerators[0] if accelerators else "cpu",
        precision="mixed_bfloat16" if bfloat16 else "float32",
        batch_size=128,
    )
    return shortened(rungs(typed, fastest), None, None)


# --- what came of it ------------------------------------------------------------------------


def climb(cards: Sequence[RunCard]) -> Ladder | None:
    """What each change brought, from runs of rungs in their order; None before two have figures.

    Rungs without a figure, failed ones for example, are left out by name.
    """
    measured = [card for card in cards if card.status.over and card.epochs]
    lost = [f"{c.name}: {c.error or c.status}" for c in cards if c.status.over and not c.epochs]
    if len(measured) < 2:
        return None
    steps = [
        Step(titled(a.spec, b.spec), (a.run_id, b.run_id), analysis.between(a, b))
        for a, b in pairwise(measured)
    ]
    return Ladder(tuple(steps), analysis.between(measured[0], measured[-1]), tuple(lost))


def titled(one: ExperimentSpec, other: ExperimentSpec) -> str:
    """What was changed from one rung to the next: "engine: stock to fast"."""
    raw, target = one.model_dump(mode="json"), other.model_dump(mode="json")
    said = [_said(path, raw, target) for path in _paths(raw, target)]
    return "; ".join(said) or "nothing"


def _said(path: tuple[str, ...], raw: dict[str, Any], target: dict[str, Any]) -> str:
    name = ".".join(path)
    if name in ("model", "model.blocks"):
        return "the network" if name == "model" else "the blocks of the network"
    values = [data[path[0]] if len(path) == 1 else data[path[0]][path[1]] for data in (raw, target)]
    before, after = Thing(name, *values).values
    return f"{spoken(name)}: {before} to {after}"


def sentence(ladder: Ladder) -> str:
    """What all changes brought together, which brought most, and which nothing."""
    ratio = ladder.whole.speed.ratio
    if ratio is None:
        return f"The ladder has no factor: {ladder.whole.speed.why}."
    whole = ladder.whole.speed
    spread = f" ({words.number(whole.low)} to {words.number(whole.high)})" if whole.low else ""
    parts = [f"All changes together: {words.number(ratio)} times as fast{spread}."]
    ahead = [step for step in ladder.steps if step.verdict.speed.ahead == "second"]
    if ahead:
        best = max(ahead, key=lambda step: step.verdict.speed.ratio or 0)
        factor = words.number(best.verdict.speed.ratio)
        parts.append(f"Most of it by one change, {best.title}: {factor} times.")
    unsure = [step.title for step in ladder.steps if step.verdict.speed.doubtful]
    idle = [step.title for step in ladder.steps if step.verdict.speed.ahead is None]
    idle = [title for title in idle if title not in unsure]
    slower = [step.title for step in ladder.steps if step.verdict.speed.ahead == "first"]
    parts += [f"No faster by: {', '.join(idle)}."] if idle else []
    parts += [f"Slower by: {', '.join(slower)}."] if slower else []
    parts += [f"Not to be told from disturbance: {', '.join(unsure)}."] if unsure else []
    about = sum(step.verdict.speed.grade is Grade.DISTURBED for step in ladder.steps)
    if about:
        parts.append(f"Disturbed: {about} of {len(ladder.steps)} factors are about right at best.")
    return " ".join(parts)


def frame(cards: Sequence[RunCard], ladder: Ladder) -> pd.DataFrame:
    """A row for each rung that has a figure, for `charts.waterfall_spec` and `charts.rungs_spec`.

    Columns change, begin and end (times as fast as the first rung), factor (in words), low and high
    (as epochs varied), better (whether it got faster), accuracy with least and most (95 %).
    """
    by_id = {card.run_id: card for card in cards}
    first = ladder.steps[0].runs[0]
    rows = [_row("start", 1.0, None, by_id[first])]
    for step in ladder.steps:
        rows.append(_row(step.title, rows[-1]["end"], step.verdict.speed, by_id[step.runs[1]]))
    return pd.DataFrame(rows)


def _row(title: str, begin: float, speed: analysis.Speed | None, card: RunCard) -> dict[str, Any]:
    ratio = speed.ratio if speed and speed.ratio else 1.0
    last, pictures = last_accuracy(card), validation_pictures(card)
    chance = wilson(last, pictures) if last is not None and pictures else None
    return {
        "change": title,
        "begin": begin,
        "end": begin * ratio,
        "factor": f"× {words.number(ratio)}" if speed else "",
        "low": begin * speed.low if speed and speed.low else math.nan,
        "high": begin * speed.high if speed and speed.high else math.nan,
        "better": ratio >= 1,
        "accuracy": math.nan if last is None else last,
        "least": chance.low if chance else math.nan,
        "most": chance.high if chance else math.nan,
    }
