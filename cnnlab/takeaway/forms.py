"""The files themselves: each form is written, and opened again the way its user would."""

from __future__ import annotations

import importlib.util
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnnlab.spec import LabError
from cnnlab.takeaway.order import About, Form
from cnnlab.takeaway.plain import empty_model

if TYPE_CHECKING:
    import keras

Answer = Callable[[np.ndarray], np.ndarray]
"""Probabilities (N, classes) for input (N, height, width, channels)."""
FACTS = "cnnlab.json"
"""What a file says of itself, within it."""
ONNX_NEEDS = ("onnx", "onnxscript", "onnxruntime")


class Writer(NamedTuple):
    """How a form is made, and read again."""

    write: Callable[[keras.Model, About, Path], None]
    opened: Callable[[About, Path], Answer]


def probabilities(model: keras.Model, asked: np.ndarray) -> np.ndarray:
    """What a Keras model answers."""
    return np.asarray(model.predict(asked, verbose=0))


# --- keras ----------------------------------------------------------------------------------


def _write_keras(model: keras.Model, about: About, path: Path) -> None:
    model.save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(FACTS, about.model_dump_json())


def _open_keras(_: About, path: Path) -> Answer:
    import keras

    model: Any = keras.saving.load_model(path, compile=False)
    return lambda asked: probabilities(model, asked)


# --- onnx -----------------------------------------------------------------------------------


def _write_onnx(model: keras.Model, about: About, path: Path) -> None:
    lacking = [name for name in ONNX_NEEDS if importlib.util.find_spec(name) is None]
    if lacking:
        raise LabError(
            f"The format onnx needs {' and '.join(lacking)}, which is not installed: "
            "`pip install -r requirements-onnx.txt`, or choose another format."
        )
    import onnx

    model.export(path, format="onnx", verbose=False)
    written = onnx.load(path)
    written.metadata_props.add(key=FACTS, value=about.model_dump_json())
    onnx.save(written, path)


def _open_onnx(_: About, path: Path) -> Answer:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda asked: np.asarray(session.run(None, {name: asked})[0])


# --- torch ----------------------------------------------------------------------------------


def _write_torch(model: keras.Model, about: About, path: Path) -> None:
    import keras
    import torch

    for layer in model.layers:
        if isinstance(layer, keras.layers.SimpleRNN):
            layer.unroll = True  # its loop (Keras 3.15) takes the number of sequences for fixed
    batch = {0: torch.export.Dim("batch")}
    model.export(path, format="torch", verbose=False, dynamic_shapes=batch)
    program = torch.export.load(path)
    torch.export.save(program, path, extra_files={FACTS: about.model_dump_json()})


def _open_torch(_: About, path: Path) -> Answer:
    import torch

    module = torch.export.load(path).module()

    def answer(asked: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(module(torch.from_numpy(asked)))

    return answer


# --- safetensors ----------------------------------------------------------------------------


def _write_safetensors(model: keras.Model, about: About, path: Path) -> None:
    from safetensors.numpy import save_file

    # Numbered, for Keras may call two cells of a network alike; contiguous, for of others the
    # library (0.8) writes the memory as it lies, not the array.
    arrays = {
        f"{number:03d}.{variable.path}": np.ascontiguousarray(variable.numpy())
        for number, variable in enumerate(model.weights)
    }
    save_file(arrays, path, metadata={FACTS: about.model_dump_json()})


def _open_safetensors(about: About, path: Path) -> Answer:
    from safetensors.numpy import load_file

    arrays = load_file(path)
    model = empty_model(about)
    model.set_weights([arrays[name] for name in sorted(arrays)])
    return lambda asked: probabilities(model, asked)


WRITERS: dict[Form, Writer] = {
    "keras": Writer(_write_keras, _open_keras),
    "onnx": Writer(_write_onnx, _open_onnx),
    "torch": Writer(_write_torch, _open_torch),
    "safetensors": Writer(_write_safetensors, _open_safetensors),
}
