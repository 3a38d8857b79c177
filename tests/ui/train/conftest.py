"""A lab with a played training process, and the Train page on it.

The process says hello and then trains until it is told to end, so that nothing here waits for
torch.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from cnnlab.runner import process as runner
from cnnlab.ui import lab
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[3]
HARDWARE = {
    "cpu": {
        "name": "Test CPU",
        "physical_cores": 4,
        "logical_cores": 8,
        "usable_cores": 8.0,
        "instruction_sets": [],
        "memory_mb": 16_000.0,
    },
    "accelerators": [{"key": "cuda:0", "name": "Test GPU", "kind": "cuda"}],
    "versions": {},
    "platform": "test",
}


class PlayedWorker:
    """Says hello; then its run goes on until it is asked to stop or killed."""

    def __init__(self, gpu_off, environment) -> None:
        self.gpu_off, self.alive, self.pid = gpu_off, True, 0
        self._greeted = False
        self._over = threading.Event()

    def line(self) -> str:
        if not self._greeted:
            self._greeted = True
            return json.dumps({"kind": "hello", "hardware": HARDWARE})
        self._over.wait()
        return ""

    def send(self, line: str) -> None:
        if line == "stop":
            self._over.set()

    def kill(self) -> None:
        self.alive = False
        self._over.set()

    def close(self, patience_seconds: float = 5.0) -> int:
        self.kill()
        return 0


@pytest.fixture
def the_lab(monkeypatch):
    """A lab with a played worker, which has looked for the devices already."""
    monkeypatch.setattr(runner, "Worker", PlayedWorker)
    found = lab.lab()
    with found._changed:
        assert found._changed.wait_for(lambda: found.hardware() is not None, PATIENCE_SECONDS)
    return found


@pytest.fixture
def page(the_lab):
    """Open the page under a link."""

    def open_page(**parameters: str) -> AppTest:
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
        for name, value in parameters.items():
            at.query_params[name] = value
        at.run()
        assert not at.exception
        return at

    return open_page
