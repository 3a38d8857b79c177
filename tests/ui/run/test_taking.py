"""A run to take along: files that are made when asked for, code, and the way to Colab."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from cnnlab import learned, takeaway
from cnnlab.learned.files import Facts, write_arrays, write_facts
from cnnlab.spec import PRESETS, LabError, Status, change
from cnnlab.ui import lab
from cnnlab.ui.run import taking
from tests.example_runs import add_run
from tests.quiet_lab import QuietLab, own_history, page, said

pytestmark = pytest.mark.usefixtures("quiet_lab")


@pytest.fixture
def run_id() -> str:
    return add_run(own_history(), name="Mine", spec=change(PRESETS["tiny"].spec, dataset="mnist"))


@pytest.fixture
def kept(run_id: str) -> None:
    keep(run_id, best_epoch=3)


def keep(run_id: str, best_epoch: int | None) -> None:
    place = learned.folder() / run_id
    place.mkdir(parents=True, exist_ok=True)
    for at, epoch in {"final": 3, "best": best_epoch}.items():
        if epoch:
            write_arrays(place / f"{at}.safetensors", {}, epochs={at: epoch})
    facts = Facts(
        made_at="",
        class_names=("a", "b"),
        epochs=3,
        best_epoch=best_epoch,
        film_every=0,
        weights=(),
    )
    write_facts(place, facts)


def made(monkeypatch: pytest.MonkeyPatch, make: Callable[..., bytes]) -> None:
    monkeypatch.setattr(takeaway, "make", make)


def downloads(app: AppTest) -> list[str]:
    return [item.proto.label for item in app.get("download_button")]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("form", list(takeaway.SUFFIXES))
def test_a_file_is_made_when_it_is_asked_for(
    run_id: str, form: takeaway.Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def make(about: takeaway.About, form: takeaway.Form) -> bytes:
        asked.append((about.run_id, about.classes, about.epoch, form))
        return b"x" * 2048

    made(monkeypatch, make)
    app = page("history", run=run_id)
    assert not any(label.startswith("Download run") for label in downloads(app))
    app.button(key=f"take-{form}-{run_id}").click().run()
    assert not app.exception
    assert asked == [(run_id, ("a", "b"), 3, form)]
    name = f"run-{run_id}-final{takeaway.SUFFIXES[form]}"
    assert any(label.startswith(f"Download {name} (") for label in downloads(app))
    assert any(f'"{name}"' in block.value for block in app.code)


def test_the_weights_of_the_best_epoch_can_be_taken_along(
    run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(run_id, best_epoch=2)
    asked = []

    def make(about: takeaway.About, form: takeaway.Form) -> bytes:
        asked.append((about.weights, about.epoch))
        return b"x"

    made(monkeypatch, make)
    app = page("history", run=run_id)
    (choice,) = (group for group in app.get("button_group") if group.label == "Weights")
    app = choice.set_value("best").run()
    app.button(key=f"take-keras-{run_id}").click().run()
    assert not app.exception
    assert asked == [("best", 2)]
    assert any(label.startswith(f"Download run-{run_id}-best.keras (") for label in downloads(app))


def test_of_a_run_that_broke_off_after_it_was_resumed_the_epoch_is_said() -> None:
    run_id = add_run(own_history(), epochs=5, status=Status.INTERRUPTED)
    keep(run_id, best_epoch=2)
    app = page("history", run=run_id)
    assert "The last weights that were kept are those after epoch 3." in said(app, "caption")
    (choice,) = (group for group in app.get("button_group") if group.label == "Weights")
    assert choice.options == ["The last, epoch 3", "Of its best epoch, 2"]


@pytest.mark.parametrize("best_epoch", [3, None])
def test_where_the_last_epoch_was_the_best_or_none_is_there_is_nothing_to_choose(
    run_id: str, best_epoch: int | None
) -> None:
    keep(run_id, best_epoch)
    app = page("history", run=run_id)
    assert not [group for group in app.get("button_group") if group.label == "Weights"]


@pytest.mark.usefixtures("kept")
def test_why_no_file_was_made_is_said(run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(*_: object) -> bytes:
        raise LabError("The format onnx needs onnx, which is not installed.")

    made(monkeypatch, make)
    app = page("history", run=run_id)
    app.button(key=f"take-onnx-{run_id}").click().run()
    assert "needs onnx, which is not installed" in said(app, "error")


@pytest.mark.usefixtures("kept")
def test_no_file_is_made_beside_what_is_timed(run_id: str, quiet_lab: QuietLab) -> None:
    quiet_lab.add("another", PRESETS["tiny"].spec)
    app = page("history", run=run_id)
    app.button(key=f"take-keras-{run_id}").click().run()
    assert "Something is being timed" in said(app, "error")


def test_a_run_whose_weights_were_not_kept_says_so_and_still_has_its_code(run_id: str) -> None:
    app = page("history", run=run_id)
    assert "Its weights were not kept" in said(app, "caption")
    assert {"Script", "Notebook"} <= set(downloads(app))


def test_the_address_of_a_notebook_becomes_a_link_to_colab(run_id: str) -> None:
    app = page("history", run=run_id)
    address = "https://github.com/ann/runs/blob/main/run.ipynb"
    app.text_input(key=f"colab-{run_id}").input(address).run()
    links = [item.proto.url for item in app.get("link_button")]
    assert links == ["https://colab.research.google.com/github/ann/runs/blob/main/run.ipynb"]
    app.text_input(key=f"colab-{run_id}").input("https://example.org/run.ipynb").run()
    assert "Colab opens notebooks from GitHub" in said(app, "error")


def test_a_run_that_ended_before_its_data_were_read_has_nothing_to_take(
    quiet_lab: QuietLab,
) -> None:
    run_id = lab.history().create(PRESETS["tiny"].spec, name="Mine", session="today")
    from cnnlab.spec import RunEnded

    lab.history().record(run_id, RunEnded(status=Status.FAILED, error="The data are gone."))
    app = page("history", run=run_id)
    assert f"colab-{run_id}" not in {item.key for item in app.text_input}


def test_each_form_tells_how_it_is_opened() -> None:
    assert set(taking.HOW) == set(taking.LABELS) == set(takeaway.SUFFIXES)
