"""The table that BENCHMARKS.md leads with: work by contender."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.page import here
from bench.peers.contenders import CONTENDERS
from cnnlab import words


def row(result: dict[str, Any], columns: Sequence[str]) -> str:
    """One work: ms of a step by contender, the best of them in bold.

    Args:
        columns: keys of the contenders that have one.
    """
    if refused := result.get("refused"):
        return f"| {result['title']} |{' - |' * len(columns)} not measured | - | {refused} |"
    steps = result["step_ms"]
    least = min(steps, key=lambda name: steps[name]["median"])
    cells = [_cell(steps.get(name), name == least) for name in columns]
    ratio = {key: f"{value:.2f}" for key, value in result["fast_over_best"].items()}
    spread = f"{ratio['median']} ({ratio['quartile_low']} to {ratio['quartile_high']})"
    counted = f"{len(result['rounds']['fast'])} | {result['left_out']}"
    return f"| {result['title']} | {' | '.join(cells)} | {spread} | {counted} |"


def _cell(step_ms: dict[str, float] | None, best: bool) -> str:
    if step_ms is None:
        return "-"
    said = words.number(step_ms["median"])
    return f"**{said}**" if best else said


def with_figures(results: Sequence[dict[str, Any]]) -> list[str]:
    """Keys of the contenders that have a figure in any work, in their own order."""
    measured = {name for result in results for name in result.get("step_ms", {})}
    return [name for name in CONTENDERS if name in measured]


def table(results: Sequence[dict[str, Any]]) -> str:
    """All works, below the machine they were measured on, and why cells are empty.

    A contender that has no figure in any work has no column; beneath is said why.
    """
    columns = with_figures(results)
    titles = [CONTENDERS[name].title for name in columns]
    head = ["work, ms a step", *titles, "`fast` / best of the others", "rounds", "left out"]
    lines = [here(results[-1]["machine"]), "", f"| {' | '.join(head)} |"]
    lines += ["|---" * len(head) + "|", *(row(result, columns) for result in results)]
    reasons: dict[str, list[str]] = {}
    for result in results:
        for name, why in result["absent"].items():
            reasons.setdefault(f"{CONTENDERS[name].title}: {why}.", []).append(result["title"])
    for why, where in reasons.items():
        lines += ["", f"{why} ({'; '.join(where)})"]
    days = sorted({result["measured_at"][:10] for result in results})
    return "\n".join([*lines, "", f"Measured on {' and '.join(days)}."])
