"""What the lab's clocks cost a step: the callback that times and tells, against none.

Both arms are the training of an epoch (`bench.epochs`). The baseline's callback reads the clock at
its two ends and does nothing between. There are as many pairs as it takes until the median is known
to a fraction of the budget.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from typing import Any

from bench.epochs import epochs_of, held, of_each_work
from bench.measure import Rounds, median_interval, result_of, rounds
from bench.peers.contenders import Contender

BUDGET_SHARE = 0.005
KNOWN_TO_SHARE = 0.0015
"""Half the width that the interval of the median may have at the end."""
PAIRS_AT_ONCE, MOST_PAIRS = 20, 160
TELLING = Contender("the lab's callback", "bench.peers.told")


def known(found: Rounds) -> bool:
    """Whether the median of the cost is known well enough."""
    low, high = median_interval([each["a"] / each["b"] for each in found.kept])
    return high - low <= 2 * KNOWN_TO_SHARE


def settled(told: Callable[[], float], plain: Callable[[], float]) -> Rounds:
    """Pairs until the median is known, or there are `MOST_PAIRS`, kept or left out."""
    found = Rounds()
    while found.count < MOST_PAIRS and not (found.kept and known(found)):
        found.add(rounds({"a": told, "b": plain}, PAIRS_AT_ONCE))
    return found


def measured(name: str, device: str) -> dict[str, Any]:
    """Both arms at one work."""
    with epochs_of(name, device, TELLING) as (work, epoch, _):
        found = settled(lambda: epoch(told=True), lambda: epoch(told=False))
    return result_of(found) | {
        "unit": "ms",
        "arms": {"a": "with the lab's callback", "b": "with none"},
        "budget": {"share": BUDGET_SHARE},
        "notes": [note(work.title, [each["a"] / each["b"] - 1 for each in found.kept])],
    }


def note(title: str, longer: list[float]) -> str:
    """The cost in a sentence, and whether it keeps within its budget."""
    low, high = median_interval(longer)
    return (
        f"The lab's callback makes a step of {title} {statistics.median(longer):+.2%} longer "
        f"(95 % interval of the median {low:+.2%} to {high:+.2%}, {len(longer)} pairs; "
        f"budget {BUDGET_SHARE:.1%}: {held(low, high, BUDGET_SHARE)})."
    )


def main() -> list[dict[str, Any]]:
    """Measure, keep and return the results."""
    return of_each_work("callback", "Step of", measured)


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
