"""`compare`: who is faster, or why nobody can say, what each run came to and what differs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from cnnlab import analysis, words
from cnnlab.commands.shared import emit_json, open_history, out
from cnnlab.report.story import kind_of, labels, verdicts
from cnnlab.spec import LabError, RunCard, label

SPEEDS = ("fit_seconds", "step_ms_mean", "step_ms_median", "step_ms_p95", "images_per_second")


@click.command()
@click.argument("run_ids", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def compare(run_ids: tuple[str, ...], as_json: bool) -> int:
    """Hold runs against each other; the first one of the CPU, if any, against all others."""
    with open_history() as history:
        cards = [history.card(run_id, steps=False) for run_id in run_ids]
    if len({card.run_id for card in cards}) < max(len(cards), 2):
        raise LabError("A comparison needs two runs or more, each named once by its id.")
    cards.sort(key=lambda card: kind_of(card) != "cpu")
    if as_json:
        emit_json(document(cards))
        return 0
    for said in verdicts(cards):
        click.echo(said)
    out.print(_results(cards))
    out.print(_differences(cards))
    return 0


def document(cards: Sequence[RunCard]) -> dict[str, Any]:
    """What `compare --json` prints; NaN and infinity as in run cards."""
    first, *others = cards
    frame = analysis.differences(cards)
    return {
        "schema": "cnnlab.compare/1",
        "runs": [card.run_id for card in cards],
        "results": {card.run_id: _result(card) for card in cards},
        "pairs": [_pair(first, other) for other in others],
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
        **{name: timing[name] for name in SPEEDS},
    }


def _pair(first: RunCard, second: RunCard) -> dict[str, Any]:
    """Two runs; ratios only where their speeds can be compared fairly."""
    gain = analysis.speed_up(first, second)
    return {
        "runs": [first.run_id, second.run_id],
        "verdict": analysis.verdict(first, second),
        "reasons": analysis.comparability(first, second),
        "speed_up": gain.ratio if gain else None,
        "ratios": {name: _ratio(first, second, name) for name in SPEEDS} if gain else {},
    }


def _ratio(first: RunCard, second: RunCard, name: str) -> float | None:
    """The first run's figure in units of the second's; null where one is unknown."""
    one, other = getattr(first.timing, name), getattr(second.timing, name)
    if one is None or not other or not math.isfinite(one / other):
        return None
    return one / other


def _results(cards: Sequence[RunCard]) -> Table:
    table = Table("", *map(escape, labels(cards)))
    found = [_result(card) for card in cards]
    last = [card.epochs[-1] if card.epochs else None for card in cards]
    best = (words.percent(result["best_val_accuracy"]) for result in found)
    table.add_row("best_val_accuracy", *best)
    accuracies = (words.percent(row.val_accuracy if row else None) for row in last)
    table.add_row("last_val_accuracy", *accuracies)
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
