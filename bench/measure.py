"""Paired measurements: two arms in turn, so that a drifting machine treats both alike."""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
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


def paired(a: Callable[[], float], b: Callable[[], float], pairs: int) -> dict[str, Any]:
    """Run both arms `pairs` times, in turn, after one round that does not count.

    The arm that goes first changes from pair to pair, so that neither always finds warm caches.

    Args:
        a: gives one figure, such as its seconds (see `timed`).
        b: the baseline, likewise.
        pairs: two or more.

    Returns:
        `a`, `b` and `ratio` (b / a, pair by pair: above 1, a is ahead), each as `summary` has it;
        `pairs`, the ratios themselves as `ratios`, and the `machine`.
    """
    a()
    b()
    firsts, seconds = [], []
    for number in range(pairs):
        if number % 2:
            seconds.append(b())
            firsts.append(a())
        else:
            firsts.append(a())
            seconds.append(b())
    ratios = [second / first for first, second in zip(firsts, seconds, strict=True)]
    return {
        "a": summary(firsts),
        "b": summary(seconds),
        "ratio": summary(ratios),
        "ratios": ratios,
        "pairs": pairs,
        "machine": machine(),
    }


def save(name: str, result: dict[str, Any] | list[dict[str, Any]]) -> Path:
    """Keep a result as JSON under `bench/results`, in the folder of its `place`."""
    path = RESULTS / place() / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
    return path
