"""One full run of the Compare page with 200 runs of 20 epochs chosen: server time and what is sent.

Each time a new session, as a browser that opens the link: the page's script from its first line to
its last. Arm a is the page as it is, which reads the epochs of all runs at once and no steps; arm
b, the baseline, reads each run's card on its own before, as a page for one run does. The worker
process stays away.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from streamlit.testing.v1.element_tree import Block

from bench.history import card
from bench.measure import paired, save
from bench.opening import lab_with, opened
from cnnlab.ui import lab

RUNS, PAIRS = 200, 15
BUDGET_MS, BUDGET_BYTES = 1000.0, 1_000_000


class Visit:
    """One browser opens the link; each call gives the wall seconds of the page's script."""

    def __init__(self, run_ids: Sequence[str], *, one_by_one: bool) -> None:
        self.bytes = 0
        self._run_ids = run_ids
        self._one_by_one = one_by_one
        self._took = 0.0

    def _around(self, page: Callable[[], object]) -> None:
        began = time.perf_counter()
        if self._one_by_one:
            for run_id in self._run_ids:
                lab.history().card(run_id)
        page()
        self._took = time.perf_counter() - began

    def __call__(self) -> float:
        runs = len(self._run_ids)
        app = opened("compare", self._around, runs, runs=",".join(self._run_ids))
        self.bytes = sent(app.main)
        return self._took


def sent(block: Block) -> int:
    """Bytes of all elements within, as the browser gets them."""
    return sum(
        sent(child) if isinstance(child, Block) else child.proto.ByteSize()
        for child in block.children.values()
    )


def main() -> dict[str, Any]:
    """Measure, keep and return the result."""
    with lab_with([card(number) for number in range(RUNS)]) as run_ids:
        ours, singly = (Visit(run_ids, one_by_one=each) for each in (False, True))
        result = paired(ours, singly, PAIRS)
    result["name"] = f"The Compare page with {RUNS} runs of 20 epochs chosen"
    result["unit"] = "ms"
    for key in ("a", "b"):
        result[key] = {name: 1e3 * value for name, value in result[key].items()}
    result["arms"] = {"a": "the page as it is", "b": "each run's card read on its own before"}
    result["bytes"] = ours.bytes
    result["budget"] = {"ms": BUDGET_MS, "bytes": BUDGET_BYTES}
    result["notes"] = [f"The Compare page with {RUNS} runs sends {ours.bytes:,} bytes."]
    save("compare", result)
    return result


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
