"""The optimizer step of the engine `fast`."""

from __future__ import annotations

from typing import Any

import keras
import torch

from cnnlab.spec import ExperimentSpec

_FUSED = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}


def update_of(model: keras.Model, spec: ExperimentSpec) -> KerasUpdate | FusedUpdate:
    """What takes a loss and moves the weights by one optimizer step."""
    if spec.optimizer not in _FUSED or spec.precision == "mixed_float16":
        return KerasUpdate(model)
    parameters = [variable.value for variable in model.trainable_variables]
    return FusedUpdate(spec, model.optimizer, parameters)


class KerasUpdate:
    """Keras's own update: its RMSprop differs from torch's, and float16 needs its loss scale, which
    waits for the device in each step, to see whether the gradients are finite.
    """

    def __init__(self, model: keras.Model) -> None:
        self._optimizer = model.optimizer
        self._variables = list(model.trainable_variables)

    def __call__(self, loss: torch.Tensor) -> None:
        self.clear()
        self.scaled(loss).backward()
        self.move()

    def clear(self) -> None:
        """Forget the gradients of the step before."""
        for variable in self._variables:
            variable.value.grad = None

    def scaled(self, loss: torch.Tensor) -> torch.Tensor:
        """What the backward pass begins from."""
        scaled: torch.Tensor = self._optimizer.scale_loss(loss)
        return scaled

    def move(self) -> None:
        """Move the weights by their gradients."""
        gradients = [variable.value.grad for variable in self._variables]
        with torch.no_grad():
            self._optimizer.apply(gradients, self._variables)


class FusedUpdate:
    """An optimizer step by torch's fused kernels, on the Keras optimizer's own state and with its
    formula.

    Keras's Adam adds epsilon to sqrt(v), torch's to sqrt(v / (1 - beta_2^t)): dividing epsilon by
    sqrt(1 - beta_2^t) before each step makes the two the same.
    """

    def __init__(
        self,
        spec: ExperimentSpec,
        optimizer: keras.optimizers.Optimizer,
        parameters: list[torch.Tensor],
    ) -> None:
        self.taken = int(optimizer.iterations.numpy())
        self._optimizer = optimizer
        self._fused: Any = _FUSED[spec.optimizer](parameters, lr=spec.learning_rate, fused=True)
        if parameters[0].device.type == "cpu":
            # Before each step torch's Adam asks the accelerator whether a stream of it is being
            # captured, wherever the weights lie, and so opens a context on a card that the run
            # is to keep off: hundreds of MB of it.
            self._fused._accelerator_graph_capture_health_check = lambda: None
        self._group = self._fused.param_groups[0]
        self._adaptive = spec.optimizer != "sgd"  # plain SGD keeps no state
        if self._adaptive:
            self._adopt(parameters)

    def _adopt(self, parameters: list[torch.Tensor]) -> None:
        variables = self._optimizer.variables
        momenta = [v.value for v in variables if v.path.endswith("_momentum")]
        velocities = [v.value for v in variables if v.path.endswith("_velocity")]
        for parameter, momentum, velocity in zip(parameters, momenta, velocities, strict=True):
            taken = float(self.taken)
            step = torch.full((), taken, dtype=torch.float32, device=parameter.device)
            state = {"step": step, "exp_avg": momentum.detach(), "exp_avg_sq": velocity.detach()}
            self._fused.state[parameter] = state
        self._group["betas"] = (self._optimizer.beta_1, self._optimizer.beta_2)
        self._group["weight_decay"] = self._optimizer.weight_decay or 0.0

    def __call__(self, loss: torch.Tensor) -> None:
        self.clear()
        loss.backward()
        self.move()

    def clear(self) -> None:
        """Forget the gradients of the step before."""
        self._fused.zero_grad()

    def scaled(self, loss: torch.Tensor) -> torch.Tensor:
        """What the backward pass begins from: the loss as it is."""
        return loss

    def move(self) -> None:
        """Move the weights by their gradients."""
        self.taken += 1
        if self._adaptive:
            correction = 1.0 - self._optimizer.beta_2**self.taken
            self._group["eps"] = self._optimizer.epsilon / correction**0.5
        self._fused.step()
