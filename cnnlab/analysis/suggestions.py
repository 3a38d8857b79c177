"""What is worth trying after a run: the next experiments, as specs that differ in one thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

from cnnlab.spec import ExperimentSpec, RunCard, SpecError, parse_spec

SUGGESTED = 3
OVERFITS, UNSETTLED = 0.05, 0.005
"""By how much training accuracy leads where a network learns by heart; and by how much the last
epoch must still have gained for more of them to be worth it."""
HIGH_ACCURACY = 0.9


@dataclass(frozen=True)
class Experiment:
    """A run worth making next."""

    label: str
    """What is changed, for a button."""
    why: str
    """What can be learnt from it: one sentence."""
    spec: ExperimentSpec


def next_experiments(card: RunCard) -> tuple[Experiment, ...]:
    """At most `SUGGESTED` runs worth making after one that is over, the most telling first."""
    raw = card.spec.model_dump(mode="json")
    found: list[Experiment] = []
    for label, why, changes in _ideas(card):
        try:
            spec = parse_spec(_changed(raw, changes))
        except SpecError:  # beyond what a spec allows, such as too many epochs
            continue
        found.append(Experiment(label, why, spec))
    return tuple(found[:SUGGESTED])


Idea = tuple[str, str, dict[str, Any]]
"""Label, why, and new values by path; a path within the network begins with `model.`."""


def _ideas(card: RunCard) -> Iterator[Idea]:
    spec = card.spec
    if card.epochs and not isfinite(card.epochs[-1].loss):
        slower = float(f"{spec.learning_rate / 10:.2g}")
        why = "The loss is no number any more: smaller steps usually cure that."
        yield f"Learning rate {slower:g}", why, {"learning_rate": slower}
    yield from _of_learning(card)
    batch = spec.batch_size * 4
    why = "Fewer and larger steps: is an epoch faster, and does it learn as well?"
    yield f"Batch size {batch:,}", why, {"batch_size": batch}
    yield from _of_the_network(spec)
    why = "The same again from other first weights: how much of the result is luck?"
    yield f"Seed {spec.seed + 1:,}", why, {"seed": spec.seed + 1}


def _of_learning(card: RunCard) -> Iterator[Idea]:
    spec, epochs = card.spec, card.epochs
    if len(epochs) >= 2 and epochs[-1].val_accuracy - epochs[-2].val_accuracy > UNSETTLED:
        why = "It was still getting better when it ended."
        yield f"{2 * spec.epochs:,} epochs", why, {"epochs": 2 * spec.epochs}
    if not epochs or epochs[-1].accuracy - epochs[-1].val_accuracy <= OVERFITS:
        return
    if spec.model.dropout < 0.5:
        why = "It learns by heart what it trains on: dropping values makes that harder."
        yield "Dropout 0.5", why, {"model.dropout": 0.5}
    if spec.train_limit is not None:
        more = 2 * spec.train_limit
        yield (
            f"{more:,} examples",
            "More to learn from than to learn by heart.",
            {"train_limit": more},
        )


def _of_the_network(spec: ExperimentSpec) -> Iterator[Idea]:
    model = spec.model.model_dump(mode="json")
    if "blocks" in model:
        for block in model["blocks"]:
            for conv in block["convs"]:
                conv["filters"] *= 2
        why = "Four times the arithmetic: what does it cost, and what does it buy?"
        yield "Twice the filters", why, {"model.blocks": model["blocks"]}
    elif model.get("dense") and spec.model.family == "dense":
        wider = [2 * units for units in model["dense"]]
        yield "Twice the units", "What does a wider network buy?", {"model.dense": wider}
    elif "recurrent" in model:
        wider = [2 * units for units in model["recurrent"]]
        yield "Twice the units", "What does a wider network buy?", {"model.recurrent": wider}


def _changed(raw: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    model = raw["model"] | {
        path.removeprefix("model."): value
        for path, value in changes.items()
        if path.startswith("model.")
    }
    top = {path: value for path, value in changes.items() if not path.startswith("model.")}
    return raw | top | {"model": model}
