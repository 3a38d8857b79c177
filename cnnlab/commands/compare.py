"""`compare`: who is faster and who is better, what that is worth, and which one to take."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from cnnlab import analysis, ladder, learned, words
from cnnlab.analysis.grades import Grade
from cnnlab.analysis.ranking import NAMES, UNITS, Quality
from cnnlab.commands import ladder as ladder_command
from cnnlab.commands.shared import INTERRUPTED, emit_json, err, open_history, out
from cnnlab.report.story import kind_of, labels
from cnnlab.spec import LabError, RunCard, Status, label

SCHEMA = "cnnlab.compare/1"
SPEEDS = ("fit_seconds", "step_ms_mean", "step_ms_median", "step_ms_p95", "images_per_second")


@click.command(short_help="Hold runs against each other.")
@click.argument("run_ids", nargs=-1)
@click.option(
    "--ladder",
    "climbing",
    is_flag=True,
    help="Train short runs between two, one change at a time; without ids, the built-in example.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def compare(run_ids: tuple[str, ...], climbing: bool, as_json: bool) -> int:
    """Hold runs against each other: the first one of the CPU, if any, against each other one, and
    all by speed, time to an accuracy, accuracy, memory and energy."""
    with open_history() as history:
        cards = [history.card(run_id, steps=False) for run_id in run_ids]
    if climbing:
        return _climb(cards, as_json)
    if len({card.run_id for card in cards}) < max(len(cards), 2):
        raise LabError("A comparison needs two runs or more, each named once by its id.")
    cards.sort(key=lambda card: kind_of(card) != "cpu")
    if as_json:
        emit_json(document(cards))
    else:
        _say(cards)
    return 0


def _say(cards: Sequence[RunCard]) -> None:
    for said in analysis.verdicts(cards, labels(cards), learned.paired):
        click.echo(said)
    standing = analysis.rank(cards, labels(cards), learned.paired)
    if len(cards) == 2:
        click.echo(standing.choice.sentence)
    out.print(_results(cards))
    out.print(_standing(cards, standing))
    notes = (f"{NAMES[x.quality]}: {x.note}." for x in standing.rankings if x.note)
    for line in filter(None, (standing.left_out, *notes)):
        out.print(line, markup=False, soft_wrap=True)
    out.print(_differences(cards))


def _climb(ends: Sequence[RunCard], as_json: bool) -> int:
    """Train what lies between, and say what each change brought."""
    rungs = ladder_command.climb(ends)
    found = ladder.climb(rungs)
    if as_json:
        whole = document(ends) if ends else {"schema": SCHEMA}
        emit_json(whole | {"ladder": ladder_command.document(rungs, found)})
    elif found:
        click.echo(ladder.sentence(found))
        if ends:
            first, last = ends
            said = analysis.verdict(first, last, learned.paired(first, last))
            click.echo(f"As recorded: {said}")
        out.print(ladder_command.table(rungs, found))
    for card in rungs:
        if not card.epochs:
            err.print(f"Error: {card.run_id} {card.status}: {card.error}", markup=False)
    stopped = any(card.status is Status.STOPPED for card in rungs)
    return INTERRUPTED if stopped else 0 if found and not found.lost else 1


def document(cards: Sequence[RunCard]) -> dict[str, Any]:
    """What `compare --json` prints; NaN and infinity as in run cards."""
    first, *others = cards
    frame = analysis.differences(cards)
    return {
        "schema": SCHEMA,
        "runs": [card.run_id for card in cards],
        "results": {card.run_id: _result(card) for card in cards},
        "pairs": [_pair(first, other) for other in others],
        **_ranked(analysis.rank(cards, labels(cards), learned.paired)),
        "differences": {
            str(name): dict(zip(frame.columns, map(str, row), strict=True))
            for name, row in zip(frame.index, frame.itertuples(index=False), strict=True)
        },
    }


def _result(card: RunCard) -> dict[str, Any]:
    last = card.epochs[-1] if card.epochs else None
    known = [row.val_accuracy for row in card.epochs if math.isfinite(row.val_accuracy)]
    timing = card.timing.model_dump(mode="json")
    return {
        "name": card.name,
        "status": card.status.value,
        "device": card.device and card.device.model_dump(mode="json"),
        "parameters": card.model and card.model.parameters,
        "epochs_done": len(card.epochs),
        "best_val_accuracy": max(known, default=None),
        "last": last and last.model_dump(mode="json"),
        "test": card.test and card.test.model_dump(mode="json"),
        **{name: timing[name] for name in SPEEDS},
    }


def _pair(first: RunCard, second: RunCard) -> dict[str, Any]:
    """Two runs; `speed_up` only where nothing but the device differs, ratios unless they did other
    work."""
    gain = analysis.speed_up(first, second)
    found = analysis.between(first, second, learned.paired(first, second))
    comparable = found.speed.grade is not Grade.OTHER_WORK
    return {
        "runs": [first.run_id, second.run_id],
        "verdict": analysis.sentence(first, second, found),
        "reasons": analysis.comparability(first, second),
        "speed_up": gain.ratio if gain else None,
        "speed": _speed(found.speed),
        "accuracy": _accuracy(found.accuracy),
        "test": found.test and _accuracy(found.test),
        "ratios": {name: _ratio(first, second, name) for name in SPEEDS} if comparable else {},
        "layers": [_layers(match) for match in analysis.matched(first, second)],
    }


def _layers(match: analysis.Match) -> dict[str, Any]:
    """What stands at one place in both networks, with what it costs."""
    return {
        "state": match.state,
        **{
            side: each
            and {
                "layer": each.said,
                "parameters": each.layer.parameters,
                "flops": each.layer.flops,
                "ms": each.ms,
            }
            for side, each in (("first", match.first), ("second", match.second))
        },
    }


def _speed(speed: analysis.Speed) -> dict[str, Any]:
    """How many times as fast the second is per picture; `low` and `high` as epochs varied."""
    return {
        "ratio": speed.ratio,
        "low": speed.low,
        "high": speed.high,
        "grade": speed.grade.value,
        "differs": [thing.name for thing in speed.things],
        "why": speed.why or None,
    }


def _accuracy(accuracy: analysis.Accuracy) -> dict[str, Any]:
    """How much the second's accuracy is above the first's; `low` and `high` are the ends of its
    95 % interval, `mcnemar` what their answers to the same pictures say, where those were kept."""
    paired = accuracy.paired
    return {
        "difference": accuracy.difference,
        "low": accuracy.low,
        "high": accuracy.high,
        "grade": accuracy.grade.value,
        "differs": [thing.name for thing in accuracy.things],
        "mcnemar": paired and {**paired._asdict(), "p": accuracy.chance},
        "why": accuracy.why or None,
    }


def _ranked(standing: analysis.Standing) -> dict[str, Any]:
    choice = standing.choice
    return {
        "ranking": {
            ranking.quality: {
                "unit": UNITS[ranking.quality],
                "values": dict(ranking.values),
                "order": list(ranking.order),
                "best": ranking.best,
                "note": ranking.note or None,
            }
            for ranking in standing.rankings
        },
        "accuracy_reached": standing.accuracy,
        "grades": {run_id: grade.value for run_id, grade in standing.grades.items()},
        "left_out": standing.left_out or None,
        "take": {
            "speed": next(iter(choice.speed), None),
            "accuracy": next(iter(choice.accuracy), None),
            "both": choice.both,
            "sentence": choice.sentence,
        },
    }


def _ratio(first: RunCard, second: RunCard, name: str) -> float | None:
    """The first run's figure in units of the second's; null where one is unknown."""
    one, other = getattr(first.timing, name), getattr(second.timing, name)
    if one is None or not other or not math.isfinite(one / other):
        return None
    return one / other


WRITTEN: dict[Quality, Callable[[float], str]] = {
    "speed": lambda seconds: f"{words.duration(seconds)} an example",
    "time_to_accuracy": words.duration,
    "accuracy": words.percent,
    "memory": lambda mb: words.size(1e6 * mb),
    "energy": lambda joules: words.scaled(joules, "J") + " an example",
}
"""How a figure of each quality is written."""


def _standing(cards: Sequence[RunCard], standing: analysis.Standing) -> Table:
    """Each run's figure of each quality, and its place by it; a star marks the best."""
    table = Table("place", *map(escape, labels(cards)))
    reached = f" ({words.percent(standing.accuracy)})"
    for ranking in standing.rankings:
        of = reached if ranking.quality == "time_to_accuracy" else ""
        figures = (_placed(ranking, card.run_id) for card in cards)
        table.add_row(f"{NAMES[ranking.quality]}{of}", *figures)
    return table


def _placed(ranking: analysis.Ranking, run_id: str) -> str:
    value = ranking.values[run_id]
    said = words.UNKNOWN if value is None else WRITTEN[ranking.quality](value)
    if run_id not in ranking.order:
        return said
    star = " ★" if run_id == ranking.best else ""
    return f"{ranking.order.index(run_id) + 1}{star}  {said}"


def _results(cards: Sequence[RunCard]) -> Table:
    table = Table("", *map(escape, labels(cards)))
    found = [_result(card) for card in cards]
    last = [card.epochs[-1] if card.epochs else None for card in cards]
    best = (words.percent(result["best_val_accuracy"]) for result in found)
    table.add_row("best_val_accuracy", *best)
    accuracies = (words.percent(row.val_accuracy if row else None) for row in last)
    table.add_row("last_val_accuracy", *accuracies)
    if any(card.test for card in cards):
        tested = (words.percent(card.test.accuracy if card.test else None) for card in cards)
        table.add_row("test_accuracy", *tested)
    table.add_row("last_val_loss", *(words.number(row.val_loss if row else None) for row in last))
    for name in SPEEDS:
        table.add_row(name, *(words.number(getattr(card.timing, name)) for card in cards))
    return table


def _differences(cards: Sequence[RunCard]) -> Table:
    frame = analysis.differences(cards)
    table = Table("differs", *map(escape, labels(cards)))
    for name, row in zip(frame.index, frame.itertuples(index=False), strict=True):
        table.add_row(escape(label(str(name))), *(escape(str(value)) for value in row))
    return table
