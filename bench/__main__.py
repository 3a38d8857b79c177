"""`python -m bench`: run every bench of this folder, print a table, refresh BENCHMARKS.md.

That page has a table for each place (`measure.place`): a machine's best card, or none.

A bench is a module with `main()` that returns a list of results, or one: what `measure.paired`
returns, in the `unit` it names, with a `name` and the `arms` ("a", and "b", the baseline) in words;
`notes`, if it has any, are sentences beneath the table. Whatever else it holds stays in its own
JSON under `bench/results`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import bench
from bench.measure import place
from cnnlab import words

PAGE = Path(__file__).parents[1] / "BENCHMARKS.md"
INTRODUCTION = (
    "# Benchmarks\n\nEach line is one measurement of two arms in turn, by `make bench`: medians, "
    "with the quartiles of the ratio.\n\n"
)
HEAD = (
    "| measured | this lab | baseline | baseline / this lab | quartiles | pairs |",
    "|---|---|---|---|---|---|",
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
    unit, ratio = result["unit"], {key: words.number(v) for key, v in result["ratio"].items()}
    sides = [
        f"{words.number(result[arm]['median'])} {unit}, {result['arms'][arm]}" for arm in ("a", "b")
    ]
    return (
        f"| {result['name']} | {sides[0]} | {sides[1]} | {ratio['median']} "
        f"| {ratio['quartile_low']} to {ratio['quartile_high']} | {result['pairs']} |"
    )


def table(results: Sequence[dict[str, Any]]) -> str:
    """All lines, below the machine they were measured on."""
    machine = results[0]["machine"]
    cards = [f"{card['name']} (driver {card['driver']}), " for card in machine["cards"]]
    here = (
        f"Measured on: {machine['cpu']}, {machine['cores']} cores, {''.join(cards)}"
        f"{machine['system']}, Python {machine['python']}; "
        f"load average {machine['load_average']:.1f}."
    )
    lines = [here, "", *HEAD, *map(row, results)]
    for note in (note for result in results for note in result.get("notes", ())):
        lines += ["", note]
    return "\n".join(lines)


def refreshed(page: str, text: str, where: str) -> str:
    """`page` with `text` between the markers of a place, which are added at its end if missing."""
    marks = f"<!-- bench on {where}: begin -->", f"<!-- bench on {where}: end -->"
    before, begin, rest = page.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        before, after = f"{page.rstrip()}\n\n", "\n"
    return f"{before}{marks[0]}\n{text}\n{marks[1]}{after}"


def main() -> None:
    """Run them all."""
    results: list[dict[str, Any]] = []
    for name, measure in benches().items():
        print(f"Measuring {name} …", flush=True)
        measured = measure()
        results += measured if isinstance(measured, list) else [measured]
    text = table(results)
    page = PAGE.read_text() if PAGE.exists() else INTRODUCTION
    PAGE.write_text(refreshed(page, text, place()))
    print(text)


if __name__ == "__main__":
    main()
