"""Which process something lives and dies with, on which machine, and whether it still lives."""

from __future__ import annotations

import hashlib
import os
import socket
import uuid
from functools import cache
from pathlib import Path

STAT = "/proc/{}/stat"
MACHINE_ID = Path("/etc/machine-id")
PROCESS_NAMES = Path("/proc/self/ns/pid")
LONGEST_HOST = 200


@cache
def this_host() -> str:
    """The name of this machine, and eight digits that tell it from others of the same name.

    A container, whose processes cannot be seen from outside, is a machine of its own.
    """
    try:
        machine = MACHINE_ID.read_text(encoding="utf-8")
    except OSError:
        machine = str(uuid.getnode())
    names = PROCESS_NAMES.stat().st_ino if PROCESS_NAMES.exists() else 0
    digest = hashlib.sha256(f"{machine} {names}".encode()).hexdigest()
    return f"{socket.gethostname()[:LONGEST_HOST]}#{digest[:8]}"


def this_process() -> tuple[int, float]:
    """The id of this process and its start, as `alive` wants them."""
    return os.getpid(), _started(os.getpid()) or 0.0


def alive(pid: int, started: float) -> bool:
    """Whether the process with this id that started then still runs.

    Args:
        started: as `this_process` gave it; 0.0 where it is not known.
    """
    now = _started(pid)
    return now is not None and started in (0.0, now)


def _started(pid: int) -> float | None:
    """When a process started, by a clock that nobody sets; None if it is gone or only a zombie.

    A process whose parent has not yet asked how it ended (a zombie) does nothing any more. On
    Linux the start is counted in seconds since the machine booted, because psutil reckons it from
    the wall clock: after that was set, a living process would look like another one.
    """
    if Path(STAT.format("self")).exists():
        return _from_stat(pid)
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def _from_stat(pid: int) -> float | None:
    """`_started` from the process's line in /proc (proc_pid_stat(5): fields 3 and 22)."""
    try:
        text = Path(STAT.format(pid)).read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in parentheses, and may hold any character.
    state, *rest = text.rpartition(")")[2].split()
    return None if state in "ZX" else int(rest[18]) / os.sysconf("SC_CLK_TCK")
