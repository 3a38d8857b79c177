"""`sweep --train`: every variant trained so many epochs, and what its accuracy cost in time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from rich.markup import escape
from rich.table import Table

from cnnlab import analysis, cluster, datasets, words
from cnnlab.commands.driving import open_lab, train_all
from cnnlab.commands.shared import INTERRUPTED, emit_json, err, open_to_time, out, stop_on_signal
from cnnlab.spec import ExperimentSpec, LabError, RunCard, Status, change
from cnnlab.sweep.variants import Variant, parts, variants


def run(
    spec: ExperimentSpec,
    axes: Sequence[str],
    epochs: int,
    session: str,
    as_json: bool,
    machines: Sequence[str] = (),
) -> int:
    """Train every variant; the exit code.

    Args:
        machines: equal ones, that the variants are spread over; none: where the spec says.

    Raises:
        LabError: the variants cannot work, or the machines differ.
    """
    found = variants(change(spec, epochs=epochs), axes)
    if machines:
        check_equal(machines)
    with open_to_time() as history, stop_on_signal() as stop, open_lab(history) as lab:
        specs = _spread([variant.spec for variant in found], machines)
        named = [(datasets.run_name(one), one) for one in specs]
        whole = list(parts(len(found), uuid4().hex[:12], datasets.run_name(spec, "Sweep")))
        cards = train_all(lab, history, named, session, stop, whole)
    groups = analysis.repeats(cards, [_without_seed(variant) for variant in found])
    if as_json:
        emit_json(_document(found, cards, groups))
    else:
        out.print(_table(groups))
    for card in cards:
        if card.error:
            err.print(f"Error: {card.run_id} {card.status}: {card.error}", markup=False)
    if stop.is_set():
        return INTERRUPTED
    return 0 if all(card.status is Status.FINISHED for card in cards) else 1


def check_equal(names: Sequence[str]) -> None:
    """
    Raises:
        LabError: a machine is not there, or they have not the same processor and accelerators, so
            that their times could not stand in one table.
    """
    found = [cluster.one_called(name) for name in names]
    if lost := next((machine for machine in found if machine.problem), None):
        raise LabError(str(lost.problem))
    kinds = {cluster.spoken(machine) for machine in found}
    if len(kinds) > 1:
        raise LabError(
            f"The machines differ ({', '.join(sorted(kinds))}), so their times would not compare: "
            "name equal ones, or sweep on each."
        )


def _spread(specs: Sequence[ExperimentSpec], machines: Sequence[str]) -> list[ExperimentSpec]:
    """In turns, so that all machines have as much to do, wherever the larger variants stand."""
    if not machines:
        return list(specs)
    return [
        change(spec, machine=machines[place % len(machines)]) for place, spec in enumerate(specs)
    ]


def _without_seed(variant: Variant) -> str:
    values = {name: value for name, value in variant.values.items() if name != "seed"}
    return Variant(values, variant.spec).said or "all seeds"


def _document(
    found: Sequence[Variant], cards: Sequence[RunCard], groups: Sequence[analysis.Repeats]
) -> dict[str, Any]:
    values = {card.run_id: variant.values for card, variant in zip(cards, found, strict=True)}
    return {
        "schema": "cnnlab.trained-sweep/1",
        "runs": [
            {"run_id": card.run_id, "status": card.status.value, "values": values[card.run_id]}
            for card in cards
        ],
        "groups": [
            {
                "values": {n: v for n, v in values[group.runs[0]].items() if n != "seed"},
                "runs": list(group.runs),
                "accuracies": list(group.accuracies),
                "accuracy_mean": group.accuracy,
                "accuracy_sd": group.spread,
                "seconds_mean": group.time,
                "on_front": group.on_front,
            }
            for group in groups
        ],
    }


def _table(groups: Sequence[analysis.Repeats]) -> Table:
    """The variants, the most accurate first; a star marks those that nothing beats in both."""
    table = Table("variant", "runs", "val_accuracy", "spread", "training", "front")
    for group in sorted(groups, key=lambda group: -group.accuracy):
        table.add_row(
            escape(group.name),
            str(len(group.runs)),
            words.percent(group.accuracy),
            words.percent(group.spread),
            words.duration(group.time),
            "★" if group.on_front else "",
        )
    return table
