"""A run as a Keras script: the same parameters and losses without the lab."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cnnlab import datasets
from cnnlab.report.script import KERAS_SETS, keras_script
from cnnlab.spec import (
    PRESETS,
    Epoch,
    EpochEnded,
    ExperimentSpec,
    RnnModel,
    RunStarted,
    change,
)
from cnnlab.training import train
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.usefixtures("peaks")

PICTURES, CLASSES = 90, 5
# What comes back of a script: Keras's own history, in full digits.
REPORT = (
    "\nprint('history', {name: list(map(float, row)) for name, row in history.history.items()})\n"
)


def rnn(cell: str) -> ExperimentSpec:
    model = RnnModel(cell=cell, recurrent=(8, 6), dense=(10,), dropout=0.2)
    return ExperimentSpec(model=model)


def with_norm(name: str) -> ExperimentSpec:
    model = PRESETS[name].spec.model.model_copy(update={"batch_norm": True, "dropout": 0.3})
    if name == "tiny":
        model = model.model_copy(update={"padding": "same", "head": "flatten"})
    return change(PRESETS[name].spec, model=model.model_dump())


CASES: dict[str, tuple[ExperimentSpec, dict]] = {
    "article": (PRESETS["article"].spec, {"device": "cpu"}),
    "deeper": (PRESETS["deeper"].spec, {"gpu_off": "environment", "seed": 7}),
    "dense": (PRESETS["dense"].spec, {"gpu_off": "override", "optimizer": "sgd"}),
    "tiny": (PRESETS["tiny"].spec, {"device": "auto", "threads": 1}),
    "lstm": (rnn("lstm"), {"gpu_off": "device", "optimizer": "rmsprop"}),
    "gru": (rnn("gru"), {"optimizer": "adamw"}),
    "last steps": (
        change(rnn("simple"), model=RnnModel(cell="simple", sequence_length=9).model_dump()),
        {},
    ),
    "normed": (with_norm("tiny"), {"precision": "mixed_bfloat16"}),
    "normed dense": (with_norm("dense"), {"precision": "mixed_float16"}),
}


def written(spec: ExperimentSpec, shape: tuple[int, ...] = (32, 32, 3)) -> str:
    return keras_script(spec, shape, CLASSES, title="A run", data_file="run-data.npz")


def run(script: Path, **environment: str) -> str:
    """What a script prints in a fresh interpreter that does not know the lab."""
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-P", script.name],
        capture_output=True,
        text=True,
        cwd=script.parent,
        env=inherited | environment,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def trained(spec: ExperimentSpec) -> tuple[RunStarted, list[Epoch]]:
    """The same through the lab, in this process, on the CPU."""
    events: list = []
    spec = change(spec, engine="stock", device="cpu", gpu_off="none", threads=None)
    train(spec, events.append, lambda: False, launched_at=time.monotonic())
    started = next(event for event in events if isinstance(event, RunStarted))
    return started, [event.row for event in events if isinstance(event, EpochEnded)]


@pytest.mark.parametrize("name", CASES)
def test_a_script_has_the_same_parameters_and_losses(name: str, tmp_path: Path) -> None:
    spec, changes = CASES[name]
    shape = (14, 14, 1) if spec.model.family != "cnn" else (32, 32, 3)
    random = np.random.default_rng(0)
    file = tmp_path / "run-data.npz"
    images = random.integers(0, 256, (PICTURES, *shape), dtype=np.uint8)
    np.savez(file, x_train=images, y_train=np.arange(PICTURES) % CLASSES)
    spec = change(spec, dataset=str(file), epochs=2, train_limit=PICTURES - 5, **changes)
    started, rows = trained(spec)

    script = tmp_path / "run.py"
    script.write_text(written(spec, shape) + REPORT)
    said = run(script, CUDA_VISIBLE_DEVICES="")
    assert f"Total params: {started.model.parameters:,} " in said
    history = ast.literal_eval(said.split("history ")[-1])
    for metric in ("loss", "accuracy", "val_loss", "val_accuracy"):
        ours = [getattr(row, metric) for row in rows]
        np.testing.assert_allclose(history[metric], ours, rtol=1e-5, err_msg=metric)
    assert "Epoch 2/2" in said


def test_a_script_of_sequences_has_the_same_losses(tmp_path: Path) -> None:
    """As `runs export` writes it for a CSV file: the windows lie beside it, scaled already."""
    rows = np.random.default_rng(0).normal(0, 1, (120, 2)).cumsum(axis=0)
    lines = [f"{place},{a},{b}" for place, (a, b) in enumerate(rows)]
    file = tmp_path / "walk.csv"
    file.write_text("\n".join(["time,a,b", *lines]))
    spec = change(rnn("gru"), dataset=f"{file}?window=12", epochs=2, device="cpu")
    started, losses = trained(spec)
    facts = started.dataset
    data = datasets.load(spec.dataset, validation_split=spec.validation_split)
    np.savez(tmp_path / "run-data.npz", x_train=data.images, y_train=data.labels)
    text = keras_script(
        spec,
        facts.image_shape,
        facts.classes,
        title="A run",
        data_file="run-data.npz",
        kind=facts.kind,
    )
    assert "255" not in text
    (tmp_path / "run.py").write_text(text + REPORT)
    history = ast.literal_eval(run(tmp_path / "run.py").split("history ")[-1])
    for metric in ("loss", "val_loss"):
        ours = [getattr(row, metric) for row in losses]
        np.testing.assert_allclose(history[metric], ours, rtol=1e-5, err_msg=metric)


@pytest.mark.parametrize(
    ("name", "shape", "labels"),
    [("mnist", (28, 28), (PICTURES,)), ("cifar100", (32, 32, 3), (PICTURES, 1))],
)
def test_a_data_set_of_keras_is_loaded_by_its_name(
    name: str, shape: tuple[int, ...], labels: tuple[int, ...], tmp_path: Path
) -> None:
    """Pictures in the shapes in which Keras's loaders give them stand in for the real ones."""
    file = tmp_path / "pictures.npz"
    images = np.random.default_rng(0).integers(0, 256, (PICTURES, *shape), dtype=np.uint8)
    np.savez(file, x_train=images, y_train=(np.arange(PICTURES) % CLASSES).reshape(labels))
    spec = change(PRESETS["dense"].spec, dataset=name, train_limit=80, epochs=1, device="cpu")
    started, (row,) = trained(change(spec, dataset=str(file)))
    (tmp_path / "run.py").write_text(written(spec, started.dataset.image_shape) + REPORT)
    driver = tmp_path / "driver.py"
    driver.write_text(
        "import os, runpy\nos.environ['KERAS_BACKEND'] = 'torch'\nimport keras, numpy\n"
        "file = numpy.load('pictures.npz')\n"
        f"keras.datasets.{name}.load_data = lambda: ((file['x_train'], file['y_train']), None)\n"
        "runpy.run_path('run.py')\n"
    )
    said = run(driver)
    assert ast.literal_eval(said.split("history ")[-1])["loss"] == pytest.approx([row.loss], 1e-5)


def test_a_script_is_tidy_python_without_the_lab(tmp_path: Path) -> None:
    for name, (spec, changes) in CASES.items():
        text = written(change(spec, **changes))
        assert "cnnlab" not in text
        (tmp_path / f"{name}.py").write_text(text)
    # E402: what Keras and torch read at their import must stand before it.
    for check in (["check", "--select", "E,F,W,B", "--ignore", "E402"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *check, "--isolated", "--line-length", "100"]
        done = subprocess.run([*command, tmp_path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_a_script_says_only_what_its_spec_uses() -> None:
    bare = written(change(PRESETS["tiny"].spec, dataset="mnist"), (28, 28, 1))
    for word in (
        "dtype",
        "LossScaleOptimizer",
        "jit_compile",
        "BatchNormalization",
        "Dropout",
        "padding",
        "set_num_threads",
    ):
        assert word not in bare
    for word in ("np.", "CUDA_VISIBLE_DEVICES", "is_available", "Reshape"):
        assert word not in bare
    rich = written(
        change(with_norm("tiny"), compile=True, threads=3, tf32="off", precision="mixed_bfloat16")
    )
    for word in ("dtype=", "jit_compile=True", "BatchNormalization", "Dropout", 'padding="same"'):
        assert word in rich
    assert "LossScaleOptimizer" not in rich
    half = written(change(PRESETS["tiny"].spec, precision="mixed_float16"))
    assert "optimizer=keras.optimizers.LossScaleOptimizer(optimizer)," in half
    assert "torch.set_num_threads(3)" in rich
    assert 'torch.backends.cudnn.conv.fp32_precision = "ieee"' in rich


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"device": "cpu"}, 'with keras.device("cpu"):\n    keras.utils.set_random_seed'),
        ({"device": "cuda"}, 'with keras.device("cuda:0"):\n    model = build_model()'),
        ({"device": "cuda:1"}, 'with keras.device("cuda:1"):\n    model = build_model()'),
        ({"device": "auto"}, "\nmodel = build_model()\nmodel.set_weights(weights)"),
        ({"gpu_off": "environment"}, 'os.environ["CUDA_VISIBLE_DEVICES"] = ""'),
        ({"gpu_off": "override"}, "torch.cuda.is_available = lambda: False\n"),
    ],
)
def test_the_device_and_the_off_switches_are_respected(changes: dict, said: str) -> None:
    text = written(change(PRESETS["tiny"].spec, **changes))
    assert said in text
    before_import = text[: text.index("import keras")]
    if changes.get("gpu_off"):
        assert said in before_import


@pytest.mark.parametrize(
    "evil",
    ['"""\nimport evil\n"""', "x\rimport evil", "x\u2028import evil", "a\\", "x\x00", "\u202eevil"],
)
def test_no_text_of_a_run_can_become_code(evil: str) -> None:
    spec = change(PRESETS["dense"].spec, dataset=f"{evil}.npz")
    text = keras_script(spec, (28, 28, 1), 10, title=evil, data_file=f"{evil}.npz")
    calm = keras_script(spec, (28, 28, 1), 10, title="x", data_file="x.npz")
    same = re.sub(r"with_name\(.*\)\)", "with_name(…))", ast.unparse(ast.parse(text)))
    assert same == re.sub(r"with_name\(.*\)\)", "with_name(…))", ast.unparse(ast.parse(calm)))
    assert text.isascii()
    assert "\r" not in text


def test_the_names_that_keras_loads_are_those_of_the_lab() -> None:
    from cnnlab.datasets import REGISTRY

    assert set(KERAS_SETS) == set(REGISTRY) - {"shapes10", "shapes", "waves"}


def test_the_script_of_a_fast_run_says_what_it_repeats_and_what_not():
    def head(spec):
        text = keras_script(spec, (32, 32, 3), 10, title="t", data_file="d.npz")
        return text.partition("import os")[0]

    fast = head(change(PRESETS["tiny"].spec, engine="fast"))
    assert "# The same: first weights, order of the batches, dropout" in fast
    assert "by less than 0.0001 in the first hundred steps" in fast
    halved = head(change(PRESETS["tiny"].spec, engine="fast", precision="mixed_bfloat16"))
    assert "part from the first steps on" in halved
    assert "Not the same" not in head(change(PRESETS["tiny"].spec, engine="stock"))
