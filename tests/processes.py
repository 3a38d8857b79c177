"""The processes that a test's own lab has started, and no server that other tests share."""

from __future__ import annotations

import psutil


class Started:
    """The children of this process that were not there when this was made."""

    def __init__(self) -> None:
        self._before = set(psutil.Process().children())

    def __call__(self) -> list[psutil.Process]:
        return [child for child in psutil.Process().children() if child not in self._before]
