"""Races whose outcome is known: of a spec against itself, and against a twin a tenth slower.

`python -m bench.races` goes on where it was broken off, until there are so many of each; give it
`--seconds` to let it end earlier. It needs a quiet machine. What came of each race is kept in
`bench/results`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.measure import RESULTS, place
from bench.slow_worker import SLOWER, TWIN_RATE
from cnnlab.devices import worker_environment
from cnnlab.history import History
from cnnlab.race import BUDGET_SECONDS, LEG_SECONDS, Result, judge, titled
from cnnlab.runner import Lab, Worker
from cnnlab.spec import PRESETS, GpuOff, RacePlan, change

RACES = 20
NEAR = 0.03
SPEC = change(PRESETS["tiny"].spec, device="cpu")
TWINS = {"itself": SPEC.learning_rate, "twin": TWIN_RATE}
WAYS: tuple[GpuOff, ...] = ("none", "device", "environment", "override")


def race(lab: Lab, history: History, kind: str) -> dict[str, Any]:
    """One race; what its verdict says."""
    lanes = titled([change(SPEC, learning_rate=TWINS[kind]), SPEC])
    plan = RacePlan(lanes=lanes, leg_seconds=LEG_SECONDS, budget_seconds=BUDGET_SECONDS)
    began = time.monotonic()
    race_id = lab.submit_race(plan, name=kind, session="bench")
    lab.wait_idle(10 * BUDGET_SECONDS)
    cards = [history.card(run.run_id) for run in history.summaries(group_id=race_id)[::-1]]
    return {"kind": kind, "seconds": time.monotonic() - began, **_told(judge(cards))}


def _told(result: Result) -> dict[str, Any]:
    gain = result.speed_up.model_dump() if result.speed_up else {}
    return {
        "winner": result.winner,
        "heading": result.heading,
        "caveats": result.caveats,
        "us_per_image": [one.us_per_image for one in result.standings],
        **gain,
    }


def summary(found: Sequence[dict[str, Any]]) -> list[str]:
    """How many races of each kind said what was true."""
    alike = [one for one in found if one["kind"] == "itself"]
    twins = [one for one in found if one["kind"] == "twin"]
    nobody = sum(one["winner"] is None for one in alike)
    right = [one for one in twins if one["winner"] and one["ratio"] > 1]
    near = sum(abs(one["ratio"] / (1 + SLOWER) - 1) <= NEAR for one in right)
    pairs = [one["pairs"] for one in found]
    return [
        f"{nobody} of {len(alike)} races of a spec against itself say that nobody is ahead.",
        f"{len(right)} of {len(twins)} against a twin that is {SLOWER:.0%} slower say so, "
        f"{near} of them with a ratio within {NEAR:.0%}.",
        f"They took {min(pairs)} to {max(pairs)} pairs." if pairs else "None has been run.",
    ]


def soak(seconds: float) -> None:
    """Run what is missing; keep each race as it ends."""
    file = RESULTS / place() / "races.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    found: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    Worker.COMMAND = (sys.executable, "-m", "bench.slow_worker")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        history = History(f"sqlite:///{Path(folder) / 'history.db'}")
        lab = Lab(history, {way: worker_environment(way) for way in WAYS})
        try:
            while time.monotonic() - began < seconds:
                counts = {kind: sum(one["kind"] == kind for one in found) for kind in TWINS}
                kind = min(counts, key=counts.__getitem__)
                if counts[kind] >= RACES:
                    break
                found.append(race(lab, history, kind))
                file.write_text(json.dumps(found, indent=1) + "\n")
                print(found[-1]["heading"], flush=True)
        finally:
            lab.close()
    print("\n".join(summary(found)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="End after so long.")
    soak(parser.parse_args().seconds)
