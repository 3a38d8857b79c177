"""Who is held against whom: each contender is a process of its own, started as the lab starts the
one that trains.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

from bench.measure import ROOT, NoFigure
from bench.peers.works import Work
from cnnlab.devices import worker_environment
from cnnlab.spec import change

HERE = Path(__file__).parent
RAISED = re.compile(r"^[\w.]+(?:Error|Exception|Unsupported|Failed): .*$", re.MULTILINE)
"""The last line of a traceback, as Python prints it, or its first where it goes on."""
START_SECONDS = 240.0
"""Imports, compilation and the tries of settings take a minute at worst on a quiet machine."""
EPOCH_SECONDS = 120.0
"""An epoch takes about one."""
END_SECONDS = 10.0


class Unable(NoFigure):
    """A contender cannot do a work; says why."""


@dataclass(frozen=True)
class Contender:
    """One way to train a recipe."""

    title: str
    module: str
    """What its process runs."""
    python: Path = Path(sys.executable)
    environment: Mapping[str, str] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Of the spec."""
    way: Literal["plain", "compiled", "graph"] = "plain"
    """How torch by hand takes a step: call by call, compiled whole, or replayed as a graph."""
    cpu_only: bool = False

    def refusal(self, work: Work, device: str) -> str | None:
        """Why it has no part in a work; null where it does."""
        if not self.python.exists():
            return "it is not installed: `make bench-peers` does that"
        if self.cpu_only and device != "cpu":
            return "its packages are those for a CPU"
        if self.way == "graph" and not device.startswith("cuda"):
            return "a graph is recorded on a card alone"
        if self.way == "compiled" and work.spec.model.family == "rnn":
            return "torch.compile leaves recurrent layers out, so the step is not whole"
        return None


def _peer(backend: str, title: str) -> Contender:
    place = HERE / f".venv-{backend}"
    scripts = "Scripts" if os.name == "nt" else "bin"
    return Contender(
        title,
        "bench.peers.keras_fit",
        place / scripts / "python",
        {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "2"},
        cpu_only=True,
    )


CONTENDERS: dict[str, Contender] = {
    "fast": Contender("lab, `fast`", "bench.peers.lab"),
    "stock": Contender("lab, `stock`", "bench.peers.lab", changes={"engine": "stock"}),
    "torch": Contender("torch by hand", "bench.peers.by_hand"),
    "torch_compiled": Contender(
        "torch by hand, whole step compiled", "bench.peers.by_hand", way="compiled"
    ),
    "torch_graph": Contender("torch by hand, as a CUDA graph", "bench.peers.by_hand", way="graph"),
    "tensorflow": _peer("tensorflow", "Keras on TensorFlow"),
    "jax": _peer("jax", "Keras on JAX"),
}


class Running:
    """A contender at a work: each call is one epoch, and gives the milliseconds of its steps."""

    def __init__(self, contender: Contender, work: Work, file: Path, device: str, log: IO) -> None:
        self.title, self._log = contender.title, log
        spec = change(work.on(file, device), **contender.changes)
        self._process = subprocess.Popen(
            [contender.python, "-m", contender.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=ROOT,
            env=os.environ
            | worker_environment(spec.gpu_off)
            | {"KERAS_BACKEND": "torch", "CNNLAB_HOME": str(home_beside(file))}
            | dict(contender.environment),
        )
        self._send(
            spec=spec.model_dump(mode="json"),
            data=str(file),
            device=device,
            steps=work.steps,
            way=contender.way,
        )

    def _send(self, **order: Any) -> None:
        assert self._process.stdin
        print(json.dumps(order), file=self._process.stdin, flush=True)

    def _answer(self, within_seconds: float) -> float:
        """
        Raises:
            Unable: it failed, or took longer.
        """
        assert self._process.stdout
        late = threading.Event()
        patience = threading.Timer(within_seconds, self._end, (late,))
        patience.start()
        line = self._process.stdout.readline()
        patience.cancel()
        if not line and late.is_set():
            raise Unable(f"it did not answer within {within_seconds:.0f} s")
        if not line:
            self._log.seek(0)
            said = RAISED.findall(self._log.read().decode(errors="replace"))
            raise Unable(f"its process ended: {said[-1] if said else 'without a word'}")
        return json.loads(line)["step_ms"]

    def _end(self, late: threading.Event) -> None:
        late.set()
        self._process.kill()

    def warm(self) -> None:
        """Wait until it stands and has been through an epoch.

        Raises:
            Unable: it failed, or took longer than `START_SECONDS`.
        """
        self._answer(START_SECONDS)

    def __call__(self, **order: Any) -> float:
        self._send(epoch=True, **order)
        return self._answer(EPOCH_SECONDS)

    def close(self) -> None:
        """Let it end, or make it."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):  # it ended before it read everything
            self._process.stdin.close()  # that tells it to end
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def home_beside(file: Path) -> Path:
    """Where a contender's lab keeps its state, beside what it trains on."""
    return file.parent / "home"


@contextmanager
def started(contender: Contender, work: Work, file: Path, device: str) -> Iterator[Running]:
    """A contender at a work, to be warmed.

    Raises:
        Unable: it has no part in it.
    """
    if reason := contender.refusal(work, device):
        raise Unable(reason)
    with tempfile.TemporaryFile() as log:
        found = Running(contender, work, file, device, log)
        try:
            yield found
        finally:
            found.close()


@contextmanager
def running(contender: Contender, work: Work, file: Path, device: str) -> Iterator[Running]:
    """A contender at a work, warm.

    Raises:
        Unable: it has no part in it, it failed, or it took too long.
    """
    with started(contender, work, file, device) as found:
        found.warm()
        yield found
