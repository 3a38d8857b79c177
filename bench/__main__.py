"""`python -m bench`: run every bench of this folder, print a table, refresh BENCHMARKS.md.

`--only engines,data` runs some of them; the table has what the others gave here at last. How long
it may take is said first (`ABOUT_MINUTES`), how it goes on stderr, round by round. Beside something
that keeps the machine busy it ends sooner: see `measure.rounds`.

That page has a table for each place (`measure.place`): a machine's best card, or none.

A bench is a module with `main()` that returns a list of results, or one: what `measure.paired`
returns, in the `unit` it names, with a `name` and the `arms` ("a", and "b", the baseline) in words;
`notes`, if it has any, are sentences beneath the table. Whatever else it holds stays in its own
JSON under `bench/results`. What was disturbed too often has no figures, and says so: a result by
`measure.attempted`, or the whole of a bench.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import bench
from bench import measure
from bench.measure import NoFigure, machine, place
from bench.page import PAGE, here, refreshed
from cnnlab import words

ABOUT_MINUTES = {
    "beside": 4,
    "callback": 5,
    "cluster": 30,
    "compare": 1,
    "data": 6,
    "engines": 7,
    "equality": 3,
    "history": 1,
    "keeping": 3,
    "many_runs": 3,
    "refresh": 1,
    "subnormals": 8,
    "sweep": 3,
    "ui_tax": 20,
    "viewers": 12,
}
"""What each takes on two quiet cores."""
HEAD = (
    "| measured | this lab | baseline | baseline / this lab | quartiles | pairs | left out |",
    "|---|---|---|---|---|---|---|",
)


def benches() -> dict[str, Callable[[], Any]]:
    """The benches of this folder by module name, in alphabetical order."""
    names = sorted(module.name for module in pkgutil.iter_modules(bench.__path__))
    modules = [
        importlib.import_module(f"bench.{name}") for name in names if not name.startswith("__")
    ]
    return {
        module.__name__.removeprefix("bench."): module.main
        for module in modules
        if hasattr(module, "main")
    }


def row(result: dict[str, Any]) -> str:
    """One line of the table."""
    if refused := result.get("refused"):
        return f"| {result['name']} | not measured | {refused} | - | - | - | - |"
    unit, ratio = result["unit"], {key: words.number(v) for key, v in result["ratio"].items()}
    sides = [
        f"{words.number(result[arm]['median'])} {unit}, {result['arms'][arm]}" for arm in ("a", "b")
    ]
    return (
        f"| {result['name']} | {sides[0]} | {sides[1]} | {ratio['median']} "
        f"| {ratio['quartile_low']} to {ratio['quartile_high']} | {result['pairs']} "
        f"| {result.get('left_out', '-')} |"
    )


def table(results: Sequence[dict[str, Any]], refused: Sequence[str] = ()) -> str:
    """All lines, below the machine they were measured on, and what could not be measured."""
    lines = [here(results[0]["machine"] if results else machine()), "", *HEAD, *map(row, results)]
    for note in (*(note for result in results for note in result.get("notes", ())), *refused):
        lines += ["", note]
    return "\n".join(lines)


def kept(name: str) -> list[dict[str, Any]]:
    """What a bench gave at last on this machine, if it was run."""
    file = measure.RESULTS / place() / f"{name}.json"
    found = json.loads(file.read_text()) if file.exists() else []
    return found if isinstance(found, list) else [found]


def main(only: Sequence[str] = ()) -> None:
    """Run them all, or some."""
    chosen = {name: run for name, run in benches().items() if not only or name in only}
    print(f"{', '.join(chosen)}: {estimate(chosen)} on two quiet cores.", flush=True)
    found = {name: kept(name) for name in benches()}
    refused: list[str] = []
    for name, run in chosen.items():
        found[name], why = attempt(name, run)
        refused += why
        text = table([result for results in found.values() for result in results], refused)
        PAGE.write_text(refreshed(PAGE.read_text(), text, f"bench on {place()}"))
    print(text)


def attempt(name: str, run: Callable[[], Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """The results of a bench, and why there are none, in sentences."""
    print(f"Measuring {name}, {estimate([name])} …", flush=True)
    began, ours = time.monotonic(), sys.modules["__main__"]
    measured: Any = []
    refused: list[str] = []
    try:
        measured = run()
    except NoFigure as error:
        refused.append(f"Not measured: {name}. {error}")
        print(refused[-1], flush=True)
    finally:  # a page that was opened has put itself there, and processes begin with what is there
        sys.modules["__main__"] = ours
    print(f"{name} took {words.duration(time.monotonic() - began)}.", flush=True)
    return measured if isinstance(measured, list) else [measured], refused


def estimate(names: Iterable[str]) -> str:
    """How long some benches take, in words."""
    return f"about {words.duration(60.0 * sum(ABOUT_MINUTES[name] for name in names))}"


def _named(text: str) -> list[str]:
    names = text.split(",")
    if unknown := sorted(set(names) - set(benches())):
        raise argparse.ArgumentTypeError(
            f"there is no {unknown[0]}; there are {', '.join(benches())}"
        )
    return names


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=_named, default=[], help="Names, separated by commas.")
    main(parser.parse_args().only)
