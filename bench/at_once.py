"""One preset on two nodes at once, in a race, and on one after the other: do both say the same?

Both nodes are this computer, one thread trains on each, and the lab has no core of its own: at once
the lanes are as slow as that makes them, and equally so. One after the other, runs as short as a
race's take turns, forwards and backwards, each once all is at rest, and what they come to is judged
by the race's rule. Whole runs would not do: what the computer itself is slower for a minute looks
like the node's. `python -m bench.at_once [dense tiny]` takes about seven minutes for each; it needs
Ray and a quiet machine.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from bench.cluster import Place, opened
from bench.measure import NoFigure, save
from cnnlab.race import BUDGET_SECONDS, LEG_SECONDS, Timed, compare, judge, timed, titled
from cnnlab.spec import PRESETS, ExperimentSpec, RacePlan, RunCard, change

NODES = ("one", "two")
PAIRS = 6
SPECS = {
    "dense": {"dataset": "shapes", "train_limit": 20_000, "epochs": 3},
    "tiny": {"dataset": "shapes", "train_limit": 10_000, "epochs": 3},
}
"""About as long as a leg of a race; `shapes` needs no download."""


def at_once(place: Place, spec: ExperimentSpec) -> dict[str, Any]:
    """A race of the spec on both nodes, as the Race page runs it."""
    lanes = titled([change(spec, machine=name) for name in NODES])
    plan = RacePlan(lanes=lanes, leg_seconds=LEG_SECONDS, budget_seconds=BUDGET_SECONDS)
    race_id = place.lab.submit_race(plan, name="at once", session="bench")
    place.lab.wait_idle(10 * BUDGET_SECONDS)
    runs = place.history.summaries(group_id=race_id)[::-1]
    result = judge([place.history.card(run.run_id) for run in runs])
    return {"nobody_ahead": result.winner is None, "said": result.verdict}


def one_after_the_other(place: Place, spec: ExperimentSpec) -> dict[str, Any]:
    """Runs on one node at a time."""
    turns: dict[str, dict[int, Timed]] = {name: {} for name in NODES}
    for turn in range(PAIRS):
        for name in NODES[:: -1 if turn % 2 else 1]:
            turns[name][turn] = _figure(place.through_lab(spec, name))
    found = compare(turns[NODES[0]], turns[NODES[1]])
    assert found
    return {
        "nobody_ahead": found.level,
        "one_times_as_fast": found.gain.model_dump(),
        "left_out": found.left_out,
        "disturbed": found.disturbed,
        "us_per_image": {
            name: [each.us_per_image for each in taken.values()] for name, taken in turns.items()
        },
    }


def _figure(card: RunCard) -> Timed:
    figure = timed(card.spec, card.dataset, card.timing, card.disturbances) if card.timing else None
    if figure is None:
        raise NoFigure(f"The run {card.run_id} took no step that counts.")
    return figure


def measured(names: Sequence[str]) -> list[dict[str, Any]]:
    """What is said of each preset, told as it comes, and kept."""
    results = []
    with opened(*NODES) as place:
        for name in names:
            spec = change(PRESETS[name].spec, device="cpu", threads=1, **SPECS[name])
            both = {"race": at_once(place, spec), "apart": one_after_the_other(place, spec)}
            results.append({"name": name, **both})
            print(json.dumps(results[-1], indent=1), flush=True)
            save("at_once", results)
    return results


if __name__ == "__main__":
    measured(sys.argv[1:] or list(SPECS))
