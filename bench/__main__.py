"""`python -m bench`: run every bench of this folder, print a table, refresh BENCHMARKS.md.

That page has a table for each place (`measure.place`): a machine's best card, or none.

A bench is a module with `main()` that returns a list of results, or one: what `measure.paired`
returns, in the `unit` it names, with a `name` and the `arms` ("a", and "b", the baseline) in words;
`notes`, if it has any, are sentences beneath the table. Whatever else it holds stays in its own
JSON under `bench/results`. What was disturbed too often has no figures, and says so: a result by
`measure.attempted`, or the whole of a bench.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from typing import Any

import bench
from bench.measure import NoFigure, machine, place
from bench.page import PAGE, here, refreshed
from cnnlab import words

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


def main() -> None:
    """Run them all."""
    results: list[dict[str, Any]] = []
    refused: list[str] = []
    for name, measure in benches().items():
        print(f"Measuring {name} …", flush=True)
        try:
            measured = measure()
        except NoFigure as error:
            refused.append(f"Not measured: {name}. {error}")
            print(refused[-1], flush=True)
            continue
        results += measured if isinstance(measured, list) else [measured]
    text = table(results, refused)
    PAGE.write_text(refreshed(PAGE.read_text(), text, f"bench on {place()}"))
    print(text)


if __name__ == "__main__":
    main()
