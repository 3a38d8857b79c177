"""The Inspect page: empty, one run, two, and runs of which something is missing."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from cnnlab.history import History
from cnnlab.insight import Answer, Foresee, Question
from cnnlab.sharing import PASSPHRASE
from cnnlab.spec import CnnModel, DenseModel, LabError, Part, RnnModel
from cnnlab.ui import tables
from cnnlab.ui.inspect import answered, asking, walls
from tests.datasets import photos
from tests.example_runs import TINY, add_run
from tests.kept_runs import (
    NAMES,
    SMALL_CNN,
    add_kept_run,
    go_on_and_break_off,
    marks,
    wandering,
)
from tests.quiet_lab import QuietLab, figures, own_history, page, said

pytestmark = pytest.mark.usefixtures("quiet_lab")


class QuietInsight:
    """Answers at once, without a process, by made-up numbers; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.seen: list[np.ndarray] = []
        self.fails: LabError | None = None

    def answer(self, question: Question, input_: np.ndarray) -> Answer:
        if self.fails:
            raise self.fails
        self.asked.append(question)
        self.seen.append(input_)
        classes = question.network.classes
        if isinstance(question, Foresee):
            shares = np.eye(classes)[np.arange(len(input_)) % classes]
            return Answer({}, {"probabilities": shares.astype(np.float16)})
        shape = question.network.image_shape
        found = {"probabilities": np.array([0.7, 0.2, 0.1]), "heat": np.ones(shape[:2])}
        if isinstance(question.network.spec.model, CnnModel):
            found["maps/001/Conv2D 4 3x3"] = np.ones((4, 10, 10), np.float16)
        if isinstance(question.network.spec.model, RnnModel):
            found["states/003/LSTM 5"] = np.ones((shape[0], 5), np.float16)
        return Answer({}, found)


@pytest.fixture
def insight(monkeypatch: pytest.MonkeyPatch) -> QuietInsight:
    quiet = QuietInsight()
    monkeypatch.setattr(asking, "insight", lambda: quiet)
    return quiet


@pytest.fixture
def history() -> History:
    return own_history()


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return marks(tmp_path)


def view(app: AppTest, name: str) -> AppTest:
    """The page with another of its views open."""
    (choice,) = (group for group in app.get("button_group") if name in group.options)
    app = choice.set_value(name).run()
    assert not app.exception, app.exception[0].stack_trace
    return app


def alts(app: AppTest) -> list[str]:
    return [chart.proto.alt.split(":")[0] for chart in app.get("vega_lite_chart")]


def captions(app: AppTest) -> str:
    return "\n".join(caption for image in app.image for caption in image.captions)


# --- empty ----------------------------------------------------------------------------------


def test_without_runs_a_button_makes_something_to_look_into():
    app = page("inspect")
    assert "Nothing to look into yet" in said(app, "subheader")
    (button,) = (b for b in app.button if b.label == "Train a small network")
    button.click().run()
    assert not app.exception
    assert own_history().summaries()[0].spec.dataset == "shapes10"


def test_a_run_that_left_nothing_says_so(history: History):
    run_id = add_run(history)
    app = page("inspect", runs=run_id)
    assert "was not kept" in said(app, "warning")
    assert not figures(app)


def test_a_run_that_is_unknown_is_named():
    assert "does not know nowhere" in said(page("inspect", runs="nowhere"), "warning")


def test_while_the_first_run_trains_the_page_says_where_it_will_appear(
    history: History, quiet_lab: QuietLab
):
    quiet_lab.add(history.create(TINY, name="Mine", session="today"), TINY)
    app = page("inspect")
    assert "appears here when it is over" in said(app, "markdown")


def test_while_another_run_trains_the_page_shows_the_newest_that_finished(
    history: History, dataset: Path, quiet_lab: QuietLab
):
    done = add_kept_run(history, dataset, name="Done")
    live = add_kept_run(history, dataset, name="Live", over=False)
    (choice,) = page("inspect").multiselect
    assert choice.value == [done]
    assert any("Live · running" in option for option in choice.options)
    assert "It is being trained" in said(page("inspect", runs=live), "info")


def test_what_must_be_chosen_is_told_in_each_drawing_of_the_page(history: History, dataset: Path):
    """A browser may miss one; what is set in the session is told in one alone."""
    add_kept_run(history, dataset, tested=True)
    app = page("inspect", epoch="2", part="test")
    for drawn in (app, app.run()):
        told = {group.label: list(group.proto.default) for group in drawn.button_group}
        assert told["View"] == [0]
        assert told["Answers to"] == [1]
        assert list(drawn.select_slider[0].proto.default) == [1]
        assert list(drawn.multiselect[0].proto.default) == [0]


# --- one run --------------------------------------------------------------------------------


def test_one_figure_leads_and_names_the_class_that_is_known_least(
    history: History, dataset: Path, insight: QuietInsight
):
    add_kept_run(history, dataset)
    app = page("inspect")
    share = figures(app)["Right"]
    assert share.endswith(" %")
    assert "of 20 pictures kept aside" in said(app, "markdown")
    assert " least, " in said(app, "markdown")
    assert alts(app)[:3] == [
        "Points for the share of each class that is right, the least known class on top, with a "
        "line for what so many pictures can tell.",
        "Points for how often the answers were right over how sure they were, with the line on "
        "which both are equal.",
        "Matrix of what each class was taken for",
    ]
    assert not insight.asked  # all of it was kept


def test_the_slider_asks_the_network_as_it_was(
    history: History, dataset: Path, insight: QuietInsight
):
    add_kept_run(history, dataset)
    app = page("inspect")
    slider = app.select_slider[0]
    assert list(map(int, slider.options)) == [1, 2, 3]
    assert slider.value == 3
    before = figures(app)["Right"]
    app = slider.set_value(1).run()
    assert not app.exception, app.exception[0].stack_trace
    assert app.query_params["epoch"] == "1"
    (question,) = insight.asked
    assert question.network.at == 1
    assert figures(app)["Right"] == "100 %" != before
    app = app.select_slider[0].set_value(2).run()
    assert len(insight.asked) == 1  # the best epoch's answers were kept


def test_of_a_run_that_went_on_and_broke_off_each_epoch_has_its_own_answers(
    history: History, dataset: Path, insight: QuietInsight
):
    run_id = add_kept_run(history, dataset)
    kept = page("inspect", epoch="3")
    go_on_and_break_off(run_id, 5)
    app = page("inspect")
    assert list(map(int, app.select_slider[0].options)) == [1, 2, 3, 4, 5]
    assert app.select_slider[0].value == 5
    (question,) = insight.asked  # what it answered at its end before is of that epoch alone
    assert question.network.at == 5
    app = app.select_slider[0].set_value(3).run()
    assert len(insight.asked) == 1
    assert figures(app)["Right"] == figures(kept)["Right"]


def test_an_epoch_that_a_link_makes_up_is_the_nearest_that_there_is(
    history: History, dataset: Path, insight: QuietInsight
):
    add_kept_run(history, dataset)
    assert page("inspect", epoch="99").select_slider[0].value == 3
    for odd in ("x1", "9" * 5000, "-1"):
        assert page("inspect", epoch=odd).select_slider[0].value == 3


def test_only_what_is_shown_can_be_clicked():
    assert answered._clicked([{"truth": 1, "said": 0}], [0, 1]) == (1, 0)
    for made_up in ({"truth": 7, "said": 0}, {"truth": [1], "said": None}, {}):
        assert answered._clicked([made_up], [0, 1]) is None


def test_a_pictures_way_shows_bars_heat_maps_and_filters(
    history: History, dataset: Path, insight: QuietInsight
):
    add_kept_run(history, dataset)
    app = view(page("inspect"), walls.WAY)
    assert "Grad-CAM" in captions(app)
    assert "Conv2D 4 3x3: the first 4 feature maps, 10 × 10" in captions(app)
    assert "What the first layer looks for: 4 of its filters" in captions(app)
    assert any(alt.startswith("Bars of the likeliest") for alt in alts(app))
    assert insight.asked[-1].network.at == 3


def test_a_picture_that_was_clicked_is_the_one_that_is_shown(
    history: History, dataset: Path, insight: QuietInsight
):
    add_kept_run(history, dataset)
    app = page("inspect")
    app.session_state[walls.chosen_of(str(dataset))] = ("validation", 77)
    app = view(app, walls.WAY)
    assert app.selectbox[0].value == ("validation", 77)
    np.testing.assert_array_equal(insight.seen[-1], np.load(dataset)["x_train"][77])


def test_another_class_can_be_asked_about(history: History, dataset: Path, insight: QuietInsight):
    add_kept_run(history, dataset)
    app = view(page("inspect"), walls.WAY)
    assert insight.asked[-1].target is None  # the likeliest
    (pills,) = (group for group in app.get("button_group") if group.label == "What speaks for")
    app = pills.set_value(2).run()
    assert insight.asked[-1].target == 2
    assert "**2**: the brighter" in said(app, "caption")


def test_of_a_dense_network_the_first_weights_are_pictures(
    history: History, dataset: Path, insight: QuietInsight
):
    add_kept_run(history, dataset, model=DenseModel(dense=(6,)))
    app = view(page("inspect"), walls.WAY)
    assert "What the first layer looks for: 6 of its units" in captions(app)
    assert "Gradient" in captions(app)


def test_without_answers_a_pictures_way_is_still_shown(
    history: History, dataset: Path, insight: QuietInsight
):
    add_kept_run(history, dataset, answered=False)
    app = page("inspect")
    assert "Only runs that finished" in said(app, "info")
    assert "Grad-CAM" in captions(view(app, walls.WAY))


def test_without_its_data_set_the_figures_are_still_there(
    history: History, dataset: Path, insight: QuietInsight
):
    add_kept_run(history, dataset)
    dataset.unlink()
    app = page("inspect")
    assert figures(app)["Right"].endswith(" %")
    assert "The data set is not here" in said(app, "caption")
    app = view(app, walls.WAY)
    assert "try one of your own" in said(app, "info")


def test_beside_something_timed_it_waits_and_says_so(
    history: History, dataset: Path, monkeypatch: pytest.MonkeyPatch, quiet_lab: QuietLab
):
    add_kept_run(history, dataset)
    quiet_lab.current = "another"
    app = page("inspect", epoch="1")
    assert "this waits until it is over" in said(app, "info")
    assert not asking.insight()._process
    app = view(app, walls.WAY)
    assert "this waits until it is over" in said(app, "info")


def test_a_network_that_cannot_be_asked_is_said_in_a_sentence(
    history: History, dataset: Path, insight: QuietInsight
):
    add_kept_run(history, dataset)
    insight.fails = LabError("The process ended; try again.")
    app = page("inspect", epoch="1")
    assert "The process ended; try again." in said(app, "error")


# --- the test set ---------------------------------------------------------------------------


def on_the_test_set(app: AppTest) -> AppTest:
    (choice,) = (group for group in app.get("button_group") if group.label == "Answers to")
    app = choice.set_value("test").run()
    assert not app.exception, app.exception[0].stack_trace
    return app


def test_the_answers_to_the_test_set_can_be_chosen_and_the_address_keeps_that(
    history: History, dataset: Path, insight: QuietInsight
):
    add_kept_run(history, dataset, tested=True)
    app = page("inspect")
    assert "of 20 pictures kept aside" in said(app, "markdown")
    app = on_the_test_set(app)
    assert app.query_params["part"] == "test"
    for shown in (app, page("inspect", part="test")):
        assert "of 12 pictures of the test set" in said(shown, "markdown")
        assert "of 12 are mistaken" in said(shown, "caption")
    assert not insight.asked
    assert "kept aside" in said(page("inspect", part="made up"), "markdown")


def test_of_another_epoch_the_network_is_asked_about_the_test_set(
    history: History, dataset: Path, insight: QuietInsight
):
    add_kept_run(history, dataset, tested=True)
    page("inspect", part="test", epoch="1")
    np.testing.assert_array_equal(insight.seen[-1], np.load(dataset)["x_test"])


def test_a_picture_of_the_test_set_has_its_way_too(
    history: History, dataset: Path, insight: QuietInsight
):
    add_kept_run(history, dataset, tested=True)
    app = page("inspect", part="test")
    app.session_state[walls.chosen_of(str(dataset))] = ("test", 7)
    app = view(app, walls.WAY)
    np.testing.assert_array_equal(insight.seen[-1], np.load(dataset)["x_test"][7])
    assert app.selectbox[0].options[-1] == "7 of the test set"


def test_two_runs_disagree_on_the_test_set_if_both_were_held_against_it(
    history: History, dataset: Path, insight: QuietInsight
):
    tested = [add_kept_run(history, dataset, seed=seed, tested=True) for seed in (0, 9)]
    app = on_the_test_set(page("inspect", runs=",".join(tested)))
    assert "Of the same 12, both are right on" in said(app, "markdown")
    bare = add_kept_run(history, dataset)
    app = page("inspect", runs=f"{tested[0]},{bare}", part="test")
    assert not [group for group in app.get("button_group") if group.label == "Answers to"]
    assert "Of the same 20" in said(app, "markdown")


# --- two runs -------------------------------------------------------------------------------


def test_two_runs_stand_side_by_side_and_their_disagreement_is_tested(
    history: History, dataset: Path, insight: QuietInsight
):
    ids = [
        add_kept_run(history, dataset, name=name, seed=seed) for name, seed in (("A", 0), ("B", 9))
    ]
    app = page("inspect", runs=",".join(ids))
    assert set(figures(app)) == {"A", "B"}
    text = said(app, "markdown")
    assert "Of the same 20, both are right on" in text
    assert "McNemar's exact test gives p" in text
    app = view(app, walls.WAY)
    assert {question.network.run_id for question in insight.asked} == set(ids)
    assert sum(alt.startswith("Bars of the likeliest") for alt in alts(app)) == 2


def test_runs_on_other_data_do_not_disagree(
    history: History, dataset: Path, tmp_path: Path, insight: QuietInsight
):
    other = marks(tmp_path / "other", channels=3)
    ids = [add_kept_run(history, file, name=file.stem) for file in (dataset, other)]
    app = page("inspect", runs=",".join(ids))
    assert "learned from different data" in said(app, "info")
    app = view(app, walls.WAY)
    assert "This network sees 12 × 12 × 3" in said(app, "info")


def test_of_two_runs_the_one_that_left_nothing_is_named(
    history: History, dataset: Path, insight: QuietInsight
):
    whole = add_kept_run(history, dataset, name="Whole")
    bare = add_kept_run(history, dataset, name="Bare", kept=False)
    app = page("inspect", runs=f"{whole},{bare}")
    assert "Bare" in said(app, "warning")
    assert "Right" in figures(app)


def test_two_lanes_of_a_race_move_in_step(history: History, dataset: Path, insight: QuietInsight):
    ids = [
        add_kept_run(
            history, dataset, seed=lane, part=Part(kind="race", group_id="r", group="Race")
        )
        for lane in range(2)
    ]
    app = page("inspect", runs=",".join(ids))
    app = app.select_slider[0].set_value(1).run()
    assert not app.exception, app.exception[0].stack_trace
    assert [(q.network.run_id, q.network.at) for q in insight.asked] == [(i, 1) for i in ids]


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"cut_seconds": 3.0}, "was a short leg of a race, which keeps nothing"),
        ({"turn": 1}, "repeats its lane's first run in the race, which kept"),
        ({}, "was not kept, or had to make room"),
    ],
)
def test_a_run_of_a_race_that_kept_nothing_says_why(history: History, facts: dict, why: str):
    run_id = add_run(history, part=Part(kind="race", group_id="r", group="Race", **facts))
    assert why in said(page("inspect", runs=run_id), "warning")


# --- your own -------------------------------------------------------------------------------


def test_ones_own_is_asked_for_in_the_ways_that_fit(
    history: History, dataset: Path, tmp_path: Path, insight: QuietInsight
):
    add_kept_run(history, dataset)
    app = view(page("inspect"), "Your own")
    assert "Nothing of it is kept." in said(app, "caption")
    assert app.get("bidi_component") or app.get("component")


def photo(size: tuple[int, int] = (400, 600), form: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (200, 180, 20)).save(out, form)
    return out.getvalue()


def own(app: AppTest, way: str) -> AppTest:
    return view(view(app, "Your own"), way)


def test_a_file_of_ones_own_is_shown_as_it_is_seen_and_answered(
    history: History, dataset: Path, insight: QuietInsight
):
    add_kept_run(history, dataset)
    app = own(page("inspect"), "A file")
    app = app.file_uploader[0].set_value(("me.png", photo(), "image/png")).run()
    assert not app.exception, app.exception[0].stack_trace
    assert "What it sees: 12 × 12" in captions(app)
    assert "Grad-CAM" in captions(app)
    assert any(alt.startswith("Bars of the likeliest") for alt in alts(app))
    assert app.toggle[0].label.startswith("Light and dark swapped")  # it lies on light ground


def test_a_photo_from_the_camera_is_answered(
    history: History, dataset: Path, insight: QuietInsight
):
    add_kept_run(history, dataset)
    app = own(page("inspect"), "Camera")
    app = app.camera_input[0].set_value(("shot.jpg", photo(form="JPEG"), "image/jpeg")).run()
    assert not app.exception, app.exception[0].stack_trace
    assert "Grad-CAM" in captions(app)


def test_files_as_people_have_them_are_answered_one_after_the_other(
    history: History, tmp_path: Path, insight: QuietInsight
):
    add_kept_run(history, marks(tmp_path, channels=3))
    app = view(page("inspect"), "Your own")  # of coloured pictures, a file comes first
    for name, data in photos.ANSWERED.items():
        app = app.file_uploader[0].set_value((name, data, "application/octet-stream")).run()
        assert not app.exception, app.exception[0].stack_trace
        assert not app.error
        assert "What it sees: 12 × 12" in captions(app)
        assert "Grad-CAM" in captions(app), name


def test_a_file_that_is_no_picture_is_refused_in_a_sentence(
    history: History, dataset: Path, insight: QuietInsight
):
    add_kept_run(history, dataset)
    app = own(page("inspect"), "A file")
    for name, (data, why) in photos.REFUSED.items():
        app = app.file_uploader[0].set_value((name, data, "image/jpeg")).run()
        assert not app.exception, app.exception[0].stack_trace
        assert said(app, "error") == tables.plain(why)
    assert not insight.asked


# --- sequences ------------------------------------------------------------------------------

LSTM = RnnModel(cell="lstm", recurrent=(5,))


def test_a_sequences_way_shows_its_steps_what_moves_the_answer_and_the_hidden_state(
    history: History, tmp_path: Path, insight: QuietInsight
):
    add_kept_run(history, wandering(tmp_path), model=LSTM, kind="series")
    app = view(page("inspect"), walls.WAY)
    assert "Line chart of the sequence, a line for each feature, over its steps." in alts(app)
    assert "Area chart of how much each step of the sequence moves the answer." in alts(app)
    assert "LSTM 5: its hidden state" in captions(app)
    button = next(button for button in app.button if "%" in button.label)
    button.click().run()
    assert app.selectbox[0].label == "Sequence number"


def test_a_table_that_is_pasted_is_answered_and_one_too_short_is_refused(
    history: History, tmp_path: Path, insight: QuietInsight
):
    add_kept_run(history, wandering(tmp_path), model=LSTM, kind="series")
    app = view(page("inspect"), "Your own")
    rows = [f"{100 + number},{99 - number}" for number in range(9)]
    app = app.text_area[0].set_value("\n".join(rows)).run()
    assert "LSTM 5: its hidden state" in captions(app)
    app = app.text_area[0].set_value("\n".join(rows[:3])).run()
    assert "has 3 rows, and the network sees 8" in said(app, "error")


# --- who may, and ways here -----------------------------------------------------------------


def test_visitors_look_and_try_but_train_nothing(
    history: History, tmp_path: Path, insight: QuietInsight, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(PASSPHRASE, "open sesame")
    (button,) = (b for b in page("inspect").button if b.label == "Train a small network")
    assert button.disabled
    add_kept_run(history, marks(tmp_path))
    app = view(page("inspect"), walls.WAY)
    assert "Grad-CAM" in captions(app)
    app = view(app, "Your own")
    assert "Nothing of it is kept." in said(app, "caption")


def test_links_lead_here_from_a_run_and_from_two(history: History, dataset: Path):
    ids = [add_kept_run(history, dataset, name=name) for name in "AB"]
    links = {item.proto.label for item in page("history", run=ids[0]).get("page_link")}
    assert "What it learned" in links
    links = {item.proto.label for item in page("compare", runs=",".join(ids)).get("page_link")}
    assert "What the two disagree on" in links


def test_the_names_of_the_classes_are_those_that_were_kept(
    history: History, dataset: Path, insight: QuietInsight
):
    add_kept_run(history, dataset, model=SMALL_CNN)
    text = said(page("inspect"), "markdown")
    assert any(f"**{name}** least" in text for name in NAMES)
