"""A run as a notebook: the script's code in cells, and the link under which Colab opens it."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pytest

from cnnlab.history import History
from cnnlab.report.notebook import colab_link, notebook
from cnnlab.report.script import KERAS_SETS, keras_script, steps
from cnnlab.spec import PRESETS, LabError, RunCard, change
from tests.example_runs import add_run
from tests.report.test_script import REPORT, run, trained

DATA = "run-data.npz"


@pytest.fixture
def card() -> RunCard:
    """A finished run on a data set that Keras has."""
    history = History()
    spec = change(PRESETS["tiny"].spec, dataset="mnist", device="cpu")
    return history.card(add_run(history, spec=spec, name="A run"))


def written(card: RunCard) -> dict:
    assert card.dataset
    return json.loads(notebook(card, card.dataset, DATA))


def cells(document: dict, kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in document["cells"] if cell["cell_type"] == kind]


def test_a_notebook_is_one_of_the_format_that_jupyter_and_colab_read(card: RunCard) -> None:
    document = written(card)
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    assert document["metadata"]["kernelspec"]["name"] == "python3"
    names = [cell["id"] for cell in document["cells"]]
    assert len(set(names)) == len(names)
    for cell in document["cells"]:
        wanted = {"cell_type", "id", "metadata", "source"}
        wanted |= {"execution_count", "outputs"} if cell["cell_type"] == "code" else set()
        assert set(cell) == wanted
        assert all(line.endswith("\n") for line in cell["source"][:-1])


def test_its_code_is_the_scripts(card: RunCard) -> None:
    facts = card.dataset
    assert facts
    whole = "\n".join(cells(written(card), "code"))
    script = keras_script(
        card.spec, facts.image_shape, facts.classes, title="x", data_file=DATA, kind=facts.kind
    )
    assert ast.unparse(ast.parse(whole)) == ast.unparse(ast.parse(script))


def test_it_trains_the_run_with_the_same_losses(card: RunCard, tmp_path: Path) -> None:
    file = tmp_path / DATA
    images = np.random.default_rng(0).integers(0, 256, (60, 12, 12, 1), dtype=np.uint8)
    np.savez(file, x_train=images, y_train=np.arange(60) % 3)
    model = {"family": "dense", "dense": [12], "dropout": 0.2}
    spec = change(card.spec, dataset=str(file), train_limit=None, epochs=2, model=model)
    started, rows = trained(spec)
    card = card.model_copy(update={"spec": spec, "dataset": started.dataset})
    document = written(card)
    assert DATA in "".join(cells(document, "markdown"))
    code = tmp_path / "cells.py"
    code.write_text("\n\n".join(cells(document, "code")) + REPORT)
    history = ast.literal_eval(run(code).split("history ")[-1])
    np.testing.assert_allclose(history["loss"], [row.loss for row in rows], rtol=1e-5)


def test_it_says_what_the_run_reached_and_where_its_data_go(card: RunCard) -> None:
    said = "\n".join(cells(written(card), "markdown"))
    assert "validation accuracy of 12" in said
    assert "put that file beside it" not in said
    own = change(card.spec, dataset="shapes10")
    said = "\n".join(cells(written(card.model_copy(update={"spec": own})), "markdown"))
    assert "put that file beside it" in said
    assert "shapes10" not in KERAS_SETS


@pytest.mark.parametrize(("device", "wanted"), [("cpu", False), ("auto", True), ("cuda", True)])
def test_colab_is_asked_for_a_gpu_where_the_run_may_use_one(
    card: RunCard, device: str, wanted: bool
) -> None:
    card = card.model_copy(update={"spec": change(card.spec, device=device)})
    assert ("accelerator" in written(card)["metadata"]) == wanted


def test_no_name_of_a_run_becomes_markup(card: RunCard) -> None:
    evil = "<script>alert(1)</script> [x](javascript:1) `a`\n# b"
    said = cells(written(card.model_copy(update={"name": evil})), "markdown")[0]
    for sign in ("<script", "[x](", "`a`", "\n# b"):
        assert sign not in said.replace("\\<", "").replace("\\[", "").replace("\\`", "")


def test_a_notebook_looks_beside_itself_for_its_data(card: RunCard) -> None:
    facts = card.dataset
    assert facts
    spec = change(card.spec, dataset="mine.npz")
    code = "\n".join(steps(spec, facts.image_shape, 10, DATA, "pictures", "notebook"))
    assert "__file__" not in code
    assert "Path" not in code
    assert f'np.load("{DATA}")' in code


@pytest.mark.parametrize(
    ("address", "link"),
    [
        (
            "https://github.com/ann/runs/blob/main/a/run-1.ipynb",
            "https://colab.research.google.com/github/ann/runs/blob/main/a/run-1.ipynb",
        ),
        (
            " https://gist.github.com/ann/0123abcd ",
            "https://colab.research.google.com/gist/ann/0123abcd",
        ),
    ],
)
def test_a_notebook_on_github_has_a_link_to_colab(address: str, link: str) -> None:
    assert colab_link(address) == link


@pytest.mark.parametrize(
    "address",
    [
        "",
        "run.ipynb",
        "https://example.org/ann/runs/blob/main/run.ipynb",
        "https://github.com/ann/runs/blob/main/run.py",
        "https://github.com/ann/runs",
        "javascript:alert(1)//https://github.com/a/b/blob/c/d.ipynb",
        "https://github.com/a/b/blob/c/d.ipynb?x=1#y",
    ],
)
def test_an_address_that_colab_cannot_open_is_refused(address: str) -> None:
    with pytest.raises(LabError, match="Colab opens notebooks from GitHub"):
        colab_link(address)
