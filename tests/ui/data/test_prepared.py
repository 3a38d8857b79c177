"""An own data set is read where it is wanted: on the Data page, and by Start."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnnlab import datasets
from cnnlab.datasets import downloads
from cnnlab.spec import PRESETS, change
from cnnlab.ui import lab, link
from tests.quiet_lab import QuietLab, figures, leads, page, said


@pytest.fixture
def own(home: Path, quiet_lab: QuietLab) -> str:
    """Forty grey pictures of 9 x 8 pixels, sorted by class."""
    (home / "datasets").mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 200, (40, 9, 8), dtype=np.uint8)
    np.savez(home / "datasets" / "mine.npz", x_train=images, y_train=np.arange(40) // 10)
    return "mine.npz"


def test_the_data_page_has_a_button_and_says_what_was_understood(own: str) -> None:
    app = page("data", dataset=own)
    assert "Classes: 0 10" not in said(app, "markdown")
    app.button("prepare").click().run()
    assert not app.exception
    assert datasets.info(own).ready
    assert leads(app)["pictures to train on"] == "40"
    assert "Classes: 0 10, 1 10, 2 10, 3 10." in said(app, "markdown").replace("\\", "")


def test_nothing_is_read_while_something_is_timed(own: str, quiet_lab: QuietLab) -> None:
    quiet_lab.add("a-run", PRESETS["tiny"].spec)
    app = page("data", dataset=own)
    app.button("prepare").click().run()
    assert "Something is being timed" in said(app, "error")
    assert not datasets.info(own).ready


@pytest.mark.usefixtures("quiet_lab")
def test_a_file_that_cannot_be_learnt_from_says_why_and_what_can(home: Path) -> None:
    (home / "datasets").mkdir(parents=True)
    np.savez(home / "datasets" / "one.npz", x_train=np.zeros((9, 5, 5)), y_train=np.ones(9, int))
    app = page("data", dataset="one.npz")
    app.button("prepare").click().run()
    assert "holds only one class" in said(app, "error")
    assert "dataset=shapes" in app.get("page_link")[-1].proto.query_string or any(
        "Shapes" in item.proto.label for item in app.get("page_link")
    )


@pytest.mark.usefixtures("quiet_lab")
def test_a_data_set_that_cannot_be_downloaded_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(downloads.urllib.request, "urlopen", unreachable)
    app = page("data", dataset="cifar100")
    app.button("prepare").click().run()
    assert "could not be downloaded" in said(app, "error")
    assert any("at once" in item.proto.label for item in app.get("page_link"))
    assert downloads.SILENCE_SECONDS <= 10


def unread(own: str) -> dict[str, str]:
    spec = change(PRESETS["dense"].spec, dataset=own, train_limit=None)
    return link.encode(spec)


def test_start_reads_what_it_needs_and_then_queues_the_run(own: str, quiet_lab: QuietLab) -> None:
    app = page("train", **unread(own))
    assert "was not read yet: Start reads it first" in said(app, "info")
    assert not app.button("start").disabled
    app.button("start").click().run()
    assert not app.exception
    assert datasets.info(own).ready
    [run] = lab.history().summaries()
    assert run.spec.dataset == own


def test_reading_alone_draws_the_network_and_warns_of_sorted_data(own: str) -> None:
    app = page("train", **unread(own))
    app.button("prepare").click().run()
    assert not app.exception
    assert "Parameters" in figures(app)
    assert "examples to validate on are of classes that have" in said(app, "warning")
    assert "Classes: 0 10" in said(app, "markdown").replace("\\", "")
    assert not lab.history().summaries()


def test_a_recipe_that_does_not_fit_is_refused_once_its_data_are_read(own: str) -> None:
    spec = change(PRESETS["article"].spec, dataset=own)
    app = page("train", **link.encode(spec))
    app.button("start").click().run()
    assert datasets.info(own).ready
    assert said(app, "error")
    assert not lab.history().summaries()
