"""The worker process that is kept ready on a machine, so that no run waits for imports."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from cnnlab.runner.process import Process, hello_of
from cnnlab.spec import GpuOff

log = logging.getLogger(__name__)


class Workers:
    """Starts workers, one at a time, and keeps what the first one found on its machine."""

    def __init__(self, start: Callable[[GpuOff], Process], changed: threading.Condition) -> None:
        """
        Args:
            start: makes a worker with a way to switch the GPU off.
            changed: the lab's, which guards what is kept here as well.
        """
        self._start_one, self._changed = start, changed
        self._closing = False
        self.current: Process | None = None
        self.hardware: dict[str, Any] | None = None

    def another(self) -> Workers:
        """One more process at a time, on the same machine; none where this one is closed. Whoever
        calls it has the lab's condition."""
        other = Workers(self._start_one, self._changed)
        other._closing = self._closing
        return other

    def close(self) -> None:
        """Start no more, and end the one that there is at once."""
        with self._changed:
            self._closing = True
            if self.current:
                self.current.kill()

    def warm(self) -> None:
        """Start the next run's worker and wait until it has imported what it needs."""
        try:
            worker = self._start("none")
            if worker:
                self._greet(worker)
        except Exception:
            # The next run starts a worker of its own, and says what is wrong where that fails too.
            log.exception("no worker could be started ahead")
            self.drop()

    def worker_for(self, gpu_off: GpuOff) -> Process | None:
        """One that has said hello; None where the lab closes.

        Raises:
            LabError: the machine has none to give, and why.
        """
        # Naming the device in the call needs no special process; the other two ways do.
        wanted: GpuOff = "none" if gpu_off == "device" else gpu_off
        worker = self.current
        if worker and worker.alive and worker.gpu_off == wanted:
            return worker
        self.drop()
        worker = self._start(wanted)
        if worker:
            self._greet(worker)
        return worker

    def give_away(self) -> Process | None:
        """One whose end is another's to see to: a sweep keeps it for all its cells."""
        worker = self.worker_for("none")
        self.let_go()
        return worker

    def let_go(self) -> None:
        """Keep it no more; its end is seen to elsewhere."""
        with self._changed:
            self.current = None

    def drop(self) -> None:
        """End the one that there is, in order."""
        with self._changed:
            worker, self.current = self.current, None
        if worker:
            worker.close()

    def _start(self, gpu_off: GpuOff) -> Process | None:
        with self._changed:
            if self._closing:
                return None
            self.current = self._start_one(gpu_off)
            return self.current

    def _greet(self, worker: Process) -> None:
        hello = hello_of(worker)
        if hello is None:
            return
        with self._changed:
            # The first hello: a worker whose GPU is switched off would not see it.
            self.hardware = self.hardware or hello["hardware"]
            self._changed.notify_all()
