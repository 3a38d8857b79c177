"""What held this process's own threads up: waiting for a core, a quota that is used up, heat.

Linux counts for every thread how long it was ready to run and waited for a core (`schedstat`,
kernel documentation, "Scheduler Statistics"): what other processes do on other cores is not in it,
and three intruders on our four cores are. It counts for every control group how long its quota
kept it from running (`cpu.stat`), and on Intel's chips how long cores and packages were slowed
down against heat (`thermal_throttle`).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cnnlab.devices.cpu import PROC, cgroup_folders, text_of

CPUS = Path("/sys/devices/system/cpu")
BUSY_SHARE = 0.05
"""A thread that computes for less of what the busiest does is none that a step waits for."""
LONGEST_LINE = 96


class Times(NamedTuple):
    """Of a thread so far, in nanoseconds."""

    ran: int = 0
    waited: int = 0
    """It was ready to run and had no core."""

    def __sub__(self, before: Times) -> Times:
        return Times(self.ran - before.ran, self.waited - before.waited)


class Waits:
    """Seconds in which threads of this process were ready to run and had no core, added up.

    `look`, from a thread that watches, goes over all threads, some microseconds each. `quick`, from
    the thread that trains, goes over those that were found computing, as often as a step ends.
    """

    def __init__(self) -> None:
        self.seconds: float | None = 0.0
        """All waiting up to the last look; null where the system does not tell."""
        self._seen: dict[int, Times] = {}
        self._busy: frozenset[int] = frozenset()
        self._files: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self.look()

    def look(self) -> None:
        """Add what all threads waited since the last look, and note which of them compute."""
        now = thread_times()
        if self.seconds is None or not now:
            self.seconds = None
            return
        spans = {tid: times - self._seen.get(tid, Times()) for tid, times in now.items()}
        if self._seen:
            self.seconds += sum(span.waited for span in spans.values()) / 1e9
        most = max(span.ran for span in spans.values())
        self._busy |= {tid for tid, span in spans.items() if span.ran > BUSY_SHARE * most}
        self._seen = now

    def quick(self) -> float | None:
        """Seconds that the computing threads waited since the last call; null where not known."""
        if self.seconds is None:
            return None
        for tid in self._busy - self._files.keys():
            self._open(tid)
        return sum(self._newly_waited(tid) for tid in list(self._files)) / 1e9

    def close(self) -> None:
        """Let the files go."""
        for tid in list(self._files):
            self._close(tid)

    def _open(self, tid: int) -> None:
        try:
            self._files[tid] = os.open(_schedstat(tid), os.O_RDONLY)
        except OSError:  # it has ended
            self._busy -= {tid}
        else:
            self._last[tid] = 0
            self._newly_waited(tid)

    def _newly_waited(self, tid: int) -> int:
        """Nanoseconds since the thread was last asked for."""
        before = self._last[tid]
        try:
            self._last[tid] = _parsed(os.pread(self._files[tid], LONGEST_LINE, 0)).waited
        except OSError:  # it has ended
            self._close(tid)
            return 0
        return self._last[tid] - before

    def _close(self, tid: int) -> None:
        self._busy -= {tid}
        os.close(self._files.pop(tid))


def _schedstat(tid: int, process: int | None = None) -> Path:
    return PROC / f"{process or 'self'}/task/{tid}/schedstat"


def _parsed(line: bytes) -> Times:
    ran, waited, _ = line.split()
    return Times(int(ran), int(waited))


def thread_times(process: int | None = None) -> dict[int, Times]:
    """The times of every thread of a process, by the thread's id; none where the system does not
    keep them, or the process has just ended.

    Args:
        process: its id; null: this one.
    """
    found: dict[int, Times] = {}
    with suppress(OSError):
        tasks = PROC / f"{process or 'self'}/task"
        for tid in [int(folder.name) for folder in tasks.iterdir()]:
            with suppress(OSError):  # it has just ended
                found[tid] = _parsed(_schedstat(tid, process).read_bytes())
    return found


# --- counters of the whole process and machine ----------------------------------------------


def quota_seconds() -> float | None:
    """How long quotas have kept this process's control groups from running, summed over cores;
    null where there is none that counts.

    Of nested groups the one that was kept longest: a quota of an outer one holds all within.
    """
    spans = [span for folder in cgroup_folders("cpu") if (span := _kept(folder)) is not None]
    return max(spans, default=None)


def _kept(folder: Path) -> float | None:
    """Seconds of one group: microseconds in version 2 of control groups, nanoseconds in 1."""
    lines = (text_of(folder / "cpu.stat") or "").splitlines()
    stat = dict(line.split(maxsplit=1) for line in lines if " " in line)
    for name, scale in (("throttled_usec", 1e6), ("throttled_time", 1e9)):
        if stat.get(name, "").isdigit():
            return int(stat[name]) / scale
    return None


def heat_seconds() -> float | None:
    """The longest that a core or package was slowed down against heat since boot; null where the
    system does not tell.
    """
    files = CPUS.glob("cpu[0-9]*/thermal_throttle/*_throttle_total_time_ms")
    spans = [int(text) / 1e3 for file in files if (text := text_of(file))]
    return max(spans, default=None)


def heat_events() -> int | None:
    """How often cores and packages slowed down against heat since boot (Intel on Linux)."""
    files = CPUS.glob("cpu[0-9]*/thermal_throttle/*_throttle_count")
    counts = [text for file in files if (text := text_of(file))]
    return sum(map(int, counts)) if counts else None
