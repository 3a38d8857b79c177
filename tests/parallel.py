"""How the suite is dealt out to several processes (`pytest -n 2`)."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

TOGETHER = "tests/cluster/"
"""One process for the whole room: its nodes take half a minute to start, and most of the memory."""


class Rooms(LoadFileScheduling):
    """The tests of a file go to one process, as what they share is made once for a file."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        """In the order of the tree: browsers and clusters, which take longest, come early."""
        config.option.loadscopereorder = False  # which would begin with the file of most tests
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER if nodeid.startswith(TOGETHER) else super()._split_scope(nodeid)
