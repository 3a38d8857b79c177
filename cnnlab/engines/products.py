"""Products of matrices, by whichever of torch's libraries is the faster one."""

from __future__ import annotations

import torch

# From here on oneDNN's product is the faster one where a processor is not Intel's, to which MKL
# shows its slower side: twice as fast in float32 on an EPYC with AVX-512. Elsewhere they are even.
_LARGE_PRODUCT = 4e6
_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def product(
    a: torch.Tensor, b: torch.Tensor, bias: torch.Tensor | None = None, relu: bool = False
) -> torch.Tensor:
    """`relu(a @ b + bias)` of matrices (n, k) and (k, m), each whole in memory, turned or not."""
    large = 2 * a.shape[0] * a.shape[1] * b.shape[1] > _LARGE_PRODUCT
    if large and _ONEDNN and a.dtype == torch.float32 and a.device.type == "cpu":
        # torch.compile wants to know what a call of its own library does, so it gets it as ours.
        by_onednn = _for_compiling if torch.compiler.is_compiling() else _by_onednn
        return by_onednn(a, b, bias, relu)
    if bias is not None and relu and a.device.type == "cuda":  # in one call of the card
        return torch._addmm_activation(bias, a, b)
    out = torch.mm(a, b) if bias is None else torch.addmm(bias, a, b)
    return torch.relu_(out) if relu else out


def _by_onednn(
    a: torch.Tensor, b: torch.Tensor, bias: torch.Tensor | None, relu: bool
) -> torch.Tensor:
    after = "relu" if relu else "none"
    out: torch.Tensor = torch.ops.mkldnn._linear_pointwise(a, b.t(), bias, after, [], "")
    return out


@torch.library.custom_op("cnnlab::product", mutates_args=())
def _for_compiling(
    a: torch.Tensor, b: torch.Tensor, bias: torch.Tensor | None, relu: bool
) -> torch.Tensor:
    return _by_onednn(a, b, bias, relu)


@_for_compiling.register_fake
def _(a: torch.Tensor, b: torch.Tensor, bias: torch.Tensor | None, relu: bool) -> torch.Tensor:
    return a.new_empty(a.shape[0], b.shape[1])
