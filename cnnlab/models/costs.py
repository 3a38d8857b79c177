"""What a training step takes by arithmetic alone: memory, kernel calls, operations, bytes."""

from __future__ import annotations

from itertools import pairwise

from cnnlab.models.layers import Layer, parameters, training_flops_per_image
from cnnlab.spec import ExperimentSpec

_OPTIMIZER_STATES = {"adam": 2, "adamw": 2, "rmsprop": 1, "sgd": 0}


def memory_mb(spec: ExperimentSpec, layers: list[Layer]) -> float:
    """Estimated MB (10^6 bytes) that a training step holds at its peak.

    Weights, gradients and the optimizer's state (float32); every layer's output for one batch, and
    what recurrent cells keep of every step, with gradients (half the size in a mixed precision).
    The frameworks' own few hundred MB and the data come on top.
    """
    states = _OPTIMIZER_STATES[spec.optimizer]
    bytes_each = 4 if spec.precision == "float32" else 2
    weights = parameters(layers) * 4 * (2 + states)
    activations = (
        sum(layer.size + layer.held for layer in layers) * spec.batch_size * bytes_each * 2
    )
    return (weights + activations) / 1e6


# Kernels that a cell starts for one element of a sequence, in units of a feed-forward layer's.
_CELL_CALLS = {"SimpleRNN": 1, "GRU": 3, "LSTM": 3}


def step_counts(spec: ExperimentSpec, layers: list[Layer]) -> tuple[int, int, int]:
    """What one training step does: kernel calls, floating-point operations, bytes moved.

    Calls are in units of one layer's, forward and backward; a recurrent layer makes them for every
    element of its sequence. Bytes are those of the weights (read in both directions, the gradient
    written and read, the optimizer's state read and written) and of every layer's output (written
    and read, and so its gradient).
    """
    bytes_each = 4 if spec.precision == "float32" else 2
    states = _OPTIMIZER_STATES[spec.optimizer]
    calls = 0
    for before, layer in pairwise(layers):
        calls += _CELL_CALLS.get(layer.kind, 0) * before.output_shape[0] or 1
    flops = training_flops_per_image(layers) * spec.batch_size
    weights = parameters(layers) * 4 * (5 + 2 * states)
    outputs = sum(layer.size for layer in layers) * spec.batch_size * bytes_each * 4
    return calls, flops, weights + outputs


def update_bytes(spec: ExperimentSpec, layers: list[Layer]) -> int:
    """Bytes that an optimizer step moves at the least: weights, gradients and its state are read,
    weights and state written.
    """
    return 4 * parameters(layers) * (3 + 2 * _OPTIMIZER_STATES[spec.optimizer])
