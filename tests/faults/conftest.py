"""What the tests of faults share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cnnlab.history import History


@pytest.fixture
def history(home: Path) -> Iterator[History]:
    with closing(History()) as history:
        yield history
