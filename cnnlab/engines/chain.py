"""A network as a chain of kernels: one pass forward, one back, without autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import torch

from cnnlab.engines.job import Mark
from cnnlab.engines.kernels import (
    OWN_ARITHMETIC,
    Gradients,
    Kernel,
    kernel_of,
    relu_after_pooling,
)
from cnnlab.engines.loops.compiled import Compiled
from cnnlab.engines.recurrent import OnednnLstm
from cnnlab.engines.unrolled import CpuGru, CpuLstm, CpuSimple
from cnnlab.spec import ExperimentSpec

HALVES = {"mixed_bfloat16": torch.bfloat16, "mixed_float16": torch.float16}


class Chain:
    """The layers of one of the lab's models, each by its kernel.

    Under a mixed precision each parameter is cast once a step, and the gradients once.
    """

    def __init__(self, model: keras.Model, spec: ExperimentSpec) -> None:
        self.layers = model.layers[1:]
        half = HALVES.get(spec.precision, torch.float32)
        # The last layer stays in float32, or the loss loses digits.
        self.dtypes = [half] * (len(self.layers) - 1) + [torch.float32]
        self.kernels = [kernel_of(*pair) for pair in zip(self.layers, self.dtypes, strict=True)]
        relu_after_pooling(self.kernels)
        self.parameters = [p for kernel in self.kernels for p in kernel.weights]
        self._full: list[torch.Tensor] = []
        self._halves: list[torch.Tensor] = []
        for kernel, dtype in zip(self.kernels, self.dtypes, strict=True):
            kernel.weights = self._in_arithmetic(kernel, dtype)
        self._first = next(n for n, kernel in enumerate(self.kernels) if kernel.weights)

    def _in_arithmetic(self, kernel: Kernel, dtype: torch.dtype) -> list[torch.Tensor]:
        if isinstance(kernel, OWN_ARITHMETIC):
            return kernel.weights
        full = [weight.detach() for weight in kernel.weights]
        if dtype == torch.float32:
            return full
        halves = [torch.empty_like(weight, dtype=dtype) for weight in full]
        self._full += full
        self._halves += halves
        return halves

    @property
    def sequences_compiled(self) -> bool | None:
        """See `FastModel`."""
        for kernel in self.kernels:
            if isinstance(kernel, CpuGru | CpuLstm | CpuSimple | OnednnLstm):
                return isinstance(getattr(kernel, "loops", None), Compiled)
        return None

    def cast(self) -> None:
        """Bring the half precision's copies of the parameters up to date."""
        if self._halves:
            torch._foreach_copy_(self._halves, self._full)

    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, list[Any]]:
        """What stands before the softmax, (batch, classes) in float32, and all that was kept."""
        kept = []
        for kernel, dtype in zip(self.kernels, self.dtypes, strict=True):
            x, own = kernel.forward(x.to(dtype), training)
            kept.append(own)
        return x, kept

    def backward(self, kept: list[Any], dy: torch.Tensor) -> list[torch.Tensor]:
        """The gradients of `parameters`, in float32. Lets go of what was kept on the way."""
        found: list[Gradients] = []
        gradient: torch.Tensor | None = dy
        for number in reversed(range(self._first, len(self.kernels))):
            assert gradient is not None  # only the first one's is not wanted
            kernel, own = self.kernels[number], kept.pop()
            gradient, gradients = kernel.backward(
                own, gradient.to(self.dtypes[number]), wanted=number > self._first
            )
            found.append(gradients)
        in_order = (gradient for gradients in reversed(found) for gradient in gradients)
        return [_like(*pair) for pair in zip(in_order, self.parameters, strict=True)]

    def differentiable(self) -> list[Callable[[torch.Tensor], torch.Tensor]]:
        """Each layer's kernel on its own, for autograd to go through."""
        return [
            as_call(layer, kernel, dtype)
            for layer, kernel, dtype in zip(self.layers, self.kernels, self.dtypes, strict=True)
        ]


def _like(gradient: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """The gradient as the optimizer's kernels want it: in the parameter's arithmetic and order."""
    if gradient.dtype == parameter.dtype and gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


def as_call(
    layer: keras.Layer, kernel: Kernel, dtype: torch.dtype = torch.float32
) -> Callable[[torch.Tensor], torch.Tensor]:
    """A layer's kernel for autograd to go through, as it would through the layer."""
    parameters = [variable.value for variable in layer.trainable_variables]

    def call(x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = _OneKernel.apply(kernel, x.to(dtype), *parameters)
        return out

    return call


class _OneKernel(torch.autograd.Function):
    """A kernel as a step of autograd's. The parameters are its own; autograd only hears of them."""

    @staticmethod
    def forward(ctx: Any, kernel: Kernel, x: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        y, ctx.kept = kernel.forward(x, training=True)
        ctx.kernel = kernel
        return y.view_as(y)

    @staticmethod
    def backward(ctx: Any, *dy: torch.Tensor) -> Any:
        with torch.no_grad():
            dx, gradients = ctx.kernel.backward(ctx.kept, dy[0], ctx.needs_input_grad[1])
        return None, dx, *(each.float() for each in gradients)


class Marked:
    """A kernel that tells when it is through with a pass."""

    def __init__(self, number: int, kernel: Kernel, mark: Mark) -> None:
        self.weights = kernel.weights
        self._number, self._kernel, self._mark = number, kernel, mark

    def forward(self, x: torch.Tensor, training: bool) -> tuple[torch.Tensor, Any]:
        found = self._kernel.forward(x, training)
        self._mark(("forward", self._number))
        return found

    def backward(
        self, kept: Any, dy: torch.Tensor, wanted: bool
    ) -> tuple[torch.Tensor | None, Gradients]:
        found = self._kernel.backward(kept, dy, wanted)
        self._mark(("backward", self._number))
        return found
