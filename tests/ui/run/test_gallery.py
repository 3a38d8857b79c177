"""What a network answers to a few pictures: live, epoch by epoch, and with a slider afterwards."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from cnnlab import datasets, learned
from cnnlab.history import History
from cnnlab.learned import About, Writer
from cnnlab.runner import LiveRun
from cnnlab.spec import PRESETS, Answered, GalleryChosen, PhaseChanged, change
from tests.example_runs import CPU, TINY, add_run, epoch, started
from tests.quiet_lab import QuietLab, own_history, page, said

pytestmark = pytest.mark.usefixtures("quiet_lab")
SPEC = change(TINY, dataset="shapes10", train_limit=200)
INDICES, NAMES = (170, 171, 180), ("cat", "<b>dog</b>", "owl")
CHOSEN = GalleryChosen(indices=INDICES, labels=(0, 1, 2), class_names=NAMES)


@pytest.fixture
def history() -> History:
    return own_history()


def answers(number: int, *first: int) -> Answered:
    """Each picture is taken for what is said first, then for the two classes behind it."""
    classes = tuple((one, (one + 1) % 3, (one + 2) % 3) for one in first)
    return Answered(epoch=number, classes=classes, shares=((0.7, 0.2, 0.1),) * len(first))


def drawn(app: AppTest) -> tuple[str, str]:
    """The style with the pictures, and the bars."""
    bodies = [item.proto.body for item in app.get("html")]
    (style,) = (body for body in bodies if "background-image" in body)
    (bars,) = (body for body in bodies if 'class="answers"' in body)
    return style, bars


def running(history: History, lab: QuietLab) -> tuple[str, LiveRun]:
    run_id = history.create(SPEC, name="Mine", session="today")
    live = lab.add(run_id, SPEC)
    for event in (started(SPEC, CPU), CHOSEN, PhaseChanged(phase="training")):
        live.apply(event)
    return run_id, live


def test_answers_change_epoch_by_epoch_and_the_pictures_stay(history, quiet_lab):
    run_id, live = running(history, quiet_lab)
    for event in epoch(1, 5.0):
        live.apply(event)
    live.apply(answers(1, 0, 0, 0))
    app = page("history", run=run_id)
    style, bars = drawn(app)
    assert "After epoch 1: 1 of 3 validation pictures right" in said(app, "caption")
    assert (bars.count("✓"), bars.count("✗")) == (1, 2)
    assert re.findall(r'<li class="(\w+)"', bars) == ["right", "wrong", "wrong"]
    assert bars.count("</em>70 %") == 3
    live.apply(answers(2, 0, 1, 0))
    app.run()
    again, later = drawn(app)
    assert again == style
    assert "After epoch 2: 2 of 3" in said(app, "caption")
    assert (later.count("✓"), later.count("✗")) == (2, 1)


def test_names_of_classes_are_text_and_no_markup(history, quiet_lab):
    run_id, live = running(history, quiet_lab)
    for event in (*epoch(1, 5.0), answers(1, 1, 1, 1)):
        live.apply(event)
    _, bars = drawn(page("history", run=run_id))
    assert "<b>dog" not in bars
    assert "&lt;b&gt;dog" in bars


def keep(run_id: str, epochs: int, count: int = 24) -> None:
    """What a run of so many epochs would have kept: right in the end about all of them."""
    labels = np.arange(count) % 3
    about = About(epochs, NAMES, ("0000.w",), 4, np.arange(count) + 170, labels)
    writer = Writer(run_id)
    writer.begin(about, done=0)
    for number in range(1, epochs + 1):
        wrong = (labels + (number < epochs)) % 3
        rows = np.full((count, 3), 0.1, np.float32)
        rows[np.arange(count), wrong] = 0.8
        writer.epoch({"0000.w": np.zeros(1, np.float32)}, 0.1, rows)
    writer.end({})


def test_afterwards_a_slider_goes_back_over_the_epochs(history):
    run_id = add_run(history, spec=SPEC, epochs=3)
    keep(run_id, 3)
    app = page("history", run=run_id)
    assert "After epoch 3: 24 of 24" in said(app, "caption")
    app.select_slider(key=f"answers-epoch-{run_id}").set_value(1).run()
    assert "After epoch 1: 0 of 24" in said(app, "caption")
    _, bars = drawn(app)
    assert bars.count("✗") == 24


def test_a_page_of_the_answers_is_small(history):
    run_id = add_run(history, spec=SPEC, epochs=1)
    keep(run_id, 1)
    style, bars = drawn(page("history", run=run_id))
    assert len(bars) < 12_000  # with each refresh
    assert len(style) + len(bars) < 60_000


def test_sequences_are_drawn_as_lines(history):
    spec = change(PRESETS["lstm"].spec, train_limit=200, epochs=1, device="cpu")
    run_id = add_run(history, spec=spec, epochs=1)
    keep(run_id, 1)
    app = page("history", run=run_id)
    style, bars = drawn(app)
    assert "aspect-ratio:64/40" in style
    assert bars.count("<li") == 24


def test_where_nothing_was_kept_nothing_is_shown(history):
    run_id = add_run(history, spec=SPEC)
    assert "What it answered" not in said(page("history", run=run_id), "subheader")


def test_a_run_of_a_data_set_that_is_not_here_opens_no_file(history, tmp_path, monkeypatch):
    secret = tmp_path / "secret.npz"
    np.savez(secret, x_train=np.zeros((300, 4, 4), np.uint8), y_train=np.arange(300) % 3)
    datasets.load(str(secret))
    run_id = add_run(history, spec=change(SPEC, dataset=str(secret)), epochs=1)
    keep(run_id, 1)
    assert "After epoch 1" in said(page("history", run=run_id), "caption")
    card = history.card(run_id).model_copy(update={"run_id": "brought", "name": "in"})
    (brought,) = history.add_cards([card], origin="imported from a.json")
    keep(brought, 1)
    history.delete(run_id)
    history.purge(before=datetime.now() + timedelta(1))
    app = page("history", run=brought)
    assert "Its pictures cannot be shown" in said(app, "caption")
    assert not [item for item in app.get("html") if "background-image" in item.proto.body]


def test_epochs_that_were_lost_are_no_choice(history):
    run_id = add_run(history, spec=SPEC, epochs=3)
    keep(run_id, 1)
    about = About(3, NAMES, ("0000.w",), 4, np.arange(24) + 170, np.arange(24) % 3)
    writer = Writer(run_id)
    writer.begin(about, done=2)
    weights = {"0000.w": np.zeros(1, np.float32)}
    writer.epoch(weights, 0.9, np.full((24, 3), 0.3, np.float32))
    writer.end({})
    assert learned.open_run(run_id).gallery.probabilities.shape[0] == 3
    app = page("history", run=run_id)
    assert app.select_slider(key=f"answers-epoch-{run_id}").options == ["1", "3"]
