"""TF32: whether an NVIDIA card may round the inputs of float32 arithmetic to 10 bits of mantissa.

Torch lets convolutions do so by itself, and matrix products not, so a float32 run on a card may be
something else than it seems. Set and read through `fp32_precision`: the older `allow_tf32` raises
once both ways of setting it were mixed.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from cnnlab.spec import Tf32

_WORDS: dict[Tf32, str] = {"on": "tf32", "off": "ieee"}


def _places() -> dict[str, Any]:
    """What has a setting of its own; modules whose attributes are made while they run."""
    import torch

    cudnn: Any = torch.backends.cudnn
    return {"matmul": torch.backends.cuda.matmul, "conv": cudnn.conv, "rnn": cudnn.rnn}


@cache
def _at_first() -> dict[str, str]:
    """What torch had before anything was chosen here: TORCH_ALLOW_TF32_CUBLAS_OVERRIDE, which some
    images for NVIDIA cards set, lets matrix products use TF32 too.
    """
    return {name: place.fp32_precision for name, place in _places().items()}


def use(choice: Tf32) -> None:
    """Allow or forbid TF32 in this process, or have it as torch had it from the start."""
    at_first = _at_first()
    for name, place in _places().items():
        place.fp32_precision = _WORDS.get(choice, at_first[name])


def facts() -> dict[str, bool]:
    """Whether float32 products and cuDNN convolutions may use TF32 now."""
    places = _places()
    return {
        "matmul_tf32": places["matmul"].fp32_precision == "tf32",
        "cudnn_tf32": places["conv"].fp32_precision == "tf32",
    }
