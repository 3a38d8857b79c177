"""The child's end of a contender: what it is to do comes in on stdin, what it took goes out on
stdout, as JSON lines.

Only what every environment has is imported here: a peer's knows nothing of the lab's.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any


class Line:
    """The two ends of the line to the bench."""

    def __init__(self) -> None:
        # Whatever a library prints goes to stderr: stdout is for answers.
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def order(self) -> dict[str, Any]:
        """The next order; empty where the bench is done with this process."""
        return json.loads(sys.stdin.readline() or "{}")

    def answer(self, step_ms: float) -> dict[str, Any]:
        """Say what an epoch's steps took (ms), and wait for the order of another."""
        print(json.dumps({"step_ms": step_ms}), file=self._out, flush=True)
        return self.order()


def serve(prepare: Callable[[dict[str, Any]], Callable[[], float]]) -> None:
    """Prepare what the first order wants, then time an epoch for each further one."""
    line = Line()
    epoch = prepare(line.order())
    while line.answer(epoch()):
        pass
