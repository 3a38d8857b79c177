"""Whether torch.compile can work here: it writes C++, and has it compiled."""

from __future__ import annotations

import os
import shutil
import sys

USUAL = {"darwin": "clang++", "win32": "cl"}


def compiler() -> str | None:
    """The C++ compiler that torch would take; null where there is none.

    As torch decides (`torch/_inductor/config.py`, `cpp.cxx`): by the variable CXX, else its usual
    name on this system.
    """
    name = os.environ.get("CXX") or USUAL.get(sys.platform, "g++")
    return name if shutil.which(name) else None


NO_COMPILER = "it needs a C++ compiler, such as g++, and none is found here"
