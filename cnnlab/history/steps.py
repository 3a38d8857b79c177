"""Between the steps of a run and their rows: windows as they came, or the packed ones of a card."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from typing import Any

from sqlalchemy import RowMapping

from cnnlab.spec import Steps, Window


def window_values(run_id: str, window: Window) -> dict[str, Any]:
    """The row of a window."""
    durations = struct.pack(f"<{len(window.step_ms)}d", *window.step_ms)
    return {"run_id": run_id, "step_ms": durations} | window.model_dump(exclude={"kind", "step_ms"})


def packed_steps(steps: Steps) -> bytes:
    """Columns of any form, exactly."""
    return zlib.compress(steps.model_dump_json().encode())


def unpacked_steps(columns: bytes) -> Steps:
    """What `packed_steps` packed."""
    return Steps.model_validate_json(zlib.decompress(columns))


def steps_from(windows: Iterable[RowMapping]) -> Steps:
    """Windows, in order, as columns of steps.

    What is read at a window's end (seconds, loss, accuracy) is null for the steps before it.
    """
    columns: dict[str, list[Any]] = {name: [] for name in Steps.model_fields}
    for window in windows:
        count = len(window["step_ms"]) // 8
        columns["step"].extend(range(window["first_step"], window["first_step"] + count))
        columns["epoch"].extend([window["epoch"]] * count)
        columns["ms"].extend(struct.unpack(f"<{count}d", window["step_ms"]))
        for name in ("seconds", "loss", "accuracy"):
            columns[name] += _at_its_end(window, name)
    # Not validated: these are this program's own numbers, and there may be very many.
    return Steps.model_construct(None, **{name: tuple(column) for name, column in columns.items()})


def memory_from(windows: Iterable[RowMapping]) -> dict[str, tuple[float | None, ...]]:
    """Windows, in order, as the memory of the process and of the device beside each step (MB)."""
    read = list(windows)
    return {
        name: tuple(value for window in read for value in _at_its_end(window, name))
        for name in ("rss_mb", "device_mb")
    }


def _at_its_end(window: RowMapping, name: str) -> list[float | None]:
    """What was read at a window's end, for each of its steps."""
    return [None] * (len(window["step_ms"]) // 8 - 1) + [window[name]]
