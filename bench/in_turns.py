"""Two runs that take turns of some tenths of a second: one of the lab on a node, and one of the
command line beside it. A machine changes within seconds by more than a cluster costs; runs in turns
meet the same of it, epoch by epoch, as the lanes of a race do.

As a program, `python -m bench.in_turns train --spec FILE --json` is `python -m cnnlab train …` but
for that: a line on stdout hands the machine over, one on stdin gives it back. Linux only.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import psutil

from bench.measure import ROOT, NoFigure
from cnnlab.devices import worker_environment
from cnnlab.runner.baton import Baton, Holding
from cnnlab.runner.process import Process
from cnnlab.runner.race_job import TURN_SECONDS
from cnnlab.spec import Event, GpuOff, PhaseChanged, RunCard

LAB, COMMAND = range(2)
"""Whose turn comes first."""
HOLDING = PhaseChanged(phase="holding").model_dump_json() + "\n"
CORES = tuple(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else ()
"""That may be used here; elsewhere than on Linux nothing can be confined to some of them."""


def apart(cores_of_the_rest: int) -> None:
    """Let all that is not to train, this process and what it started, run on the last cores alone:
    on a computer of their own they would take none from who trains."""
    keep_to(CORES[-cores_of_the_rest:], _started())


def together() -> None:
    """Let all of that run anywhere again."""
    keep_to(CORES, _started())


def keep_to(cores: Sequence[int], processes: Iterable[psutil.Process]) -> None:
    """Let all threads of some processes run on some cores."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            for thread in process.threads():
                with contextlib.suppress(ProcessLookupError):
                    os.sched_setaffinity(thread.id, cores)


def _started() -> list[psutil.Process]:
    here = psutil.Process()
    return [here, *here.children(recursive=True)]


def _workers() -> Iterator[psutil.Process]:
    for process in _started():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "cnnlab.worker" in process.cmdline():
                yield process


class Turns(Baton):
    """Whose turn it is; who has come to its first step runs on all cores from there on."""

    def __init__(self) -> None:
        super().__init__(2)
        self._free: set[int] = set()

    def held_by(self, number: int, run: Holding, processes: Iterable[psutil.Process]) -> None:
        """A run has come to its first step, or its turn is over.

        Args:
            processes: in which it trains.
        """
        if number not in self._free:
            self._free.add(number)
            keep_to(CORES, processes)
        self.held(number, run)


class OnNode:
    """A training process of the lab that is handed its turns here, where there are any: to the lab
    its run is alone on its machine."""

    def __init__(self, process: Process, baton: Callable[[], Turns | None]) -> None:
        """
        Args:
            baton: asked for with each order; null: the run takes no turns.
        """
        self._process, self._ask = process, baton
        self._baton: Turns | None = None

    @property
    def gpu_off(self) -> GpuOff:
        return self._process.gpu_off

    @property
    def alive(self) -> bool:
        return self._process.alive

    def send(self, line: str) -> None:
        """Pass on an order, with its turns, but no turn that the lab has to give."""
        if line.startswith("{") and (baton := self._ask()):
            self._baton = baton
            line = json.dumps(json.loads(line) | {"turn_seconds": TURN_SECONDS})
        if line != "go":
            self._process.send(line)

    def line(self) -> str:
        """The next that it says; it may be that its turn is over."""
        line = self._process.line()
        if line == HOLDING and self._baton:
            self._baton.held_by(LAB, self._process, _workers())
        return line

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> int:
        try:
            return self._process.close()
        finally:
            if self._baton:
                self._baton.over(LAB)


class Command:
    """The same on the command line."""

    def __init__(self, spec: Path, home: Path, baton: Turns) -> None:
        """
        Args:
            spec: its file.
            home: where it keeps its run.
        """
        self._baton, self._log = baton, spec.with_suffix(".log")
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.in_turns", "train", "--spec", str(spec), "--json"],
                cwd=ROOT,
                env={**os.environ, "CNNLAB_HOME": str(home)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def send(self, line: str) -> None:
        """Its turn."""
        assert self._process.stdin
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def card(self) -> RunCard:
        """Its run, once that is over.

        Raises:
            NoFigure: it failed.
        """
        said: list[str] = []
        with self._process as process:
            assert process.stdout
            for line in process.stdout:
                if line == HOLDING:
                    self._baton.held_by(COMMAND, self, [psutil.Process(process.pid)])
                else:
                    said.append(line)
        self._baton.over(COMMAND)
        if process.returncode:
            raise NoFigure(f"The command line failed: {self._log.read_text()}")
        return RunCard.model_validate_json("".join(said))


def train() -> None:
    """The command line, in turns."""
    os.environ.update(worker_environment("none"))  # before torch is imported, as there
    from cnnlab import training
    from cnnlab.__main__ import main as command_line

    out = sys.stdout

    def hold(_: Event) -> None:
        print(HOLDING, end="", file=out, flush=True)

    def turn() -> None:
        if not sys.stdin.readline():
            sys.exit("Whoever handed out the turns is gone.")

    turns = training.Turns(TURN_SECONDS, hold, turn)
    training.train = partial(training.train, turns=turns)
    command_line()


if __name__ == "__main__":
    train()
