"""`runs export`, `runs import` and `compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from cnnlab import analysis
from cnnlab.commands.shared import emit_json, open_history, out
from cnnlab.report.cards import LARGEST_BYTES, from_json, to_csv, to_json
from cnnlab.report.script import keras_script
from cnnlab.spec import LabError, RunCard

FORMATS = ("json", "csv", "script")


@click.command("export")
@click.argument("run_ids", nargs=-1, required=True)
@click.option("--format", "kind", type=click.Choice(FORMATS), default="json", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
def export_runs(run_ids: tuple[str, ...], kind: str, output: Path) -> int:
    """Write runs into a file: cards for another lab, epochs as a table, or a Keras script."""
    with open_history() as history:
        cards = [history.card(run_id, steps=kind == "json") for run_id in run_ids]
    _write(output, _text(cards, kind))
    click.echo(f"Wrote {len(cards)} {'run' if len(cards) == 1 else 'runs'} to {output}.")
    return 0


def _text(cards: Sequence[RunCard], kind: str) -> str:
    match kind:
        case "json":
            return to_json(cards)
        case "csv":
            return to_csv(cards)
    (card, *others) = cards
    if others:
        raise LabError("A script is of one run; export them one by one.")
    if card.dataset is None:
        raise LabError(f"Run {card.run_id} ended before its data were read; export another one.")
    return keras_script(card.spec, card.dataset.image_shape, card.dataset.classes)


def _write(output: Path, text: str) -> None:
    """All of it or nothing, and never over a file that is there."""
    if output.exists():
        raise LabError(f"{output} is there already; choose another name or remove it.")
    part = output.with_name(f"{output.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(output)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise LabError(f"{output} cannot be written: {error.strerror}.") from error


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
def import_runs(file: Path) -> int:
    """Take in runs that another lab exported; none of the runs here is overwritten."""
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise LabError(f"{file} is larger than {LARGEST_BYTES / 1e6:.0f} MB; split it.")
        cards = from_json(file.read_bytes())
    except OSError as error:
        raise LabError(f"{file} cannot be read: {error.strerror}.") from error
    with open_history() as history:
        ids = [history.add_card(card, origin=f"imported from {file.name}") for card in cards]
    click.echo(f"Imported {', '.join(ids)}.")
    return 0


@click.command()
@click.argument("run_ids", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def compare(run_ids: tuple[str, ...], as_json: bool) -> int:
    """Say who is faster, or why that cannot be said fairly, and what differs."""
    if len(run_ids) < 2:
        raise LabError("A comparison needs two runs or more; name them by their ids.")
    with open_history() as history:
        cards = [history.card(run_id, steps=False) for run_id in run_ids]
    cards.sort(key=lambda card: analysis.device_kind(_used(card)) != "cpu")
    pairs = [_pair(cards[0], other) for other in cards[1:]]
    differing = analysis.differences(cards)
    if as_json:
        rows = {
            str(name): [str(value) for value in row]
            for name, row in zip(differing.index, differing.itertuples(index=False), strict=True)
        }
        ids = [card.run_id for card in cards]
        emit_json({"runs": ids, "pairs": pairs, "differences": rows})
        return 0
    for pair in pairs:
        click.echo(pair["verdict"])
    table = Table("field", *(f"{card.name} ({card.run_id})" for card in cards))
    for name, row in zip(differing.index, differing.itertuples(index=False), strict=True):
        table.add_row(str(name), *map(str, row))
    out.print(table)
    return 0


def _used(card: RunCard) -> str:
    return card.device.used if card.device else card.spec.device


def _pair(first: RunCard, second: RunCard) -> dict[str, Any]:
    gain = analysis.speed_up(first, second)
    return {
        "runs": [first.run_id, second.run_id],
        "verdict": analysis.verdict(first, second),
        "speed_up": gain.ratio if gain else None,
        "reasons": analysis.comparability(first, second),
    }
