"""TF32: whether an NVIDIA card may round the inputs of float32 arithmetic to 10 bits of mantissa.

Torch lets convolutions do so by itself, and matrix products not, so a float32 run on a card may be
something else than it seems. Set and read through `fp32_precision`: the older `allow_tf32` raises
once both ways of setting it were mixed.
"""

from __future__ import annotations

from typing import Any

from cnnlab.spec import Tf32

_WORDS: dict[Tf32, dict[str, str]] = {
    "default": {"matmul": "none", "conv": "tf32", "rnn": "tf32"},
    "on": dict.fromkeys(("matmul", "conv", "rnn"), "tf32"),
    "off": dict.fromkeys(("matmul", "conv", "rnn"), "ieee"),
}


def _places() -> dict[str, Any]:
    """What has a setting of its own; modules whose attributes are made while they run."""
    import torch

    cudnn: Any = torch.backends.cudnn
    return {"matmul": torch.backends.cuda.matmul, "conv": cudnn.conv, "rnn": cudnn.rnn}


def use(choice: Tf32) -> None:
    """Allow or forbid TF32 in this process, or leave it as torch has it from the start."""
    for name, place in _places().items():
        place.fp32_precision = _WORDS[choice][name]


def facts() -> dict[str, bool]:
    """Whether float32 products and cuDNN convolutions may use TF32 now."""
    places = _places()
    return {
        "matmul_tf32": places["matmul"].fp32_precision == "tf32",
        "cudnn_tf32": places["conv"].fp32_precision == "tf32",
    }
