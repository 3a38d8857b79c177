"""The networks: what a spec describes, layer by layer, what it costs, and the same in Keras."""

from cnnlab.models.build import build_model
from cnnlab.models.costs import memory_mb, step_counts, update_bytes
from cnnlab.models.layers import (
    Layer,
    Shape,
    check,
    flops_per_image,
    layer_table,
    parameters,
    split,
    training_flops_per_image,
)

__all__ = [
    "Layer",
    "Shape",
    "build_model",
    "check",
    "flops_per_image",
    "layer_table",
    "memory_mb",
    "parameters",
    "split",
    "step_counts",
    "training_flops_per_image",
    "update_bytes",
]
