"""How long tests wait for what comes to pass: as long as a slow machine with other work takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE_SECONDS = 300.0
"""For one thing; who waits goes on as soon as it has come to pass."""


def until(true: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for something to come to pass."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came to pass"
        time.sleep(0.02)
