"""BENCHMARKS.md: the parts of it that benches write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "BENCHMARKS.md"


def refreshed(page: str, text: str, part: str) -> str:
    """`page` with `text` between the markers of a part, which are added at its end if missing."""
    marks = f"<!-- {part}: begin -->", f"<!-- {part}: end -->"
    before, begin, rest = page.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        before, after = f"{page.rstrip()}\n\n", "\n"
    return f"{before}{marks[0]}\n{text}\n{marks[1]}{after}"


def here(machine: dict[str, Any]) -> str:
    """What was measured on, in a line."""
    cards = [f"{card['name']} (driver {card['driver']}), " for card in machine["cards"]]
    return (
        f"Measured on: {machine['cpu']}, {machine['cores']} cores, {''.join(cards)}"
        f"{machine['system']}, Python {machine['python']}; "
        f"load average {machine['load_average']:.1f}."
    )
