"""What the fields of a spec, and the facts found about a run, are called by people.

One table, so that the form, the refusals, the comparisons and the reports say the same words.
"""

from __future__ import annotations

import re
from pathlib import PurePath

LABELS: dict[str, str] = {
    "preset": "Preset",
    "model": "Network",
    "dataset": "Data set",
    "train_limit": "Examples used",
    "model.family": "Family",
    "model.cell": "Cell",
    "model.recurrent": "Recurrent units",
    "model.sequence_length": "Sequence length",
    "model.head": "Head",
    "model.dense": "Dense units",
    "model.dropout": "Dropout",
    "model.batch_norm": "Batch normalisation",
    "model.padding": "Padding",
    "model.activation": "Activation",
    "model.initializer": "Initializer",
    "model.blocks": "Blocks",
    "epochs": "Epochs",
    "batch_size": "Batch size",
    "optimizer": "Optimizer",
    "learning_rate": "Learning rate",
    "validation_split": "Validation split",
    "split": "Validated on",
    "precision": "Precision",
    "tf32": "TF32",
    "seed": "Seed",
    "engine": "Engine",
    "compile": "torch.compile",
    "device": "Device",
    "machine": "Where",
    "threads": "CPU threads",
    "gpu_off": "Switch the GPU off by",
    # Found, not asked for.
    "model.parameters": "Parameters",
    "model.flops_per_image": "FLOPs per image",
    "model.training_flops_per_image": "FLOPs per image, trained on",
    "model.weights_sha256": "First weights (SHA-256)",
    "dataset.name": "Data set found",
    "dataset.train_images": "Examples to train on",
    "dataset.validation_images": "Examples to validate on",
    "dataset.classes": "Classes",
    "dataset.image_shape": "Shape of an example",
    "dataset.synthetic": "Synthetic data",
    "dataset.kind": "Kind of data",
    "device.requested": "Device asked for",
    "device.used": "Device used",
    "device.name": "Name of the device",
    "device.gpu_off": "GPU switched off by",
    "arithmetic": "Arithmetic",
    # Of the machine and the software.
    "environment.threads": "CPU threads used",
    "environment.host": "Machine",
    "environment.cpu": "CPU",
    "environment.cpu_physical_cores": "CPU cores",
    "environment.cpu_logical_cores": "Logical CPU cores",
    "environment.cpu_usable_cores": "Usable CPU cores",
    "environment.cpu_instruction_sets": "Instruction sets",
    "environment.cpu_governor": "CPU governor",
    "environment.memory_mb": "Memory of the machine (MB)",
    "environment.platform": "System",
    "environment.power_source": "Power source",
    "environment.load_average": "Load when it began",
    "environment.numpy": "NumPy",
    "environment.streamlit": "Streamlit",
    "environment.accelerator": "Accelerator",
    "environment.accelerator_memory_mb": "Accelerator's memory (MB)",
    "environment.accelerator_driver": "Accelerator's driver",
    "environment.accelerator_compute_capability": "Compute capability",
    "environment.accelerator_power_limit_w": "Accelerator's power limit (W)",
    "environment.python": "Python",
    "environment.keras": "Keras",
    "environment.torch": "torch",
    "environment.cnnlab": "CNN Lab",
    "environment.cxx_compiler": "C++ compiler",
    "environment.steps_not_recorded_because": "Why the step is not recorded",
    "environment.openmp_wait": "OpenMP's waiting policy",
    "environment.pictures_staged": "Staging of pictures",
    "environment.steps_recorded": "Recording of the step",
    "environment.sequences_compiled": "Compiling of a sequence's steps",
    "environment.subnormals_flushed": "Flushing of subnormal numbers",
    "environment.card_shared": "Sharing of the card",
    "environment.cuda": "CUDA",
    "environment.cudnn": "cuDNN",
    "environment.rocm": "ROCm",
    "environment.matmul_tf32": "TF32 in matrix products",
    "environment.cudnn_tf32": "TF32 in convolutions",
}
"""By dotted name, at any depth but that of a network's blocks, which `label` puts into words."""

CHOICES: dict[str, dict[str, str]] = {
    "model.family": {"cnn": "CNN", "dense": "Dense", "rnn": "RNN"},
    "model.cell": {"simple": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"},
    "model.head": {"global_average": "Global average", "flatten": "Flatten"},
    "optimizer": {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop"},
    "split": {"last": "The last ones", "stratified": "Each class's share"},
    "tf32": {"default": "As torch has it", "on": "Everywhere", "off": "Nowhere"},
}
"""What the values of some fields are called, by the field's dotted name."""

NAMES = ("Python", "Keras", "NumPy", "Streamlit")


def label(path: str) -> str:
    """The name of a field or fact, at any depth: "Batch size", "Block 1, Conv2D 2, filters".

    Facts of the machine also go by their name alone. What has no name stays what it is.
    """
    if path.startswith("model.blocks."):
        return _in_a_block(path.split("."))
    whole = re.sub(r"\.\d+$", "", path)
    return LABELS.get(whole) or LABELS.get(f"environment.{whole}", path)


def spoken(path: str) -> str:
    """`label` within a sentence: "batch size", but "CPU threads" and "Python"."""
    whole = label(path)
    name = whole in NAMES or not whole[1:2].islower()
    return whole if name else whole[0].lower() + whole[1:]


def choice(path: str, value: str) -> str:
    """What a value of a field is called: "Adam" for adam; what has no name stays what it is."""
    return CHOICES.get(path, {}).get(value, value)


_ASKED_OF_A_FILE = re.compile(r"(?P<path>.+?\.\w+)(?P<options>\?.*)", re.DOTALL)


def data_file(name: str) -> str:
    """A data set's name without the folders that its file lies in: `prices.csv?window=64`."""
    found = _ASKED_OF_A_FILE.fullmatch(name)
    path, options = found.groups() if found else (name, "")
    return PurePath(path.replace("\\", "/")).name + options


def _in_a_block(parts: list[str]) -> str:
    numbers = [int(part) + 1 for part in parts if part.isdigit()]
    words = [f"{kind} {number}" for kind, number in zip(("Block", "Conv2D"), numbers, strict=False)]
    last = parts[-1]
    return ", ".join(words + ([last] if last in ("filters", "kernel", "pool") else []))
