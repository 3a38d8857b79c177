"""What ended a run, in a sentence for a person."""

from __future__ import annotations

import torch

from cnnlab.spec import LabError

# Libraries below torch report a want of memory as any other error.
_ACCELERATOR_IS_FULL = (
    "CUDA out of memory",
    "CUDA error: out of memory",
    "STATUS_ALLOC_FAILED",
    "MPS backend out of memory",
)
_MEMORY_IS_FULL = ("DefaultCPUAllocator: can't allocate", "DefaultCPUAllocator: not enough memory")


def _says(error: BaseException, texts: tuple[str, ...]) -> bool:
    return isinstance(error, RuntimeError) and any(text in str(error) for text in texts)


def explain(error: BaseException) -> str:
    """One plain sentence for an error that ended a run; the traceback belongs into the log."""
    if isinstance(error, LabError):
        return str(error)
    if isinstance(error, torch.OutOfMemoryError) or _says(error, _ACCELERATOR_IS_FULL):
        return (
            "The accelerator ran out of memory: use a smaller batch or fewer filters, "
            "or train on the CPU."
        )
    if isinstance(error, MemoryError) or _says(error, _MEMORY_IS_FULL):
        return "The computer ran out of memory: use a smaller batch, fewer pictures or filters."
    first = (str(error).splitlines() or [""])[0]
    return f"The training failed with {type(error).__name__}: {first:.200}"
