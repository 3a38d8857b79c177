"""`python -m bench.peers`: hold the lab against its yardsticks, write the table of BENCHMARKS.md.

Every work is measured in one run of all contenders in turn. Its row is written as soon as it is
there, and its figures on stdout, a line of JSON; a row that was not measured this time stays as it
was.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from bench.measure import RESULTS, NoFigure, best_device, machine, place, rounds, save, summary
from bench.page import PAGE, refreshed
from bench.peers import table
from bench.peers.contenders import CONTENDERS, Running, Unable, started
from bench.peers.works import WORKS, Work, draw
from cnnlab import words

ROUNDS = 7
FIRST = ("fast", "stock")
"""They race alone until a round is undisturbed. Where none is, no minutes are spent on starting the
others."""
WORK_SECONDS = 150
"""What a work takes on two quiet cores, about. Beside busy ones it ends sooner."""


def measured(work: Work, folder: Path, device: str) -> dict[str, Any]:
    """All contenders at one work; where there is no figure, why, as `refused`."""
    work, file = work.sized(device), folder / "work.npz"
    draw(work, file)
    absent: dict[str, str] = {}
    result: dict[str, Any] = {
        "title": work.title,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "device": device,
        "absent": absent,
    }
    with ExitStack() as stack:
        start = partial(_start, stack, work, file, device, absent)
        try:
            arms = start(FIRST)
            rounds(arms, 1)
            arms |= start([name for name in CONTENDERS if name not in FIRST])
            found = rounds(arms, ROUNDS)
        except NoFigure as error:
            return result | {"refused": str(error)}
    return result | compared({name: found.of(name) for name in arms}, found.left_out)


def _start(
    stack: ExitStack,
    work: Work,
    file: Path,
    device: str,
    absent: dict[str, str],
    names: Sequence[str],
) -> dict[str, Running]:
    """Start every contender that can. On a CPU one after the other, since each finds the number of
    threads that suits it; on a card all at once, for none has such a setting.

    Args:
        stack: ends them.
        absent: is told why the others cannot.

    Raises:
        Unable: the lab itself cannot.
    """
    arms: dict[str, Running] = {}

    def attempt(name: str, step: Callable[[], object]) -> None:
        try:
            step()
        except Unable as error:
            if name == "fast":
                raise
            arms.pop(name, None)
            absent[name] = str(error)

    def begin(name: str) -> None:
        print(f"  starting {CONTENDERS[name].title} …", file=sys.stderr, flush=True)
        arms[name] = stack.enter_context(started(CONTENDERS[name], work, file, device))

    for together in [[name] for name in names] if device == "cpu" else [list(names)]:
        for name in together:
            attempt(name, partial(begin, name))
        for name in [each for each in together if each in arms]:
            attempt(name, arms[name].warm)
    return arms


def compared(step_ms: dict[str, list[float]], left_out: int) -> dict[str, Any]:
    """Each contender's step, and `fast` over the best of the others, round by round."""
    others = {name: summary(values)["median"] for name, values in step_ms.items() if name != "fast"}
    best = min(others, key=others.__getitem__)
    pairs = zip(step_ms["fast"], step_ms[best], strict=True)
    return {
        "step_ms": {name: summary(values) for name, values in step_ms.items()},
        "best": best,
        "fast_over_best": summary([ours / theirs for ours, theirs in pairs]),
        "rounds": step_ms,
        "left_out": left_out,
    }


@click.command()
@click.option("--only", help=f"Works, with commas between: {', '.join(WORKS)}.")
@click.option("--figures-only", is_flag=True, help="Print them, and leave the page as it is.")
def main(only: str | None, figures_only: bool) -> None:
    """Measure all works, or some, and write the table."""
    chosen = only.split(",") if only else list(WORKS)
    if unknown := set(chosen) - set(WORKS):
        raise click.BadParameter(f"{', '.join(sorted(unknown))}: choose of {', '.join(WORKS)}.")
    kept = RESULTS / place() / "peers.json"
    results: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    device = best_device()
    about = words.duration(WORK_SECONDS * len(chosen))
    print(f"{len(chosen)} works, about {about} on a quiet machine.", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CNNLAB_HOME"] = f"{folder}/home"
        for name in chosen:
            print(f"Measuring {WORKS[name].title} …", file=sys.stderr, flush=True)
            began = time.monotonic()
            results[name] = measured(WORKS[name], Path(folder), device)
            save("peers", results)
            if not figures_only:
                text = table.table([results[each] for each in WORKS if each in results])
                PAGE.write_text(refreshed(PAGE.read_text(), text, f"yardsticks on {place()}"))
            print(json.dumps({name: results[name]}), flush=True)
            figures = table.row(results[name], table.with_figures([results[name]]))
            said = f"{figures} in {time.monotonic() - began:.0f} s"
            print(said, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
