"""Whether torch.compile can work here: it writes C++, and has it compiled; and where that lies."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cnnlab.processes import alive, this_host, this_process

USUAL = {"darwin": "clang++", "win32": "cl"}
NO_COMPILER = "it needs a C++ compiler, such as g++, and none is found here"
CACHE = "TORCHINDUCTOR_CACHE_DIR"
FOLDER = "cnnlab-compiled"
_OWNED = re.compile(rf"{FOLDER}-(?P<host>[0-9a-f]+)-(?P<pid>\d+)-(?P<started>\d+\.\d+)-\w+")
"""A folder's name says which process it lives and dies with: one that is killed tidies nothing."""


def compiler() -> str | None:
    """The C++ compiler that torch would take; null where there is none.

    As torch decides (`torch/_inductor/config.py`, `cpp.cxx`): by the variable CXX, else its usual
    name on this system.
    """
    name = os.environ.get("CXX") or USUAL.get(sys.platform, "g++")
    return name if shutil.which(name) else None


@cache
def compile_anew() -> None:
    """Let torch.compile find nothing that earlier processes have compiled: what it takes is a
    figure too, and the network that somebody is going to train was never compiled before.

    What this process compiles lies in a folder of its own, which goes with it.
    """
    tidy_compiled()
    pid, started = this_process()
    os.environ[CACHE] = tempfile.mkdtemp(prefix=f"{FOLDER}-{_host()}-{pid}-{started}-")
    atexit.register(drop_compiled)


def drop_compiled() -> None:
    """Remove what this process has compiled anew, before it ends."""
    for folder, owner in _folders():
        if owner == this_process():
            shutil.rmtree(folder, ignore_errors=True)


def tidy_compiled() -> None:
    """Remove what processes of this machine have left that are gone."""
    for folder, owner in _folders():
        if not alive(*owner):
            shutil.rmtree(folder, ignore_errors=True)


def _folders() -> Iterator[tuple[Path, tuple[int, float]]]:
    """Those of this machine, each with the process that made it, as `this_process` names it."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}-*"):
        found = _OWNED.fullmatch(folder.name)
        if found and found["host"] == _host():
            yield folder, (int(found["pid"]), float(found["started"]))


def _host() -> str:
    """What tells this machine, or container, from others that may share its temporary folder."""
    return this_host().rpartition("#")[2]
