"""`race`: lanes of specs that take turns, each run in a fresh process, and who is ahead."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import click
from rich.progress import Progress

from cnnlab import cluster, datasets, recorded, words
from cnnlab.commands.driving import open_lab
from cnnlab.commands.options import FIELDS_HELP, make_spec, spec_options
from cnnlab.commands.shared import (
    INTERRUPTED,
    emit_json,
    err,
    open_to_time,
    stop_on_signal,
)
from cnnlab.devices import Hardware
from cnnlab.history import History
from cnnlab.published import REFERENCES, Reference
from cnnlab.race import (
    BUDGET_SECONDS,
    LEG_SECONDS,
    WAYS,
    Here,
    Opponent,
    Result,
    described,
    judge,
    kind,
    lanes,
    lanes_of,
    opponent_named,
    own_lanes,
    titled,
    usual_way,
)
from cnnlab.runner import Lab, RaceSnapshot
from cnnlab.spec import (
    HERE,
    MOST_ROUNDS,
    PRESETS,
    ExperimentSpec,
    LabError,
    Lane,
    RacePlan,
    RunCard,
    Status,
    change,
)

POLL_SECONDS = 0.2
HELLO_SECONDS = 120.0


@click.command(epilog=FIELDS_HELP, short_help="Race two to four specs.")
@spec_options
@click.option(
    "--way",
    type=click.Choice(list(WAYS)),
    help="What is raced; else the devices, or, where there is one only, the engines.",
)
@click.option(
    "--lane",
    "own",
    multiple=True,
    metavar="CHANGES",
    help="A lane of your own, two to four times: engine=stock,threads=1 or a run's id.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1, MOST_ROUNDS),
    help="So many whole trainings of each lane; else short pairs until the ratio is sure.",
)
@click.option(
    "--budget",
    type=click.FloatRange(min=1, max=86_400),
    default=BUDGET_SECONDS,
    show_default=True,
    help="Seconds after which no further pair begins; three there always are.",
)
@click.option(
    "--against",
    help="Recorded opponent instead of a second lane: a run's id, or "
    f"{', '.join([*REFERENCES, *recorded.OPPONENTS])}.",
)
@click.option("--opponents", is_flag=True, help="List who --against knows, and race nobody.")
@click.option("--session", default="race", show_default=True, help="Session the runs go to.")
@click.option("--json", "as_json", is_flag=True, help="Print the result on stdout.")
def race(
    way: str | None,
    own: tuple[str, ...],
    repeats: int | None,
    budget: float,
    against: str | None,
    opponents: bool,
    session: str,
    as_json: bool,
    **options: Any,
) -> int:
    """Race any two to four specs, on this machine or on several at once, or one against a
    recorded run."""
    if opponents:
        return _list_opponents(as_json=as_json)
    spec = make_spec(**options)
    if sum(map(bool, (way, own, against))) > 1:
        raise LabError("--way, --lane and --against each say who races; give one of them.")
    if not own and way in (None, "devices") and (options["device"] or options["gpu_off"]):
        raise LabError("A race chooses the devices itself; leave out --device and --gpu-off.")
    with open_to_time() as history, stop_on_signal() as stop:
        opponent = opponent_named(against, history.card) if against else None
        with open_lab(history) as lab:
            here = _here(lab, stop, spec.machine, way)
            plan = RacePlan(
                lanes=_lanes(spec, way, own, opponent, here, history),
                leg_seconds=None if repeats else LEG_SECONDS,
                rounds=repeats,
                budget_seconds=budget,
            )
            race_id = lab.submit_race(plan, name=datasets.run_name(spec, "Race"), session=session)
            seconds = _follow(lab, race_id, stop)
        cards = [history.card(run.run_id, steps=False) for run in _runs(history, race_id)]
    result = judge(cards, opponent)
    if as_json:
        emit_json(_document(race_id, plan, seconds, cards, result, opponent))
    else:
        click.echo(f"{result.verdict} {result.where}".strip())
        click.echo(f"Runs: {', '.join(card.run_id for card in cards)}")
    return _exit_code(cards, stop.is_set())


def _list_opponents(*, as_json: bool) -> int:
    """Who may be raced against without having been recorded in this history."""
    found = {
        key: opponent_named(key, recorded.opponent) for key in (*REFERENCES, *recorded.OPPONENTS)
    }
    if as_json:
        emit_json({key: _opponent(one) for key, one in found.items()})
        return 0
    for key, one in found.items():
        click.echo(f"{key}: {described(one)}{_recipe(one)}.")
    return 0


def _recipe(opponent: Opponent) -> str:
    """On what it was trained, so that the same can be raced."""
    if isinstance(opponent, Reference):
        return ""
    spec = opponent.spec
    preset = next(name for name, one in PRESETS.items() if one.spec.model == spec.model)
    limit = f" --limit {spec.train_limit}" if spec.train_limit else ""
    return f"; it trained --preset {preset} --dataset {spec.dataset}{limit}"


def _here(lab: Lab, stop: threading.Event, machine: str, way: str | None) -> Here:
    """What there is to race on: on a machine of the cluster, or, once a worker has looked, here.

    Raises:
        LabError: there is no such machine, or it can take no run.
    """
    machines = tuple(x.name for x in cluster.look() if not x.problem) if way == "machines" else ()
    if machine != HERE:
        facts = cluster.one_called(machine)
        if facts.problem or facts.hardware is None:
            raise LabError(facts.problem or f"{machine} could not tell what it has; try again.")
        return _on(facts.hardware, machines)
    waited = 0.0
    while (found := lab.hardware()) is None:
        if stop.wait(POLL_SECONDS):
            return Here((), 1)
        waited += POLL_SECONDS
        if waited > HELLO_SECONDS:
            raise LabError("The training process did not start; the log above says why.")
    return _on(Hardware.model_validate(found), machines)


def _on(hardware: Hardware, machines: tuple[str, ...]) -> Here:
    keys = tuple(card.key for card in hardware.accelerators)
    return Here(keys, max(int(hardware.cpu.usable_cores), 1), machines)


def _lanes(
    spec: ExperimentSpec,
    way: str | None,
    own: Sequence[str],
    opponent: Opponent | None,
    here: Here,
    history: History,
) -> tuple[Lane, ...]:
    if own:
        return own_lanes(own, spec, history.card)
    if opponent:
        other = here.accelerators if kind(opponent) == "cpu" else ()
        return titled([change(spec, device=other[0] if other else "cpu", gpu_off="none")])
    return lanes_of(way or usual_way(here), spec, here)


def _runs(history: History, race_id: str) -> list[Any]:
    return history.summaries(group_id=race_id)[::-1]


def _follow(lab: Lab, race_id: str, stop: threading.Event) -> float:
    """Show the race until it is over, or somebody stops it; the seconds that it took."""
    seconds = 0.0
    with Progress(console=err) as bar:
        task = bar.add_task("Race", total=None)
        while race := next((race for race in lab.races() if race.race_id == race_id), None):
            seconds = race.seconds
            bar.update(task, description=_said(race))
            if stop.is_set():
                lab.stop_race(race_id)
            lab.wait_idle(POLL_SECONDS)
    return seconds


def _said(race: RaceSnapshot) -> str:
    """Where a race stands, in words."""
    spent, most = map(words.duration, (race.seconds, race.plan.budget_seconds))
    much = f" of {race.plan.rounds}" if race.plan.rounds else f", {spent}, budget {most}"
    titles = [lane.title for lane in race.plan.lanes]
    gains = [
        f"{titles[lane]} {words.number(gain.ratio)} times as fast as {titles[0]}"
        for lane, gain in race.gains.items()
    ]
    return "; ".join([f"Round {race.rounds}{much}", *gains])


def _exit_code(cards: Sequence[RunCard], interrupted: bool) -> int:
    if interrupted:
        return INTERRUPTED
    lost = [card for card in cards if card.status is not Status.FINISHED]
    for card in lost:
        err.print(f"Error: {card.run_id} {card.status}: {card.error}", markup=False)
    return 1 if lost else 0


def _document(
    race_id: str,
    plan: RacePlan,
    seconds: float,
    cards: Sequence[RunCard],
    result: Result,
    opponent: Opponent | None,
) -> dict[str, Any]:
    return {
        "schema": "cnnlab.race/1",
        "race_id": race_id,
        "runs": [card.run_id for card in cards],
        "lanes": [
            {
                "title": lane.title,
                "device": _used(lane.cards),
                "machine": _machine(lane.cards),
                "runs": [card.run_id for card in lane.cards],
            }
            for lane in lanes(cards)
        ],
        "plan": plan.model_dump(mode="json", exclude={"lanes"}),
        "seconds": seconds,
        "opponent": opponent and _opponent(opponent),
        **result.model_dump(mode="json"),
    }


def _used(cards: Sequence[RunCard]) -> str | None:
    """The device of a lane; null where no run of it came so far."""
    return next((card.device.used for card in cards if card.device), None)


def _machine(cards: Sequence[RunCard]) -> str | None:
    """Where a lane was driven, as `--machine` names it; null where no run of it came so far."""
    begun = (card for card in cards if card.device)
    return next((card.machine.name if card.machine else HERE for card in begun), None)


def _opponent(opponent: Opponent) -> dict[str, Any]:
    if isinstance(opponent, Reference):
        return {"origin": "published, not measured here", **opponent.model_dump(mode="json")}
    facts = opponent.model_dump(mode="json", include={"run_id", "name", "created_at", "device"})
    seconds = {"fit_seconds": opponent.timing.fit_seconds, "epochs": len(opponent.epochs)}
    apart = "not measured here" if recorded.ships(opponent) else "not in this race"
    return {"origin": f"recorded, {apart}", "kind": kind(opponent), **facts, **seconds}
