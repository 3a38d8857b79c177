"""How long steps took: on the host, or in the stream of a device that runs behind it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch


class HostClock:
    """Times between marks on a device that runs with the host (the CPU)."""

    def __init__(self) -> None:
        self._marks: list[float] = []

    def mark(self) -> None:
        self._marks.append(time.perf_counter())

    def read(self) -> list[float]:
        """Milliseconds between the marks so far; the last mark begins the next reading."""
        times = [(b - a) * 1e3 for a, b in zip(self._marks, self._marks[1:], strict=False)]
        del self._marks[:-1]
        return times

    def restart(self) -> None:
        """Forget the marks, at the start of an epoch."""
        self._marks.clear()


class EventClock:
    """The same on a device that runs behind the host: events in its stream, read at window edges.

    Recording an event does not wait; `read` waits for the last one only.
    """

    def __init__(self, event: Callable[..., Any]) -> None:
        self._event = event
        self._marks: list[Any] = []

    def mark(self) -> None:
        event = self._event(enable_timing=True)
        event.record()
        self._marks.append(event)

    def read(self) -> list[float]:
        """Milliseconds between the marks so far; the last mark begins the next reading."""
        if self._marks:
            self._marks[-1].synchronize()
        pairs = zip(self._marks, self._marks[1:], strict=False)
        times = [first.elapsed_time(second) for first, second in pairs]
        del self._marks[:-1]
        return times

    def restart(self) -> None:
        """Forget the marks, at the start of an epoch."""
        self._marks.clear()


Clock = HostClock | EventClock


def clock_for(device: str) -> Clock:
    """The clock that fits a device: "cpu", "cuda:0", "mps" …"""
    match device.split(":")[0]:
        case "cuda":
            return EventClock(torch.cuda.Event)
        case "mps":
            return EventClock(torch.mps.Event)
        case "xpu":
            return EventClock(torch.xpu.Event)
    return HostClock()
