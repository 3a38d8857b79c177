"""What was measured on cards that few people have. It ships with the lab, and is in no history.

Each recording is a folder beside this file, which `python -m bench.ship` writes from what
`python -m bench.card` measured: the run cards, and the plan of each sweep, whose cells may be more
than were measured. What people race against is named here.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cnnlab.report.cards import read
from cnnlab.spec import RunCard, SweepPlan

FOLDER = Path(__file__).parent
CARDS = "cards.json.gz"


@dataclass(frozen=True)
class Recording:
    """What one machine was measured to do on one day."""

    title: str
    day: str
    opponents: Mapping[str, tuple[str, str]]
    """By the key that people give: the run, and what it trained, on what and where."""


@dataclass(frozen=True)
class RecordedSweep:
    """A crossover: what was to be measured, and the cards of what was."""

    sweep_id: str
    name: str
    day: str
    plan: SweepPlan
    cards: tuple[RunCard, ...]


RECORDINGS: dict[str, Recording] = {
    "h200": Recording(
        title="NVIDIA H200 beside 16-core Xeon",
        day="27 Nov 2026",
        opponents={
            "h200-article-gpu": ("1nghysgge42t", "Article on Shapes, NVIDIA H200"),
            "h200-article-cpu": ("1nghysgcmbs0", "Article on Shapes, 16-core Xeon"),
            "h200-dense-gpu": ("1nghypn9rdxx", "Dense on Shapes, NVIDIA H200"),
            "h200-dense-cpu": ("1nghypn43tyx", "Dense on Shapes, 16-core Xeon"),
        },
    ),
}
_NAMED = {
    key: (name, run_id, title)
    for name, recording in RECORDINGS.items()
    for key, (run_id, title) in recording.opponents.items()
}
OPPONENTS: dict[str, str] = {
    key: f"{title}, {RECORDINGS[name].day}" for key, (name, _, title) in _NAMED.items()
}
"""Who each key names, with the day."""


@cache
def cards(name: str) -> dict[str, RunCard]:
    """The runs of a recording by their ids, steps included but for cells of sweeps."""
    found = read(gzip.decompress((FOLDER / name / CARDS).read_bytes()))
    return {card.run_id: card for card in found}


def opponent(key: str) -> RunCard:
    """The run that a key of `OPPONENTS` names, under a name that says what it is."""
    name, run_id, title = _NAMED[key]
    return cards(name)[run_id].model_copy(update={"name": title})


def ships(card: RunCard) -> bool:
    """Whether a card is an opponent that came with the lab, and none of a history."""
    return any(card.run_id == run_id and card.name == title for _, run_id, title in _NAMED.values())


@cache
def sweeps() -> dict[str, RecordedSweep]:
    """The crossovers of all recordings by their ids."""
    found = [sweep for name in RECORDINGS for sweep in _sweeps_of(name)]
    return {sweep.sweep_id: sweep for sweep in found}


def _sweeps_of(name: str) -> list[RecordedSweep]:
    recording, found = RECORDINGS[name], []
    for path in sorted((FOLDER / name).glob("crossover-*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        sweep_id = told["sweep_id"]
        mine = [
            card for card in cards(name).values() if card.sweep and card.sweep.sweep_id == sweep_id
        ]
        title = f"Recorded: {path.stem.removeprefix('crossover-').capitalize()}, {recording.title}"
        plan = SweepPlan.model_validate(told["plan"])
        found.append(RecordedSweep(sweep_id, title, recording.day, plan, tuple(mine)))
    return found
