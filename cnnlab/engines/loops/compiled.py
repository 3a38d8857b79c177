"""`steps.cpp`, compiled for this processor and called with the tensors' addresses."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch

from cnnlab.devices import compiler
from cnnlab.devices.cpu import cpu_name, instruction_sets
from cnnlab.spec import LabError, home

SOURCE = Path(__file__).with_name("steps.cpp")
FOLDER = "compiled"
"""Of the lab's home: a library for each kind of processor and compiler that was there."""
FLAGS = (
    "-std=c++17",
    "-O3",
    # What this processor has, in the words that compilers know there.
    "-march=native" if platform.machine() in ("x86_64", "AMD64") else "-mcpu=native",
    # Nobody reads errno or a trap; what may not be changed is the order of sums.
    "-fno-math-errno",
    "-fno-trapping-math",
    "-shared",
    "-fPIC",
    # Its threads are torch's, whose library for them has the same name and is there already.
    *(["-fopenmp"] if sys.platform == "linux" else []),
)
ARRAYS = {
    "gru_forward": 3,
    "gru_backward": 6,
    "lstm_forward": 4,
    "lstm_backward": 6,
    "simple_forward": 2,
    "simple_backward": 5,
}
"""How many arrays each of its functions takes, after steps, batch, units and threads."""
LONGEST_SECONDS = 60
"""It takes one or two."""

log = logging.getLogger(__name__)


@cache
def library() -> ctypes.CDLL | None:
    """The library for this machine, compiled if it is not there yet; null where it cannot be."""
    found = compiler()
    if found is None or sys.platform == "win32":  # whose compiler does not know our vectors
        return None
    try:
        return ctypes.CDLL(str(_made(found)))
    except (OSError, subprocess.SubprocessError, LabError) as error:
        said = getattr(error, "stderr", None) or b""
        log.exception(
            "the loops over the steps of a sequence cannot be compiled, so torch walks: %s",
            said.decode(errors="replace"),
        )
        return None


def _made(by: str) -> Path:
    """Where the library lies."""
    version = subprocess.run([by, "--version"], capture_output=True, timeout=LONGEST_SECONDS)
    told = [*FLAGS, cpu_name(), *instruction_sets()]
    key = hashlib.sha256(SOURCE.read_bytes() + version.stdout + "\0".join(told).encode())
    made = home() / FOLDER / f"steps-{key.hexdigest()[:16]}.so"
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=made.parent) as folder:
            fresh = Path(folder) / made.name
            command = [by, *FLAGS, str(SOURCE), "-o", str(fresh)]
            subprocess.run(command, check=True, capture_output=True, timeout=LONGEST_SECONDS)
            fresh.replace(made)  # another process may have been as quick
    return made


class Compiled:
    """See `cnnlab.engines.loops.Loops`."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        for name, arrays in ARRAYS.items():
            function = getattr(library, name)
            function.argtypes = [ctypes.c_long] * 3 + [ctypes.c_int] + [ctypes.c_void_p] * arrays
            function.restype = None

    def gru_forward(
        self, recurrent: torch.Tensor, gates: torch.Tensor, states: torch.Tensor
    ) -> None:
        self._call("gru_forward", states, (recurrent,), (gates, states))

    def gru_backward(
        self,
        recurrent: torch.Tensor,
        gates: torch.Tensor,
        states: torch.Tensor,
        above: torch.Tensor | None,
        last: torch.Tensor,
    ) -> torch.Tensor:
        given = recurrent, gates, states, above, last
        return self._gradients("gru_backward", states, given, torch.empty_like(gates))

    def lstm_forward(
        self,
        recurrent: torch.Tensor,
        gates: torch.Tensor,
        cells: torch.Tensor,
        states: torch.Tensor,
    ) -> None:
        """Fill in what the gates of each step are, and cells and states after the first.

        Args:
            recurrent: (units, 4 units).
            gates: (steps, batch, 4 units), i, f, c and o, as those of a GRU.
            cells, states: (steps + 1, batch, units); the first are given.
        """
        self._call("lstm_forward", states, (recurrent,), (gates, cells, states))

    def lstm_backward(
        self,
        recurrent: torch.Tensor,
        gates: torch.Tensor,
        cells: torch.Tensor,
        above: torch.Tensor | None,
        last: torch.Tensor,
    ) -> torch.Tensor:
        """The gradients of what the gates are taken of, as those of a GRU."""
        given = recurrent, gates, cells, above, last
        return self._gradients("lstm_backward", cells, given, torch.empty_like(gates))

    def simple_forward(self, recurrent: torch.Tensor, states: torch.Tensor) -> None:
        self._call("simple_forward", states, (recurrent,), (states,))

    def simple_backward(
        self,
        recurrent: torch.Tensor,
        states: torch.Tensor,
        above: torch.Tensor | None,
        last: torch.Tensor,
    ) -> torch.Tensor:
        given = recurrent, states, above, last
        return self._gradients("simple_backward", states, given, torch.empty_like(states[1:]))

    def _gradients(
        self,
        name: str,
        states: torch.Tensor,
        given: Sequence[torch.Tensor | None],
        found: torch.Tensor,
    ) -> torch.Tensor:
        self._call(name, states, given, (found,))
        return found

    def _call(
        self,
        name: str,
        states: torch.Tensor,
        given: Sequence[torch.Tensor | None],
        filled: Sequence[torch.Tensor],
    ) -> None:
        """Call a function, in as many threads as torch has.

        Args:
            states: (steps + 1, batch, units), for their sizes.
            given: what it reads alone.
            filled: what it writes, whole in memory.
        """
        whole = [None if each is None else each.contiguous() for each in given]
        places = [each if each is None else each.data_ptr() for each in (*whole, *filled)]
        ends, batch, units = states.shape
        getattr(self._library, name)(ends - 1, batch, units, torch.get_num_threads(), *places)
