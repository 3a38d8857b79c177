"""The process that looks into networks, as pages see it: started on demand, asked one at a time."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import numpy as np

from cnnlab.insight.questions import Answer, Question, packed, unpacked
from cnnlab.spec import LabError

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 15.0
"""How long who asks waits for those who asked before."""
START_SECONDS, ANSWER_SECONDS = 120.0, 60.0
"""To load what it computes with; and from here on an answer will not come: the process is ended."""
# One thread, and no accelerator: a card's memory is the training's.
ENVIRONMENT = {
    "KERAS_BACKEND": "torch",
    "KERAS_TORCH_DEVICE": "cpu",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


class Insight:
    """Answers questions about trained networks."""

    def __init__(
        self,
        environment: Mapping[str, str],
        undisturbing: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """
        Args:
            environment: variables of the process beside its own, such as those that hide a card.
            undisturbing: entered while the process computes; raises a `LabError` where that would
                disturb something.
        """
        self._undisturbing = undisturbing
        self._environment = {**os.environ, **environment, **ENVIRONMENT}
        self._turn = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def answer(self, question: Question, input_: np.ndarray) -> Answer:
        """What the process says, which is started if there is none.

        Args:
            input_: what the network is to see, see the question.

        Raises:
            LabError: it would disturb something, others wait already, the network cannot be had,
                or the process failed.
        """
        line = packed(question.model_dump(mode="json"), {"input": input_})
        if not self._turn.acquire(timeout=PATIENCE_SECONDS):
            raise LabError("Many are looking into networks right now; try again in a moment.")
        try:
            with self._undisturbing():
                found = unpacked(self._answered(line))
        finally:
            self._turn.release()
        if said := found.facts.get("error"):
            raise LabError(said)
        return found

    def end(self) -> None:
        """End the process, if there is one."""
        if process := self._process:
            process.kill()
            process.wait()

    def _answered(self, line: str) -> str:
        # It may have ended for want of questions just as this one came: then another is asked.
        old = self._process is not None
        reply = self._exchanged(line) or (self._exchanged(line) if old else "")
        if not reply:
            raise LabError(
                "The process that looks into networks ended without an answer; its log says more. "
                "Try again."
            )
        return reply

    def _exchanged(self, line: str) -> str:
        """What the process replies; empty where it ended instead."""
        seconds = ANSWER_SECONDS if self._process else START_SECONDS + ANSWER_SECONDS
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        too_late = threading.Timer(seconds, process.kill)
        too_late.start()
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
            reply = process.stdout.readline()
        except OSError:
            reply = ""  # it has just ended
        finally:
            too_late.cancel()
        if not reply.endswith("\n"):
            self._bury(process)
            return ""
        return reply

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cnnlab.insight"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                env=self._environment,
                start_new_session=True,  # Ctrl-C in the terminal is the lab's to handle
            )
        return self._process

    def _bury(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        log.info("the process that looks into networks ended with code %d", process.wait())
        for pipe in (process.stdin, process.stdout):
            try:
                if pipe:
                    pipe.close()
            except OSError:
                pass  # what it was asked last stands in the pipe, and nobody reads it
        self._process = None
