"""What tests of the runner share: a history of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cnnlab.history import History


@pytest.fixture
def history(home: Path) -> Iterator[History]:
    history = History()
    yield history
    history.close()
