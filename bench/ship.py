"""`python -m bench.ship DIR NAME`: what `bench.card` left in DIR becomes a recording of the lab.

Figures stay as they were measured. The steps of a sweep's cells are left out, for nothing shows
them; of the machine stays what bears on its times: processor, card and versions, and neither the
build of its kernel nor a path. What people may race against is then named in `cnnlab/recorded`.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import click

from cnnlab.recorded import CARDS, FOLDER
from cnnlab.report.cards import read_file, to_json
from cnnlab.spec import RunCard, Steps


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True))
@click.argument("name")
def command(folder: Path, name: str) -> None:
    """Ship what was measured in DIR with the lab, as the recording NAME."""
    found = [fit_to_ship(card) for card in read_file(folder / "cards.json")]
    there = FOLDER / name
    there.mkdir(parents=True, exist_ok=True)
    (there / CARDS).write_bytes(gzip.compress(to_json(found).encode(), mtime=0))
    for path in sorted(folder.glob("crossover-*.json")):
        text = json.dumps(plan_of(json.loads(path.read_text(encoding="utf-8"))))
        (there / path.name).write_text(text + "\n", encoding="utf-8")
    click.echo(f"{len(found)} runs in {there}; name its opponents in {FOLDER / '__init__.py'}:")
    for card in (card for card in found if not card.sweep):
        marks = " ".join(card.disturbances.marks) if card.disturbances else ""
        click.echo(f"{card.run_id}  {card.name}  {marks}".rstrip())


def fit_to_ship(card: RunCard) -> RunCard:
    """A card without the steps of a cell, and without what tells one machine from its like."""
    facts = dict(card.environment)
    facts["platform"] = str(facts.get("platform", "")).partition("-")[0]
    if compiler := facts.get("cxx_compiler"):
        facts["cxx_compiler"] = Path(str(compiler)).name
    changes: dict[str, Any] = {"environment": facts}
    return card.model_copy(update=changes | ({"steps": Steps()} if card.sweep else {}))


def plan_of(told: dict[str, Any]) -> dict[str, Any]:
    """Of a sweep what its cards do not tell: all that was to be measured."""
    return {name: told[name] for name in ("schema", "sweep_id", "name", "status", "plan")}


if __name__ == "__main__":
    command()
