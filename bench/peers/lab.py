"""A recipe trained by the lab itself: `training.train` in a process like its worker's.

Nothing is left out: threads, allocator, the callback that times and tells, the watch over other
load. Between two epochs `emit` waits for the next order.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from bench.peers.answering import Line
from cnnlab import devices, training
from cnnlab.spec import EpochEnded, Event, parse_spec


def main() -> None:
    """Serve one recipe."""
    line = Line()
    spec = parse_spec(line.order()["spec"])
    devices.switch_off(spec.gpu_off)
    over = False

    with Path(os.devnull).open("w") as events:

        def emit(event: Event) -> None:
            nonlocal over
            print(event.model_dump_json(), file=events, flush=True)
            if isinstance(event, EpochEnded):
                over = not line.answer(event.row.step_ms_mean)

        training.train(spec, emit, lambda: over, launched_at=time.monotonic())


if __name__ == "__main__":
    main()
