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

    Recording an event does not wait; `read` waits for the last one only. An event is recorded on
    torch's current device, see `cnnlab.training.run.on`.
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


class WaitingClock:
    """The same behind the host where events are not to be relied on: the host's clock, read once
    the device has caught up, at window edges. Every step of a window has the window's mean.

    In torch 2.13 an event of MPS that was waited for may hang when it is asked for its time, and
    its time is that at which a thread of the host heard of it (pytorch#162872).
    """

    def __init__(self, catch_up: Callable[[], None]) -> None:
        self._catch_up = catch_up
        self._edge: float | None = None
        self._steps = 0

    def mark(self) -> None:
        if self._edge is None:
            self._catch_up()  # with what came before the epoch
            self._edge = time.perf_counter()
        else:
            self._steps += 1

    def read(self) -> list[float]:
        """Milliseconds of each step so far, all alike; the last mark begins the next reading."""
        if self._edge is None or not self._steps:
            return []
        self._catch_up()
        now = time.perf_counter()
        times = [(now - self._edge) * 1e3 / self._steps] * self._steps
        self._edge, self._steps = now, 0
        return times

    def restart(self) -> None:
        """Forget the marks, at the start of an epoch."""
        self._edge, self._steps = None, 0


Clock = HostClock | EventClock | WaitingClock


def clock_for(device: str) -> Clock:
    """The clock that fits a device: "cpu", "cuda:0", "mps" …"""
    match device.split(":")[0]:
        case "cuda":
            return EventClock(torch.cuda.Event)
        case "mps":
            return WaitingClock(torch.mps.synchronize)
        case "xpu":
            return EventClock(torch.xpu.Event)
    return HostClock()
