"""The optimizer step of the engine `fast`: torch's fused kernels, called directly, on the state of
Keras's optimizer and with its formula.

Keras keeps the state, so that a checkpoint of either engine is a checkpoint of the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import torch

from cnnlab.spec import ExperimentSpec

Tensors = Sequence[torch.Tensor]
Rule = Callable[[list[torch.Tensor], Any], None]
"""Moves the parameters by their gradients, the learning rate corrected for the step, if at all."""


def update_of(
    model: keras.Model, spec: ExperimentSpec, parameters: Tensors, *, recorded: bool
) -> Update | HalfUpdate:
    """What moves the parameters by their gradients, one optimizer step at a time.

    Args:
        parameters: those of the model's trainable variables, in their order.
        recorded: the step is compiled or recorded whole, so nothing of it may be counted in Python.
    """
    detached = [parameter.detach() for parameter in parameters]
    if spec.precision == "mixed_float16":
        return HalfUpdate(model.optimizer, detached)
    return (CountedUpdate if recorded else Update)(model.optimizer, detached)


class Update:
    """One step of Keras's optimizer, for gradients that are finite or the run's end."""

    def __init__(self, optimizer: keras.optimizers.Optimizer, parameters: Tensors) -> None:
        self.optimizer = optimizer
        self.parameters = list(parameters)
        self.taken = int(optimizer.iterations.numpy())
        self._rule = _rule_of(optimizer, self.parameters)
        self._rate = float(optimizer.learning_rate.numpy())
        self._adaptive = isinstance(optimizer, keras.optimizers.Adam)
        self.counts: list[torch.Tensor] = []
        """What a step counts on the device, beside the optimizer's variables."""

    def scaled(self, gradient: torch.Tensor) -> torch.Tensor:
        """What the backward pass begins from: the gradient, or the loss, as it is."""
        return gradient

    def move(self, gradients: list[torch.Tensor]) -> None:
        """Move the weights by their gradients."""
        self.taken += 1
        self._rule(gradients, self.rate())

    def rate(self) -> float:
        """The learning rate, corrected for averages that began from nought where there are any."""
        if not self._adaptive:
            return self._rate
        return self._rate * _correction(self.optimizer, self.taken)

    def tell_keras(self) -> None:
        """Bring Keras's count of steps up to date, which costs too much to do in each step."""
        self.optimizer.iterations.assign(self.taken)


class CountedUpdate(Update):
    """The same with the steps counted in a tensor, so that each replay of a recorded step, or of a
    compiled one, has the rate of its own step.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer, parameters: Tensors) -> None:
        super().__init__(optimizer, parameters)
        device = self.parameters[0].device
        self.count = torch.full((1,), self.taken, dtype=torch.int64, device=device)
        self.counts = [self.count]
        self._rates = _rates(optimizer, device)

    def move(self, gradients: list[torch.Tensor]) -> None:
        self.count.add_(1)
        self._rule(gradients, self._rates(self.count))

    def tell_keras(self) -> None:
        self.optimizer.iterations.assign(self.count[0])


class HalfUpdate:
    """The same for float16, whose loss is scaled: a step with a gradient that is not finite is left
    out and halves the scale, as Keras's `LossScaleOptimizer` has it.

    All of it is decided on the device, so that no step waits to hear of it.
    """

    def __init__(self, optimizer: keras.optimizers.LossScaleOptimizer, parameters: Tensors) -> None:
        self.optimizer, inner = optimizer, optimizer.inner_optimizer
        self.parameters = list(parameters)
        device = self.parameters[0].device
        self.scale = optimizer.dynamic_scale.value.detach()
        self.growth = torch.full((), 0, dtype=torch.int32, device=device)
        self.growth.copy_(optimizer.step_counter.value)
        self.count = torch.full((1,), 0, dtype=torch.int64, device=device)
        self.count.copy_(inner.iterations.value)
        self.counts = [self.count, self.growth]
        self._skipped = torch.zeros((), dtype=torch.float32, device=device)
        self._rule = _rule_of(inner, self.parameters, self._skipped)
        self._rates = _rates(inner, device)
        self._inner = inner

    def scaled(self, gradient: torch.Tensor) -> torch.Tensor:
        """What the backward pass begins from: scaled, or small gradients would be nought."""
        return gradient * self.scale

    @torch.compiler.disable  # which does not know its kernels
    def move(self, gradients: list[torch.Tensor]) -> None:
        """Move the weights by their gradients, if all of these are finite."""
        self._skipped.zero_()
        inverse = self.scale.reciprocal()
        torch._amp_foreach_non_finite_check_and_unscale_(gradients, self._skipped, inverse)
        self.count.add_((1.0 - self._skipped).to(torch.int64))
        # Before the first step that is taken it is of no account: nothing moves.
        self._rule(gradients, self._rates(self.count))
        every = self.optimizer.dynamic_growth_steps
        torch._amp_update_scale_(self.scale, self.growth, self._skipped, 2.0, 0.5, every)

    def tell_keras(self) -> None:
        """Bring Keras's counts up to date."""
        self._inner.iterations.assign(self.count[0])
        self.optimizer.step_counter.assign(self.growth)


def _correction(optimizer: keras.optimizers.Adam, step: Any) -> Any:
    """Of the learning rate at a step, a number or many, for averages that began from nought."""
    return (1.0 - optimizer.beta_2**step) ** 0.5 / (1.0 - optimizer.beta_1**step)


def _rates(
    optimizer: keras.optimizers.Optimizer, device: torch.device
) -> Callable[[torch.Tensor], torch.Tensor | float]:
    """The learning rate of a step, by its number on the device, as the kernels take it.

    Where it is corrected it is looked up: to compute it takes nine calls of the device, of the
    thirty that all else in a step of a small network takes.
    """
    rate = float(optimizer.learning_rate.numpy())
    if not isinstance(optimizer, keras.optimizers.Adam):
        return lambda count: rate
    # From here on the correction is 1 in float32, which has 24 bits.
    betas = optimizer.beta_1, optimizer.beta_2
    last = max(math.ceil(-25 / math.log2(beta)) for beta in betas)
    corrected = rate * _correction(optimizer, np.arange(1, last + 1))
    # Before the first step there is none.
    found = torch.from_numpy(np.concatenate(([0.0], corrected)).astype(np.float32)).to(device)
    return lambda count: found.index_select(0, count.clamp(max=last))[0]


# --- the rules ------------------------------------------------------------------------------


def _rule_of(
    optimizer: keras.optimizers.Optimizer,
    parameters: list[torch.Tensor],
    skipped: torch.Tensor | None = None,
) -> Rule:
    """The optimizer's rule.

    Args:
        skipped: on the device, 1 where the step is to be left out; null where none ever is.
    """
    for kind, rule in _RULES.items():
        if isinstance(optimizer, kind):
            return rule(optimizer, parameters, skipped)
    raise TypeError(f"{type(optimizer).__name__} has no rule here")


def _state(
    optimizer: keras.optimizers.Optimizer, name: str, parameters: list[torch.Tensor]
) -> list[torch.Tensor]:
    """The optimizer's variables of a name, in memory as the parameters they belong to."""
    variables = [v.value for v in optimizer.variables if v.path.endswith(f"_{name}")]
    for variable, parameter in zip(variables, parameters, strict=True):
        if variable.stride() != parameter.stride():
            variable.data = torch.empty_like(parameter).copy_(variable.data)
    return [variable.detach() for variable in variables]


def _adam(
    optimizer: keras.optimizers.Adam,
    parameters: list[torch.Tensor],
    skipped: torch.Tensor | None,
) -> Rule:
    """Keras's formula by torch's kernel: told that so many steps were taken that its own
    corrections are 1, it adds epsilon to sqrt(v) as Keras does; the rate brings Keras's own.
    """
    state = _state(optimizer, "momentum", parameters), _state(optimizer, "velocity", parameters)
    device = parameters[0].device
    steps = [torch.full((), 1e9, device=device) for _ in parameters]
    settings: dict[str, Any] = {
        "beta1": optimizer.beta_1,
        "beta2": optimizer.beta_2,
        "eps": optimizer.epsilon,
        "weight_decay": 0.0,
        "amsgrad": False,
        "maximize": False,
        "found_inf": skipped,
    }
    decay = 1.0 - (optimizer.weight_decay or 0.0) * float(optimizer.learning_rate.numpy())

    def move(gradients: list[torch.Tensor], rate: torch.Tensor | float) -> None:
        if decay != 1.0:
            torch._foreach_mul_(parameters, decay if skipped is None else _unless(skipped, decay))
        if torch.compiler.is_compiling():
            _adam_written_out(parameters, gradients, *state, rate, optimizer)
        else:
            torch._fused_adam_(parameters, gradients, *state, [], steps, lr=rate, **settings)

    return move


def _adam_written_out(
    parameters: Tensors,
    gradients: Tensors,
    momenta: Tensors,
    velocities: Tensors,
    rate: torch.Tensor | float,
    optimizer: keras.optimizers.Adam,
) -> None:
    """The same for torch.compile, which joins it with the rest and does not know the kernel."""
    for parameter, gradient, momentum, velocity in zip(
        parameters, gradients, momenta, velocities, strict=True
    ):
        momentum.lerp_(gradient, 1.0 - optimizer.beta_1)
        velocity.lerp_(gradient * gradient, 1.0 - optimizer.beta_2)
        parameter.sub_(rate * momentum / (velocity.sqrt() + optimizer.epsilon))


def _unless(skipped: torch.Tensor, factor: float) -> torch.Tensor:
    """The factor, or 1 where the step is left out."""
    return factor + (1.0 - factor) * skipped


def _sgd(
    optimizer: keras.optimizers.SGD,
    parameters: list[torch.Tensor],
    skipped: torch.Tensor | None,
) -> Rule:
    settings: dict[str, Any] = {
        "weight_decay": 0.0,
        "momentum": 0.0,
        "dampening": 0.0,
        "nesterov": False,
        "maximize": False,
        "is_first_step": False,
        "found_inf": skipped,
    }

    def move(gradients: list[torch.Tensor], rate: torch.Tensor | float) -> None:
        if torch.compiler.is_compiling():  # which does not know the kernel
            torch._foreach_add_(parameters, gradients, alpha=-float(rate))
        else:
            torch._fused_sgd_(parameters, gradients, [], lr=rate, **settings)

    return move


def _rmsprop(
    optimizer: keras.optimizers.RMSprop,
    parameters: list[torch.Tensor],
    skipped: torch.Tensor | None,
) -> Rule:
    """Torch's adds epsilon elsewhere, and is not fused: so a few calls for all parameters."""
    squares = _state(optimizer, "velocity", parameters)

    rest = 1.0 - optimizer.rho

    def move(gradients: list[torch.Tensor], rate: torch.Tensor | float) -> None:
        if skipped is None:
            torch._foreach_lerp_(squares, torch._foreach_mul(gradients, gradients), rest)
        else:
            _lerp_unless(skipped, squares, gradients, rest)
        roots = torch._foreach_add(squares, optimizer.epsilon)
        torch._foreach_sqrt_(roots)
        torch._foreach_addcdiv_(parameters, gradients, roots, -float(rate))

    return move


def _lerp_unless(
    skipped: torch.Tensor,
    squares: list[torch.Tensor],
    gradients: list[torch.Tensor],
    rest: float,
) -> None:
    """Moving squares as they are, and gradients of nought, where the step is left out."""
    for gradient in gradients:
        gradient.nan_to_num_(0.0, 0.0, 0.0)
    taken = 1.0 - skipped
    torch._foreach_mul_(gradients, taken)
    torch._foreach_mul_(squares, 1.0 - rest * taken)
    torch._foreach_addcmul_(squares, gradients, gradients, rest)


_RULES: dict[type, Callable[..., Rule]] = {
    keras.optimizers.Adam: _adam,  # and AdamW, which is one
    keras.optimizers.SGD: _sgd,
    keras.optimizers.RMSprop: _rmsprop,
}
