"""`sweep --train`: every variant trained so many epochs, and what its accuracy cost in time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import uuid4

from rich.markup import escape
from rich.table import Table

from cnnlab import analysis, cluster, datasets, words
from cnnlab.commands.driving import follow, open_lab, train_all
from cnnlab.commands.shared import INTERRUPTED, emit_json, err, open_to_time, out, stop_on_signal
from cnnlab.history import History, RunSummary
from cnnlab.spec import ExperimentSpec, LabError, RunCard, Status, change
from cnnlab.sweep.variants import BROKE_OFF, broken_off, parts, standing, variants


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
        whole = list(parts(found, uuid4().hex[:12], datasets.run_name(spec, "Sweep")))
        cards = train_all(lab, history, named, session, stop, whole)
        left = _left(history, cards)
    return _tell(cards, left, as_json, stopped=stop.is_set())


def resume(history: History, runs: Sequence[RunSummary], as_json: bool) -> int:
    """Train the variants of a sweep that broke off, each after its last epoch; the exit code.

    Args:
        runs: all of the sweep, in the order of its variants.

    Raises:
        LabError: it is under way, or nothing of it is left to train.
    """
    left = broken_off(runs)
    if not left:
        said = f"The sweep {sweep_id_of(runs)} {_why_not(runs)}"
        raise LabError(f"{said}, so there is nothing to resume.")
    with stop_on_signal() as stop, open_lab(history) as lab:
        for run_id in left:
            lab.resume_or_begin(run_id)
        named = {run.run_id: run.name for run in runs if run.run_id in left}
        epochs = {run.run_id: run.spec.epochs for run in runs if run.run_id in left}
        follow(lab, named, epochs, stop)
        cards = [history.card(run.run_id, steps=False) for run in runs]
    return _tell(cards, _left(history, cards), as_json, stopped=stop.is_set())


def _why_not(runs: Sequence[RunSummary]) -> str:
    """Why none of a sweep can go on, as the rest of a sentence about it."""
    stands = standing(runs)
    if not stands.over:
        return "is being trained"
    return "broke off elsewhere" if stands in BROKE_OFF else "has nothing left to train"


def _left(history: History, cards: Sequence[RunCard]) -> int:
    """How many of the runs can go on."""
    return len(broken_off(history.summaries(run_ids=[card.run_id for card in cards])))


def known(history: History) -> dict[str, list[RunSummary]]:
    """The runs of all sweeps that train, in the order of their variants, by the sweep's id; the
    newest sweep first."""
    found: dict[str, list[RunSummary]] = {}
    for run in history.summaries(part_kind="sweep"):
        if run.part:
            found.setdefault(run.part.group_id, []).insert(0, run)
    return found


def of_sweep(history: History, sweep_id: str) -> list[RunSummary]:
    """The runs of the sweep that trains whose id begins so; none where there is not just one."""
    fitting = [runs for key, runs in known(history).items() if key.startswith(sweep_id)]
    return fitting[0] if len(fitting) == 1 else []


def sweep_id_of(runs: Sequence[RunSummary] | Sequence[RunCard]) -> str:
    """The id of the sweep that runs are variants of."""
    return next(run.part.group_id for run in runs if run.part)


def _tell(cards: Sequence[RunCard], left: int, as_json: bool, *, stopped: bool) -> int:
    """Say what the variants came to, and how many can go on; the exit code."""
    groups = analysis.repeats(cards, [_without_seed(card) for card in cards])
    if as_json:
        emit_json(_document(cards, groups))
    else:
        out.print(_table(groups))
    for card in cards:
        if card.error:
            err.print(f"Error: {card.run_id} {card.status}: {card.error}", markup=False)
    if left:
        err.print(
            f"{left} of {len(cards)} variants broke off; to go on with them: "
            f"python -m cnnlab sweep --resume {sweep_id_of(cards)}",
            markup=False,
            soft_wrap=True,
        )
    if stopped:
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


def _without_seed(card: RunCard) -> str:
    """What a variant is called; of an older sweep, whose axes were not kept, as its run is."""
    values = card.part.values if card.part else {}
    if not values:
        return card.name
    said = (f"{name}={value}" for name, value in values.items() if name != "seed")
    return ", ".join(said) or "all seeds"


def _document(cards: Sequence[RunCard], groups: Sequence[analysis.Repeats]) -> dict[str, Any]:
    values = {card.run_id: card.part.values if card.part else {} for card in cards}
    return {
        "schema": "cnnlab.trained-sweep/1",
        "sweep_id": sweep_id_of(cards),
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


# --- what there is --------------------------------------------------------------------------


def listed(runs: Sequence[RunSummary]) -> dict[str, Any]:
    """A sweep in `sweep --list --json`."""
    first, part = runs[0], runs[0].part
    return {
        "kind": "trained",
        "sweep_id": sweep_id_of(runs),
        "name": part and part.group,
        "session": first.session,
        "status": standing(runs).value,
        "created_at": first.created_at,
        "runs": [run.run_id for run in runs],
    }


def list_table(sweeps: Iterable[Sequence[RunSummary]]) -> Table:
    """Every sweep that trains, with how many of its variants are finished."""
    table = Table("id", "name", "status", "begun", "trained")
    for runs in sweeps:
        said = listed(runs)
        done = sum(run.status is Status.FINISHED for run in runs)
        begun = said["created_at"][:16].replace("T", " ")
        counts = f"{done} of {len(runs)} variants"
        table.add_row(said["sweep_id"], escape(said["name"]), said["status"], begun, counts)
    return table
