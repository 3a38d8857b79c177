"""Paired measurements: arms in turn, so that a drifting machine treats all alike, and only while
nothing else takes of the cores that they run on.
"""

from __future__ import annotations

import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from bench import quiet

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"


class NoFigure(Exception):
    """Nothing can be said of what was to be measured; says why."""


class Disturbed(NoFigure):
    """Something else was busy in so many rounds that there is no figure; says in how many."""


Arm = Callable[[], float]
"""Gives one figure, such as its seconds (see `timed`)."""
BLOCK_SECONDS = 1.0
"""Shorter rounds are judged together: the system counts processor time in ticks of 10 ms."""
LEAST_ROUNDS = 3
PATIENCE_SECONDS = 30.0
"""For a first undisturbed round: a neighbour that stayed so long will not go away soon."""
CARD_FACTS = ("key", "name", "driver", "compute_capability", "memory_mb", "power_limit_w")


def machine() -> dict[str, Any]:
    """What was measured on: processor, usable cores, system, Python; how busy it is; and its cards,
    whether or not anything was measured on them.
    """
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load_average": psutil.getloadavg()[0],
        "cards": [{fact: card[fact] for fact in CARD_FACTS} for card in cards()],
    }


@cache
def cards() -> list[dict[str, Any]]:
    """The accelerators here, best first, as the lab describes them.

    A process of its own looks: torch is not to be in one that measures pages.
    """
    command = [sys.executable, "-m", "cnnlab", "devices", "--json"]
    said = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(said)["accelerators"]


def place() -> str:
    """Where results belong: the best card's name, or `cpu`, fit for a folder and a heading."""
    return re.sub(r"\W+", "-", cards()[0]["name"]).lower() if cards() else "cpu"


def best_device() -> str:
    """The best card as the lab names it, or `cpu`."""
    return cards()[0]["key"] if cards() else "cpu"


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """An arm that gives the wall seconds `work` takes."""

    def arm() -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return arm


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median, quartiles and extremes."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return {
        "median": middle,
        "quartile_low": low,
        "quartile_high": high,
        "least": min(values),
        "most": max(values),
    }


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Between which two values the median of all that might be measured lies, 19 times in 20.

    From the order of the values alone, whatever they are distributed like: those that stand
    1.96 sqrt(n) / 2 places to either side of the middle.
    """
    ordered = sorted(values)
    reach = 0.98 * math.sqrt(len(ordered))
    low = max(math.floor(len(ordered) / 2 - reach), 0)
    return ordered[low], ordered[-1 - low]


@dataclass
class Rounds:
    """What arms gave, round by round."""

    kept: list[dict[str, float]] = field(default_factory=list)
    left_out: int = 0
    """Rounds in which something else took of the cores."""
    most_taken: float = 0.0
    """Of a core, in the worst of those."""

    @property
    def count(self) -> int:
        """How many there were."""
        return len(self.kept) + self.left_out

    def add(self, more: Rounds) -> None:
        """Count further rounds in."""
        self.kept += more.kept
        self.left_out += more.left_out
        self.most_taken = max(self.most_taken, more.most_taken)

    def judge(self, block: list[dict[str, float]], share: float) -> None:
        """Keep rounds, or leave them out, by the share that others took of their time."""
        if share < quiet.NOTABLE_SHARE:
            self.kept += block
        else:
            self.left_out += len(block)
            self.most_taken = max(self.most_taken, share)

    def of(self, arm: str) -> list[float]:
        """The figures of one arm."""
        return [figures[arm] for figures in self.kept]

    def hopeless(self, wanted: int, seconds: float) -> bool:
        """As many were disturbed as are wanted, or all of them for `PATIENCE_SECONDS`."""
        if self.left_out >= max(wanted, LEAST_ROUNDS):
            return True
        enough = self.left_out >= LEAST_ROUNDS and seconds >= PATIENCE_SECONDS
        return enough and not self.kept

    def said(self) -> str:
        """What became of them, in a sentence."""
        return (
            f"{self.left_out} of {self.count} rounds were disturbed and left out, because up to "
            f"{self.most_taken:.0%} of a core was taken from them: no figure."
        )


def rounds(arms: Mapping[str, Arm], wanted: int, watch: quiet.Watch = quiet.watch) -> Rounds:
    """Run all arms in turn until there are as many undisturbed rounds as wanted, or it is hopeless
    (`Rounds.hopeless`), and tell on stderr how it goes. The order turns round from one to the next:
    none always finds warm caches.

    Args:
        watch: tells what others take meanwhile.

    Raises:
        Disturbed: fewer than three rounds are left, or fewer than wanted where that is less.
    """
    found, began = Rounds(), time.perf_counter()
    while len(found.kept) < wanted and not found.hopeless(wanted, time.perf_counter() - began):
        share_taken = watch()
        block = _block(arms, found.count, wanted - len(found.kept))
        share = share_taken()
        found.judge(block, share)
        _tell(found, wanted, block[-1], share)
    if len(found.kept) < min(LEAST_ROUNDS, wanted):
        raise Disturbed(found.said())
    return found


def _block(arms: Mapping[str, Arm], before: int, most: int) -> list[dict[str, float]]:
    """Rounds that are judged together.

    Args:
        before: how many there were.
        most: that are wanted.
    """
    block: list[dict[str, float]] = []
    began = time.perf_counter()
    while len(block) < most:
        names = [*arms][:: -1 if (before + len(block)) % 2 else 1]
        block.append({name: arms[name]() for name in names})
        if time.perf_counter() - began >= BLOCK_SECONDS:
            break
    return block


def _tell(found: Rounds, wanted: int, last: Mapping[str, float], share: float) -> None:
    figures = ", ".join(f"{name} {figure:.4g}" for name, figure in last.items())
    taken = f"; {share:.0%} of a core was taken: left out" if share >= quiet.NOTABLE_SHARE else ""
    said = f"  {len(found.kept)} of {wanted} rounds, {found.left_out} left out; {figures}{taken}"
    print(said, file=sys.stderr, flush=True)


def paired(a: Arm, b: Arm, pairs: int, watch: quiet.Watch = quiet.watch) -> dict[str, Any]:
    """Run both arms `pairs` times, in turn, after one round that does not count; `rounds` says
    which pairs are left out and repeated.

    Args:
        b: the baseline.
        pairs: two or more.

    Returns:
        `a`, `b` and `ratio` (b / a, pair by pair: above 1, a is ahead), each as `summary` has it;
        `pairs`, the ratios themselves as `ratios`, how many more were `left_out`, and the
        `machine`.

    Raises:
        Disturbed: too few pairs are left.
    """
    a()
    b()
    return result_of(rounds({"a": a, "b": b}, pairs, watch))


def attempted(name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A result under its name; where there is no figure, why, as `refused`."""
    print(f"  {name} …", file=sys.stderr, flush=True)
    try:
        return measure() | {"name": name}
    except NoFigure as error:
        print(f"  {error}", file=sys.stderr, flush=True)
        return {"name": name, "refused": str(error), "machine": machine()}


def result_of(found: Rounds) -> dict[str, Any]:
    """The rounds of the arms `a` and `b` as `paired` returns them."""
    ratios = [each["b"] / each["a"] for each in found.kept]
    return {
        "a": summary(found.of("a")),
        "b": summary(found.of("b")),
        "ratio": summary(ratios),
        "ratios": ratios,
        "pairs": len(ratios),
        "left_out": found.left_out,
        "machine": machine(),
    }


def save(name: str, result: dict[str, Any] | list[dict[str, Any]]) -> Path:
    """Keep a result as JSON under `bench/results`, in the folder of its `place`."""
    path = RESULTS / place() / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
    return path
