"""A recipe written by hand in torch, as an expert would for this one network: the yardstick that
leaves out every framework but torch.

Channels-last memory, uint8 pictures staged once, the allocator's setting that the engine `fast`
has, subnormal numbers taken as nought as there, torch's fused Adam called directly, and the same
sums of loss and hits that every contender keeps. Compiled, the whole step is one function: forward,
loss, backward, Adam and sums.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import torch
from torch import nn

from bench.peers.answering import serve
from cnnlab.engines.memory import keep_memory
from cnnlab.engines.subnormals import flush_subnormals
from cnnlab.spec import CnnModel, DenseModel, ExperimentSpec, ModelSpec, RnnModel, parse_spec

EPSILON, BETAS = 1e-7, (0.9, 0.999)
SHORT_STEP_MS = 5.0
"""Under this a step is tried on one thread as well: waiting for others may cost more than it
saves."""

# So that a gradient taken inside of a compiled function is part of it.
torch._dynamo.config.trace_autograd_ops = True


class Last(nn.Module):
    """The last output of a recurrent layer."""

    def __init__(self, recurrent: nn.Module) -> None:
        super().__init__()
        self.recurrent = recurrent

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.recurrent(x.flatten(2))[0][:, -1]


def network_of(model: ModelSpec, shape: tuple[int, ...], classes: int) -> nn.Sequential:
    """The network of a preset: what else the lab can build is not needed here."""
    match model:
        case CnnModel():
            layers, width = _convolutions(model, shape[-1])
        case RnnModel():
            kind = {"lstm": nn.LSTM, "gru": nn.GRU, "simple": nn.RNN}[model.cell]
            (width,) = model.recurrent
            layers = [Last(kind(int(np.prod(shape[1:])), width, batch_first=True))]
        case DenseModel():
            layers, width = [nn.Flatten()], int(np.prod(shape))
    for units in model.dense:
        layers += [nn.Linear(width, units), nn.ReLU()]
        width = units
    dropout = [nn.Dropout(model.dropout)] if model.dropout else []
    return nn.Sequential(*layers, *dropout, nn.Linear(width, classes))


def _convolutions(model: CnnModel, channels: int) -> tuple[list[nn.Module], int]:
    layers: list[nn.Module] = []
    for block in model.blocks:
        for conv in block.convs:
            layers += [nn.Conv2d(channels, conv.filters, conv.kernel), nn.ReLU()]
            channels = conv.filters
        if block.pool:
            layers.append(nn.MaxPool2d(block.pool))
    return [*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()], channels


class ByHand:
    """The network, its optimizer's state, its pictures and the sums of an epoch on one device."""

    def __init__(self, spec: ExperimentSpec, x: np.ndarray, y: np.ndarray, device: str) -> None:
        self.spec, self.device = spec, torch.device(device)
        self.images = torch.from_numpy(x).to(device)
        self.labels = torch.from_numpy(y.astype(np.int64)).to(device)
        self.network = network_of(spec.model, x.shape[1:], int(y.max()) + 1).to(device)
        if spec.model.family == "cnn":
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.parameters: list[torch.Tensor] = list(self.network.parameters())
        self.momenta = [torch.zeros_like(each) for each in self.parameters]
        self.velocities = [torch.zeros_like(each) for each in self.parameters]
        self.taken = [torch.zeros((), device=device) for _ in self.parameters]
        self.total = torch.zeros((), device=device)
        self.hits = torch.zeros((), dtype=torch.int64, device=device)

    def gradients(self, index: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Of the batch with these indices; its loss and hits are added to the sums."""
        x, y = self.images.index_select(0, index), self.labels.index_select(0, index)
        if x.dtype == torch.uint8:
            x = x.float().div_(255)
        if self.spec.model.family == "cnn":
            x = x.permute(0, 3, 1, 2)
        half = self.spec.precision == "mixed_bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            logits = self.network(x)
            loss = nn.functional.cross_entropy(logits.float(), y)
        self.total.add_(loss.detach())
        self.hits.add_((logits.detach().argmax(-1) == y).sum())
        return torch.autograd.grad(loss, self.parameters)

    def step(self, index: torch.Tensor) -> None:
        """One step, its Adam as torch's fused kernel."""
        gradients = self.gradients(index)
        with torch.no_grad():
            torch._foreach_add_(self.taken, 1.0)
            torch._fused_adam_(
                self.parameters,
                gradients,
                self.momenta,
                self.velocities,
                [],
                self.taken,
                lr=self.spec.learning_rate,
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=0.0,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )

    def written_out(self, index: torch.Tensor) -> None:
        """The same with Adam's formula written out, for a compiler to join: the fused kernel would
        stand apart."""
        gradients = self.gradients(index)
        taken = self.taken[0]
        with torch.no_grad():
            taken.add_(1.0)
            root = torch.sqrt(1.0 - BETAS[1] ** taken)
            rate = self.spec.learning_rate * root / (1.0 - BETAS[0] ** taken)
            state = zip(self.parameters, gradients, self.momenta, self.velocities, strict=True)
            for parameter, gradient, momentum, velocity in state:
                momentum.lerp_(gradient, 1.0 - BETAS[0])
                velocity.lerp_(gradient * gradient, 1.0 - BETAS[1])
                parameter.sub_(rate * momentum / (velocity.sqrt() + EPSILON * root))

    def recorded(self) -> Callable[[torch.Tensor], None]:
        """The step as a CUDA graph."""
        static = torch.arange(self.spec.batch_size, device=self.device)
        side = torch.cuda.Stream(self.device)
        with torch.cuda.stream(side):
            for _ in range(3):
                self.step(static)
        torch.cuda.current_stream(self.device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step(static)

        def step(index: torch.Tensor) -> None:
            static.copy_(index)
            graph.replay()

        return step

    def epoch_ms(self, step: Callable[[torch.Tensor], None], steps: int) -> float:
        """Milliseconds of a step, over an epoch of as many."""
        began = time.perf_counter()
        order = torch.randperm(steps * self.spec.batch_size, device=self.device)
        for index in order.split(self.spec.batch_size):
            step(index)
        self.total.item()  # waits for the device
        return 1e3 * (time.perf_counter() - began) / steps


def prepare(order: dict[str, Any]) -> Callable[[], float]:
    """Build what is ordered and find the number of threads that suits it."""
    keep_memory()
    flush_subnormals(True)
    torch.backends.cudnn.benchmark = True
    with np.load(order["data"]) as data:
        made = ByHand(parse_spec(order["spec"]), data["x_train"], data["y_train"], order["device"])
    whole = torch.compile(made.written_out, fullgraph=True, dynamic=False)
    ways = {"plain": lambda: made.step, "compiled": lambda: whole, "graph": made.recorded}
    step = ways[order["way"]]()

    def epoch() -> float:
        return made.epoch_ms(step, order["steps"])

    def tried(threads: int) -> float:
        torch.set_num_threads(threads)
        epoch()  # warms up, or compiles
        return min(epoch(), epoch())

    every = torch.get_num_threads()
    step_ms = tried(every)
    if every > 1 and step_ms < SHORT_STEP_MS and step_ms < tried(1):
        torch.set_num_threads(every)
    return epoch


if __name__ == "__main__":
    serve(prepare)
