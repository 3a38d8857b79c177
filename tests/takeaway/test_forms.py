"""A network in each form: whoever opens the file gets the answers of the network that learnt."""

from __future__ import annotations

import json
import zipfile
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
    model = RnnModel(cell=cell, recurrent=(5, 4), dense=(6,), dropout=0.2, sequence_length=7)
    return ExperimentSpec(model=model)


CASES: dict[str, tuple[ExperimentSpec, tuple[int, int, int]]] = {
    "cnn": (change(PRESETS["tiny"].spec, model=SMALL), (12, 10, 3)),
    "dense": (change(PRESETS["dense"].spec, precision="mixed_bfloat16"), (8, 8, 1)),
    "lstm": (recurrent("lstm"), (9, 3, 1)),
    "gru": (recurrent("gru"), (9, 3, 1)),
    "simple": (recurrent("simple"), (9, 3, 1)),
}
CLASSES = ("cat", "dog", "Maus")


def about(case: str) -> About:
    spec, shape = CASES[case]
    said = INPUTS["pictures"]
    return About(
        run_id="a-run", name="A run", spec=spec, input_shape=shape, input=said, classes=CLASSES
    )


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


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("form", FORMS)
def test_a_file_answers_as_the_network_did_and_so_does_another(
    form: Form, case: str, tmp_path: Path
) -> None:
    weights, asked, answers = learnt(case)
    given = []
    for number in range(2):
        path = tmp_path / f"{number}{SUFFIXES[form]}"
        assert make_file(about(case), weights, form, path) <= TOLERANCE
        opened = WRITERS[form].opened(about(case), path)
        given.append(opened(asked))
        np.testing.assert_allclose(given[0][:1], opened(asked[:1]), atol=TOLERANCE)
    np.testing.assert_allclose(given[0], answers, atol=TOLERANCE)
    np.testing.assert_array_equal(given[0], given[1])


def test_a_keras_file_is_a_plain_model_in_float32(tmp_path: Path) -> None:
    import keras

    weights, *_ = learnt("cnn")
    path = tmp_path / "run.keras"
    make_file(about("cnn"), weights, "keras", path)
    model = keras.saving.load_model(path)
    assert type(model) is keras.Model or type(model).__module__.startswith("keras.")
    assert {type(layer).__module__.split(".")[0] for layer in model.layers} == {"keras"}
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    for kept, array in zip(model.get_weights(), weights.values(), strict=True):
        np.testing.assert_array_equal(kept, array)


@pytest.mark.parametrize("form", FORMS)
def test_each_file_says_what_its_input_and_outputs_are(form: Form, tmp_path: Path) -> None:
    weights, *_ = learnt("dense")
    path = tmp_path / f"run{SUFFIXES[form]}"
    make_file(about("dense"), weights, form, path)
    assert About.model_validate_json(said_by(form, path)) == about("dense")


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
    weights, *_ = learnt("dense")
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
