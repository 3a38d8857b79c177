"""Runs that left weights and answers, written as training would, for tests of who reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cnnlab import datasets, learned
from cnnlab.history import History
from cnnlab.learned import About, Writer
from cnnlab.models import Layer, layer_table, parameters
from cnnlab.spec import (
    Block,
    CnnModel,
    Conv,
    DatasetFacts,
    Exam,
    ExperimentSpec,
    Kind,
    ModelFacts,
    ModelSpec,
    Part,
    RunStarted,
    Status,
    parse_spec,
)
from tests.example_runs import CPU, ended, epoch

PICTURES, TRAIN, TESTED = 80, 60, 12
NAMES = ("0", "1", "2")
SMALL_CNN = CnnModel(
    blocks=(Block(convs=(Conv(filters=4),), pool=2), Block(convs=(Conv(filters=5),))),
    head="flatten",
    dense=(),
    dropout=0.0,
)


def marks(folder: Path, channels: int = 1) -> Path:
    """A data set of 80 grey or coloured pictures of 12 x 12 in three classes, light on dark; and 12
    more to test with."""
    labels = np.arange(PICTURES + TESTED) % len(NAMES)
    images = np.random.default_rng(0).integers(0, 40, (len(labels), 12, 12, channels), np.uint8)
    for picture, label in zip(images, labels, strict=True):
        picture[2 + 3 * label : 5 + 3 * label, 2:10] = 220
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"marks{channels}.npz"
    train, test = slice(PICTURES), slice(PICTURES, None)
    arrays = {"x_train": images[train], "x_test": images[test]}
    np.savez(file, **arrays, y_train=labels[train], y_test=labels[test])
    datasets.fetch(str(file))
    return file


def wandering(folder: Path) -> str:
    """A data set of 80 windows, 8 rows of two columns of values that wander, in three classes."""
    values = 100 + np.cumsum(np.random.default_rng(0).normal(size=(PICTURES + 8, 2)), axis=0)
    days = np.datetime64("2024-01-01") + np.arange(len(values))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "prices.csv"
    rows = (f"{day},{a},{b}" for day, (a, b) in zip(days, values, strict=True))
    file.write_text("\n".join(["day,a,b", *rows]))
    name = f"{file}?window=8"
    datasets.fetch(name)
    return name


def spec_of(dataset: str, model: ModelSpec = SMALL_CNN, epochs: int = 3) -> ExperimentSpec:
    """A run on `marks`: the last 20 pictures validate."""
    plain = {"dataset": dataset, "model": model.model_dump(), "validation_split": 0.25}
    return parse_spec(plain | {"epochs": epochs, "device": "cpu", "batch_size": 20})


def weights_of(layers: list[Layer], spec: ExperimentSpec, seed: int) -> dict[str, np.ndarray]:
    """Weights for a spec's network of convolution, Dense and LSTM layers, in Keras's order."""
    rng, found = np.random.default_rng(seed), dict[str, np.ndarray]()
    before = layers[0].output_shape
    convs = iter(conv for block in getattr(spec.model, "blocks", ()) for conv in block.convs)
    for layer in layers[1:]:
        if layer.kind == "LSTM":
            units, inputs = layer.output_shape[-1], before[-1]
            for kind, shape in (("kernel", inputs), ("recurrent", units), ("bias", None)):
                name = f"{len(found):04d}.lstm.{kind}"
                whole = (4 * units,) if shape is None else (shape, 4 * units)
                found[name] = rng.normal(0, 0.3, whole).astype(np.float32)
        elif layer.parameters:
            size = next(convs).kernel if layer.kind == "Conv2D" else None
            shape = (size, size, before[-1]) if size else (int(np.prod(before)),)
            units = layer.output_shape[-1]
            for kind, kernel in (("kernel", (*shape, units)), ("bias", (units,))):
                name = f"{len(found):04d}.{layer.kind.lower()}.{kind}"
                found[name] = rng.normal(0, 0.3, kernel).astype(np.float32)
        before = layer.output_shape
    return found


def shares(labels: np.ndarray, seed: int) -> np.ndarray:
    """Answers to pictures that are right more often than not."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(labels), len(NAMES))) + 1.5 * np.eye(len(NAMES))[labels]
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True)


def add_kept_run(
    history: History,
    dataset: Path | str,
    *,
    name: str = "Example",
    model: ModelSpec = SMALL_CNN,
    kind: Kind = "pictures",
    seed: int = 0,
    kept: bool = True,
    answered: bool = True,
    tested: bool = False,
    part: Part | None = None,
    over: bool = True,
) -> str:
    """A run of three epochs on `marks`; its id.

    Args:
        kept: whether it left weights.
        answered: whether it left its answers to the validation pictures too.
        tested: whether it was held against the test set.
        over: whether it finished; one that did not has answered nothing yet.
    """
    spec = spec_of(str(dataset), model)
    info = datasets.info(str(dataset))
    assert info.image_shape is not None
    facts = DatasetFacts(
        name=spec.dataset,
        train_images=TRAIN,
        validation_images=PICTURES - TRAIN,
        classes=len(NAMES),
        image_shape=info.image_shape,
        kind=kind,
    )
    layers = layer_table(spec.model, info.image_shape, len(NAMES))
    run_id = history.create(spec, name=name, session="today", part=part)
    about = ModelFacts(parameters=parameters(layers), flops_per_image=50_000)
    begun = RunStarted(model=about, dataset=facts, device=CPU, environment={}, steps_per_epoch=3)
    for event in (begun, *(epoch(n, 5.0)[-1] for n in (1, 2, 3))):
        history.record(run_id, event)
    exam = Exam(loss=1.0, accuracy=0.5, images=TESTED) if tested else None
    if over:
        end = ended(3, 5.0, Status.FINISHED).model_copy(update={"test": exam})
        history.record(run_id, end)
    if kept:
        places = {"validation": np.arange(TRAIN, PICTURES)} if answered and over else {}
        if tested:
            places["test"] = np.arange(TESTED)
        _keep(run_id, spec, layers, seed, places)
    return run_id


def go_on_and_break_off(run_id: str, epochs: int) -> None:
    """Resume a run of `add_kept_run`, and kill it after so many epochs."""
    kept = learned.open_run(run_id)
    shown, weights = kept.gallery, kept.weights("final")
    size = sum(array.nbytes for array in weights.values())
    about = About(epochs, NAMES, tuple(weights), size, shown.indices, shown.labels)
    writer = Writer(run_id)
    writer.begin(about, kept.facts.epochs)
    for _ in range(kept.facts.epochs, epochs):
        writer.epoch(weights, 0.1, shown.probabilities[0])


def _keep(
    run_id: str, spec: ExperimentSpec, layers: list[Layer], seed: int, asked: dict[str, np.ndarray]
) -> None:
    places = np.arange(TRAIN, PICTURES)
    labels = places % len(NAMES)
    film = [weights_of(layers, spec, seed + number) for number in range(3)]
    writer = Writer(run_id)
    size = sum(array.nbytes for array in film[0].values())
    shown = About(3, NAMES, tuple(film[0]), size, places[:12], labels[:12])
    writer.begin(shown, 0)
    for number, (weights, accuracy) in enumerate(zip(film, (0.5, 0.8, 0.7), strict=True)):
        writer.epoch(weights, accuracy, shares(labels[:12], seed + number))
    writer.end({part: _given(part, places, seed) for part, places in asked.items()})


def _given(part: str, places: np.ndarray, seed: int) -> learned.Answers:
    """What was answered to a part of `marks`, in which the classes take turns."""
    labels = (places + (PICTURES if part == "test" else 0)) % len(NAMES)
    final, best = shares(labels, seed + 2), shares(labels, seed + 1)
    return learned.Answers(labels, places, final, best)
