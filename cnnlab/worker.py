"""The training process: one run, told by JSON lines on stdin, answered by JSON lines on stdout.

The runner starts it early, so that a run need not wait for the imports of torch and Keras. It says
hello with the hardware, waits for a job, trains, and ends. When its stdin closes, the lab is gone
and so is any reason to go on.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from typing import IO

from cnnlab import devices
from cnnlab.spec import Event, GpuOff, RunEnded, Status, parse_spec

log = logging.getLogger(__name__)


def serve(gpu_off: GpuOff) -> None:
    """Serve one run over this process's stdin and stdout.

    Args:
        gpu_off: the off-switch to throw before torch and Keras are imported.
    """
    out = _take_stdout()
    devices.switch_off(gpu_off)
    from cnnlab import training  # the slow import, done while nobody waits

    hardware = devices.describe().model_dump(mode="json")
    print(json.dumps({"kind": "hello", "hardware": hardware}), file=out, flush=True)
    line = sys.stdin.readline()
    if not line:
        return
    job = json.loads(line)
    stop = threading.Event()
    threading.Thread(target=_listen, args=(stop,), name="cnnlab-stdin", daemon=True).start()

    def emit(event: Event) -> None:
        print(event.model_dump_json(), file=out, flush=True)

    try:
        spec = parse_spec(job["spec"])
        training.train(spec, emit, stop.is_set, launched_at=job["launched_at"])
    except Exception as error:  # the process boundary: all that is left is to tell the lab
        log.exception("run %s failed", job["run_id"])
        emit(RunEnded(status=Status.FAILED, error=training.explain(error)))


def _take_stdout() -> IO[str]:
    """Keep stdout for events: whatever a library prints goes to stderr, the log."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def _listen(stop: threading.Event) -> None:
    for line in sys.stdin:
        if line.strip() == "stop":
            stop.set()
    os._exit(1)
