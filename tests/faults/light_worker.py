"""A training process that only talks: what is tested with it is the lab around it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable

from cnnlab.spec import Event

TALK = """
import sys, time
pause, hello, *run = sys.argv[1:-1]
print(hello, flush=True)
input()
for line in run:
    time.sleep(float(pause))
    print(line, flush=True)
"""


def talking(events: Iterable[Event], pause_seconds: float = 0.0) -> tuple[str, ...]:
    """The command of a `Worker` that says hello and, asked for any run, tells of these events."""
    hello = json.dumps({"kind": "hello", "hardware": {}})
    lines = (event.model_dump_json() for event in events)
    return (sys.executable, "-S", "-c", TALK, str(pause_seconds), hello, *lines)
