"""The processes that the lab starts: workers, and probes of what a fresh process sees."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from cnnlab.spec import EVENT, HERE, Event, GpuOff, LabError

log = logging.getLogger(__name__)

# A worker polls its stop flag between batches. One that has not come to an end by then hangs in
# something that no flag reaches (a download's socket, a driver), and is killed.
STOP_PATIENCE_SECONDS = 10.0


class Process(Protocol):
    """What is asked of a worker process; `Worker` is one."""

    @property
    def gpu_off(self) -> GpuOff: ...
    @property
    def alive(self) -> bool: ...
    def send(self, line: str) -> None: ...
    def line(self) -> str: ...
    def kill(self) -> None: ...
    def close(self) -> int: ...


class Worker:
    """A process that will serve one run; see `cnnlab.worker`."""

    COMMAND: ClassVar[tuple[str, ...]] = (sys.executable, "-m", "cnnlab.worker")

    def __init__(
        self,
        gpu_off: GpuOff,
        environment: Mapping[str, str],
        command: Sequence[str] | None = None,
        end: Callable[[subprocess.Popen[str]], None] = subprocess.Popen.kill,
    ) -> None:
        """
        Args:
            command: what is started instead of `COMMAND`, and speaks as it does.
            end: how it is ended at once.
        """
        self.gpu_off = gpu_off
        self._end = end
        self._process = subprocess.Popen(
            [*(command or self.COMMAND), gpu_off],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, **environment, "KERAS_BACKEND": "torch"},
            # Ctrl-C in the terminal is the lab's to handle: it ends its worker by closing stdin.
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def send(self, line: str) -> None:
        """Write one line; a worker that is gone is found out by `lines` ending."""
        try:
            self._stdin.write(line + "\n")
            self._stdin.flush()
        except (BrokenPipeError, ValueError, OSError):
            log.warning("worker %d is gone", self.pid)

    def line(self) -> str:
        """The next line, or "" when the worker is done."""
        return self._stdout.readline()

    def kill(self) -> None:
        """End it at once."""
        self._end(self._process)

    def close(self, patience_seconds: float = 5.0) -> int:
        """Let it end, or make it; the exit code, negative for a signal."""
        try:
            self._stdin.close()
        except BrokenPipeError:
            pass  # it ended before it read everything
        try:
            code = self._process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait()
        self._stdout.close()
        return code


Elsewhere = Callable[[str, GpuOff], Process]
"""Starts a training process on the machine of that name, with a way to switch its GPU off."""


class Starter:
    """Starts training processes: here, or on another machine where there is one."""

    def __init__(
        self, environments: Mapping[GpuOff, Mapping[str, str]], elsewhere: Elsewhere | None
    ) -> None:
        """
        Args:
            environments: environment variables of a worker for each way to switch the GPU off.
            elsewhere: null: there are no other machines.
        """
        self._environments, self.elsewhere = environments, elsewhere

    def check(self, machine: str) -> None:
        """
        Raises:
            LabError: this lab cannot know the machine.
        """
        if machine != HERE and self.elsewhere is None:
            raise LabError(
                f"This lab knows no machine {machine}: name its cluster in CNNLAB_CLUSTER, or "
                "choose the machine here."
            )

    def __call__(self, machine: str, gpu_off: GpuOff) -> Process:
        """A training process that will say hello.

        Raises:
            LabError: as `check`.
        """
        self.check(machine)
        if machine == HERE or self.elsewhere is None:
            return Worker(gpu_off, self._environments[gpu_off])
        return self.elsewhere(machine, gpu_off)


def hello_of(worker: Process) -> dict[str, Any] | None:
    """What a worker says of its machine once all is imported; None where it died before.

    Raises:
        LabError: the machine has no worker to give, and why.
    """
    line = worker.line()
    if not line:
        return None
    hello: dict[str, Any] = json.loads(line)
    if hello["kind"] == "refused":
        raise LabError(hello["error"])
    return hello


class Stopping:
    """The wish that a worker break off what it does, and the patience with it."""

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None

    def ask(self, worker: Process) -> None:
        """Tell it, once, and kill it if it has not come to an end in time."""
        if self._timer is None:
            worker.send("stop")
            self._timer = threading.Timer(STOP_PATIENCE_SECONDS, worker.kill)
            self._timer.daemon = True
            self._timer.start()

    def over(self) -> None:
        """It has come to an end."""
        if self._timer:
            self._timer.cancel()
            self._timer = None


def events_of(worker: Process) -> Iterator[Event]:
    """What a worker says, until it is gone."""
    for line in iter(worker.line, ""):
        if not line.endswith("\n"):
            break  # it died in the middle of a word
        yield EVENT.validate_json(line)


def why_it_died(code: int, machine: str = HERE) -> str:
    """One sentence for a training process that ended without a word.

    Args:
        code: its exit code, negative for a signal.
        machine: where it trained; the process here of one elsewhere carries its words.
    """
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    if machine != HERE:
        return (
            f"The process here that speaks with {machine} ended without a word ({how}); the lab's "
            "log says more. Start again."
        )
    if code == -9:
        return (
            "The training process was killed from outside, most often because the computer ran "
            "out of memory: use a smaller batch, fewer pictures or filters, and start again."
        )
    return f"The training process ended without a word ({how}); its log says more. Start again."


PROBE_SECONDS = 60.0


def probe(gpu_off: GpuOff, environment: Mapping[str, str]) -> dict[str, Any]:
    """What torch and Keras see in a fresh process with an off-switch thrown.

    Raises:
        LabError: the process failed, or took longer than `PROBE_SECONDS`.
    """
    command = [sys.executable, "-m", "cnnlab", "probe", "--gpu-off", gpu_off]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
            timeout=PROBE_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        log.warning("the probe failed: %s", error.stderr)
        raise LabError("The process that was to look failed; the log says why.") from error
    except subprocess.TimeoutExpired as error:
        raise LabError("The process that was to look did not answer; try again.") from error
    return json.loads(done.stdout)
