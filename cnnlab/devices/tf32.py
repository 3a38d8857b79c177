"""TF32: whether an NVIDIA card may round the inputs of float32 arithmetic to 10 bits of mantissa.

Torch lets convolutions do so by itself, and matrix products not, so a float32 run on a card may be
something else than it seems. Set and read through `fp32_precision`: the older `allow_tf32` raises
once both ways of setting it were mixed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from cnnlab.spec import Precision, Tf32

_WORDS: dict[Tf32, str] = {"on": "tf32", "off": "ieee"}
_DECIDES = {"cnn": "conv", "rnn": "rnn", "dense": "matmul"}
"""Which setting holds for most of the arithmetic of a family of networks."""


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


@contextmanager
def products_as(family: str) -> Iterator[None]:
    """Let float32 matrix products be computed meanwhile as the networks of a family are."""
    places = _places()
    matmul = places["matmul"]
    before = matmul.fp32_precision
    matmul.fp32_precision = places[_DECIDES[family]].fp32_precision
    try:
        yield
    finally:
        matmul.fp32_precision = before


def arithmetic(device: str, precision: Precision, family: str) -> str:
    """What the networks of a family are computed in on torch's current device, `device`, now:
    "float32", "TF32", "bfloat16" or "float16".
    """
    import torch

    if precision != "float32":
        return precision.removeprefix("mixed_")
    allowed = _places()[_DECIDES[family]].fp32_precision == "tf32"
    # Cards before Ampere may be told to use it and have no such arithmetic.
    on_card = device.startswith("cuda") and torch.cuda.is_tf32_supported()
    return "TF32" if allowed and on_card else "float32"
