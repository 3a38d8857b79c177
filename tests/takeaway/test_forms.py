"""A network in each form: whoever opens the file gets the answers of the network that learnt."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from cnnlab.models import build_model
from cnnlab.spec import PRESETS, ExperimentSpec, LabError, RnnModel, change
from cnnlab.takeaway import SUFFIXES, About, Form
from cnnlab.takeaway import forms as all_forms
from cnnlab.takeaway.forms import FACTS, WRITERS
from cnnlab.takeaway.making import TOLERANCE, make_file
from cnnlab.takeaway.order import INPUTS
from cnnlab.takeaway.plain import model_of

FORMS: list[Form] = list(SUFFIXES)
SMALL = {
    "family": "cnn",
    "blocks": [{"convs": [{"filters": 4, "kernel": 3}], "pool": 2}],
    "dense": [6],
    "batch_norm": True,
    "dropout": 0.3,
}


def recurrent(cell: str) -> ExperimentSpec:
    model = RnnModel(cell=cell, recurrent=(5, 4), dense=(6,), dropout=0.2, sequence_length=3)
    return ExperimentSpec(model=model)


CASES: dict[str, tuple[ExperimentSpec, tuple[int, int, int]]] = {
    "cnn": (change(PRESETS["tiny"].spec, model=SMALL), (12, 10, 3)),
    "dense": (change(PRESETS["dense"].spec, precision="mixed_bfloat16"), (8, 8, 1)),
    # A few steps: some exporters write each of them anew.
    "lstm": (recurrent("lstm"), (3, 2, 1)),
    "gru": (recurrent("gru"), (3, 2, 1)),
    "simple": (recurrent("simple"), (3, 2, 1)),
    # Long loops, which an exporter may unroll or cut.
    "lstm preset": (PRESETS["lstm"].spec, (128, 3, 1)),
    "gru preset": (PRESETS["gru"].spec, (128, 3, 1)),
}
CLASSES = ("cat", "dog", "Maus")
EACH = [(form, case) for form in FORMS for case in CASES if "preset" not in case or form == "onnx"]
"""What is made, once each, for all that is claimed of it."""


def about(case: str) -> About:
    spec, shape = CASES[case]
    return About(
        run_id="a-run",
        name="A run",
        spec=spec,
        weights="best",
        epoch=7,
        input_shape=shape,
        input=INPUTS["pictures"],
        classes=CLASSES,
    )


@cache
def learnt(case: str) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Weights as the fast engine holds them, pictures, and what its network answers to them."""
    spec, shape = CASES[case]
    model = build_model(
        change(spec, precision="float32"), shape, len(CLASSES), data_format="channels_first"
    )
    random = np.random.default_rng(1)
    weights = [
        array + random.normal(0, 0.05, array.shape).astype(np.float32) ** 2
        for array in model.get_weights()
    ]
    model.set_weights(weights)
    asked = random.random((6, *shape)).astype(np.float32)
    first = spec.model.family == "cnn"
    answers = model.predict(asked.transpose(0, 3, 1, 2) if first else asked, verbose=0)
    named = {f"{number:03d} x": array for number, array in enumerate(weights)}
    return named, asked, answers


Made = Callable[[Form, str], Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The file of a form and a case."""
    folder = tmp_path_factory.mktemp("files")

    @cache
    def make(form: Form, case: str) -> Path:
        path = folder / f"{case}{SUFFIXES[form]}"
        assert make_file(about(case), learnt(case)[0], form, path) <= TOLERANCE
        return path

    return make


def answers_of(form: Form, case: str, path: Path) -> np.ndarray:
    """What a file answers when it is opened: to all at once, then to the first alone."""
    opened, asked = WRITERS[form].opened(about(case), path), learnt(case)[1]
    return np.concatenate([opened(asked), opened(asked[:1])])


@pytest.mark.parametrize(("form", "case"), EACH)
def test_a_file_answers_as_the_network_did(form: Form, case: str, made: Made) -> None:
    *_, answers = learnt(case)
    given = answers_of(form, case, made(form, case))
    np.testing.assert_allclose(given, [*answers, answers[0]], atol=TOLERANCE)


@pytest.mark.parametrize("form", FORMS)
def test_a_second_file_answers_as_the_first_one(form: Form, made: Made, tmp_path: Path) -> None:
    second = tmp_path / f"second{SUFFIXES[form]}"
    make_file(about("dense"), learnt("dense")[0], form, second)
    first, again = (answers_of(form, "dense", path) for path in (made(form, "dense"), second))
    np.testing.assert_array_equal(first, again)


def test_a_keras_file_is_a_plain_model_in_float32(made: Made) -> None:
    import keras

    model = keras.saving.load_model(made("keras", "cnn"))
    assert type(model) is keras.Model or type(model).__module__.startswith("keras.")
    assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    for kept, array in zip(model.get_weights(), learnt("cnn")[0].values(), strict=True):
        np.testing.assert_array_equal(kept, array)


@pytest.mark.parametrize("form", FORMS)
def test_each_file_says_what_its_input_and_outputs_are_and_which_weights_it_holds(
    form: Form, made: Made
) -> None:
    said = About.model_validate_json(said_by(form, made(form, "dense")))
    assert said == about("dense")
    assert (said.weights, said.epoch) == ("best", 7)


def said_by(form: Form, path: Path) -> str:
    if form == "keras":
        return zipfile.ZipFile(path).read(FACTS).decode()
    if form == "onnx":
        import onnx

        return {entry.key: entry.value for entry in onnx.load(path).metadata_props}[FACTS]
    if form == "torch":
        import torch

        extra = {FACTS: ""}
        torch.export.load(path, extra_files=extra)
        return extra[FACTS]
    length = int.from_bytes(path.read_bytes()[:8], "little")
    return json.loads(path.read_bytes()[8 : 8 + length])["__metadata__"][FACTS]


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    weights = dict(learnt("dense")[0])
    weights["000 x"] = np.full_like(weights["000 x"], np.nan)
    with pytest.raises(LabError, match=r"no numbers .*diverged"):
        make_file(about("dense"), weights, "keras", tmp_path / "run.keras")


def test_weights_of_another_network_are_refused() -> None:
    weights, *_ = learnt("lstm")
    with pytest.raises(LabError, match="do not fit its network"):
        model_of(about("gru"), weights)


def test_a_file_that_answers_otherwise_is_not_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, *_ = learnt("dense")
    right = WRITERS["keras"]

    def wrong(about: About, path: Path) -> all_forms.Answer:
        answer = right.opened(about, path)
        return lambda asked: answer(asked) + 2e-4

    monkeypatch.setitem(WRITERS, "keras", right._replace(opened=wrong))
    with pytest.raises(LabError, match="answers otherwise than the network"):
        make_file(about("dense"), weights, "keras", tmp_path / "run.keras")


def test_a_missing_library_is_named_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(all_forms, "ONNX_NEEDS", ("onnx", "no_such_library"))
    weights, *_ = learnt("dense")
    with pytest.raises(LabError, match=r"needs no_such_library.*requirements-onnx\.txt"):
        make_file(about("dense"), weights, "onnx", tmp_path / "run.onnx")
