"""The process that looks into networks: a question a line on stdin, an answer a line on stdout.

It ends when its stdin closes, or when nobody has asked for `IDLE_SECONDS`.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

import psutil

from cnnlab.insight.questions import QUESTION, packed, unpacked
from cnnlab.spec import LabError

log = logging.getLogger(__name__)

IDLE_SECONDS = 120.0


def serve(idle_seconds: float = IDLE_SECONDS) -> None:
    """Answer until nobody asks any more."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints goes to the log
    questions: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_listen, args=(questions,), name="insight-stdin", daemon=True).start()
    from cnnlab.insight.networks import answer  # the slow import, which somebody waits for

    yield_to_others()
    while line := _next(questions, idle_seconds):
        print(_reply(line, answer), file=out, flush=True)


def yield_to_others() -> None:
    """Take of the processor what nobody else wants."""
    me = psutil.Process()
    me.nice(psutil.IDLE_PRIORITY_CLASS if sys.platform == "win32" else 19)


def _listen(questions: queue.Queue[str | None]) -> None:
    for line in sys.stdin:
        questions.put(line)
    questions.put(None)


def _next(questions: queue.Queue[str | None], idle_seconds: float) -> str | None:
    try:
        return questions.get(timeout=idle_seconds)
    except queue.Empty:
        return None


def _reply(line: str, answer: Callable[..., dict[str, Any]]) -> str:
    """The line that answers a line; an error is an answer too, and the next question may work."""
    try:
        asked = unpacked(line)
        question = QUESTION.validate_python(asked.facts)
        return packed({}, answer(question, asked.arrays["input"]))
    except LabError as error:
        said = str(error)
    except Exception as error:  # the process boundary
        log.exception("a question could not be answered")
        said = f"The network could not be asked ({type(error).__name__}); the log says more."
    return packed({"error": said}, {})


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    serve()
