"""Data that a browser brings: shown before they are kept, refused in a sentence, kept by a name."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from cnnlab import datasets
from cnnlab.sharing import PASSPHRASE
from cnnlab.spec import PRESETS, LabError, SpecError, change
from cnnlab.ui import lab
from cnnlab.ui.data import camera, gate, upload
from tests.datasets.drawn_files import drawn
from tests.datasets.examples import as_zip, two_classes
from tests.datasets.test_drafts import TABLE
from tests.quiet_lab import QuietLab, figures, leads, page, said

pytestmark = pytest.mark.usefixtures("quiet_lab")


@pytest.fixture
def pets(tmp_path: Path) -> bytes:
    """An archive of three cats and three dogs."""
    return as_zip(tmp_path / "made.zip", two_classes()).read_bytes()


def handed_in(app: AppTest, file_name: str, content: bytes) -> AppTest:
    app.file_uploader[0].upload(file_name, content)
    app.run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    return said(app, "markdown").replace("\\", "")


def own_sets() -> list[str]:
    return [info.name for info in datasets.known() if info.name not in datasets.REGISTRY]


# --- a file ---------------------------------------------------------------------------------


def test_the_page_says_how_large_a_file_may_be() -> None:
    assert "At most 100 MB" in said(page("data"), "caption")


def test_a_file_is_understood_on_the_page_before_it_is_kept(pets: bytes) -> None:
    app = handed_in(page("data"), "pets.zip", pets)
    assert "pets.zip is not kept yet" in said(app, "subheader")
    assert leads(app)["pictures to train on"] == "6"
    assert "Classes: cat 3, dog 3." in words(app)
    assert len(app.get("image")) == 2
    assert not own_sets()


def test_a_file_that_is_kept_is_chosen_and_can_be_trained_on(pets: bytes) -> None:
    app = handed_in(page("data"), "pets.zip", pets)
    app.text_input(key=upload.TITLE).input("my pets")
    app.button(key="data.keep-it").click().run()
    assert not app.exception
    assert own_sets() == ["my pets.zip"]
    assert app.query_params["dataset"] == "my pets.zip"
    assert leads(app)["pictures to train on"] == "6"
    assert lab.check(change(PRESETS["dense"].spec, dataset="my pets.zip"))
    assert "my pets.zip" in lab.dataset_names()


def test_a_name_that_is_taken_leaves_the_file_to_be_named_again(pets: bytes) -> None:
    app = page("data")
    for _ in range(2):
        handed_in(app, "pets.zip", pets)
        app.button(key="data.keep-it").click().run()
    assert "There is a data set pets.zip already" in app.toast[0].value
    assert "is not kept yet" in said(app, "subheader")


def test_a_file_that_is_thrown_away_leaves_the_page_as_it_was(pets: bytes) -> None:
    app = handed_in(page("data"), "pets.zip", pets)
    app.button(key="data.throw").click().run()
    assert figures(app)["Classes"] == "10"
    assert not own_sets()


@pytest.mark.parametrize(
    ("file_name", "content", "sentence"),
    [
        ("notes.txt", b"hello", "is no data set: hand in an archive"),
        ("pets.zip", b"PK\x03\x04 no zip", "corrupt or truncated"),
        ("pets.npz", b"", "is empty"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(
    file_name: str, content: bytes, sentence: str
) -> None:
    app = handed_in(page("data"), file_name, content)
    assert sentence in said(app, "error").replace("\\", "")
    assert upload.DRAFT not in app.session_state


def test_the_columns_of_a_table_can_be_chosen_before_it_is_kept() -> None:
    app = handed_in(page("data"), "week.csv", TABLE)
    assert figures(app)["Steps × features"] == "32 × 2"
    assert "Columns: a (value, 90), b (value, 90), time (time, 90)" in words(
        app
    ) or "a (value" in words(app)
    app.multiselect[0].select("b")
    app.number_input[0].set_value(8)
    app.button(key="data.read").click().run()
    assert figures(app)["Steps × features"] == "8 × 1"
    app.button(key="data.keep-it").click().run()
    [name] = own_sets()
    assert name == "week.csv?values=b&window=8&horizon=1"
    assert figures(app)["Steps × features"] == "8 × 1"
    spec = change(PRESETS["lstm"].spec, dataset=name)
    assert lab.check(spec)
    with pytest.raises(SpecError, match="only the data sets listed"):
        lab.check(change(spec, dataset="../week.csv?window=8"))


def test_a_table_that_was_read_wrongly_can_be_read_again() -> None:
    short = "\n".join(["time,a", *(f"{row},{row * 7 % 11}" for row in range(30))]).encode()
    app = handed_in(page("data"), "short.csv", short)
    assert "need at least" in said(app, "error")
    app.number_input[0].set_value(4)
    app.button(key="data.read").click().run()
    assert not said(app, "error")
    assert figures(app)["Steps × features"] == "4 × 1"


def test_nothing_is_read_while_something_is_timed(pets: bytes, quiet_lab: QuietLab) -> None:
    quiet_lab.add("a-run", PRESETS["tiny"].spec)
    app = handed_in(page("data"), "pets.zip", pets)
    assert "Something is being timed" in said(app, "error")
    assert not own_sets()


# --- the camera -----------------------------------------------------------------------------


def with_camera() -> AppTest:
    app = page("data")
    app.get("button_group")[1].select("With the camera").run()
    for name in ("mug", "hand"):
        app.text_input(key=camera.NEW).input(name)
        app.button(key="shots.add-it").click().run()
    assert not app.exception
    return app


def taken(app: AppTest, kind: int, numbers: range) -> None:
    for number in numbers:
        app.camera_input[0].upload("photo.jpg", drawn(kind, number))
        app.run()
        assert not app.exception


def delete(app: AppTest) -> Button:
    """Of the newest picture of a hand."""
    return next(one for one in app.button if (one.key or "").startswith("shots.delete-hand-"))


def remove(app: AppTest) -> Button:
    """Of all hands."""
    return app.button(key="shots.remove-hand")


def test_pictures_go_to_their_class_and_make_a_data_set() -> None:
    app = with_camera()
    taken(app, 0, range(3))
    assert "**hand** · 3" in words(app)
    app.get("button_group")[2].select("mug").run()
    taken(app, 1, range(2))
    app.text_input(key=camera.TITLE).input("mugs")
    app.button(key="shots.use-it").click().run()
    assert not app.exception
    assert own_sets() == ["mugs.zip"]
    assert leads(app)["pictures to train on"] == "5"
    assert figures(app)["Height × width × channels"] == "32 × 32 × 3"
    assert "Classes: hand 3, mug 2." in words(app)


def test_a_picture_that_a_browser_sends_again_is_taken_once() -> None:
    app = with_camera()
    first = app.camera_input[0].upload("photo.jpg", drawn(0, 0))
    sent = app._tree.get_widget_states()  # what the browser holds
    app._run(sent)
    assert "**hand** · 1" in words(app)
    app._run(sent)
    assert "**hand** · 1" in words(app)
    assert app.camera_input[0].key != first.key


def test_a_picture_and_a_class_can_be_deleted() -> None:
    app = with_camera()
    taken(app, 0, range(2))
    delete(app).click().run()
    assert "**hand** · 1" in words(app)
    app.button(key="shots.remove-hand").click().run()
    assert "**hand**" not in words(app)
    assert app.button(key="shots.use-it").disabled


def test_a_picture_or_class_whose_button_is_pressed_again_too_soon_takes_no_other_along() -> None:
    for press, left in ((delete, "**hand** · 1"), (remove, "**mug** · 0")):
        app = with_camera()
        taken(app, 0, range(2))
        press(app).click()
        sent = app._tree.get_widget_states()  # with the button pressed
        for _ in range(2):
            app._run(sent)
            assert not app.exception
            assert left in words(app)


def test_what_is_kept_or_thrown_away_twice_is_so_once(pets: bytes) -> None:
    for key, kept in (("data.throw", []), ("data.keep-it", ["pets.zip"])):
        app = handed_in(page("data"), "pets.zip", pets)
        app.button(key=key).click()
        sent = app._tree.get_widget_states()  # with the button pressed
        for _ in range(2):
            app._run(sent)
            assert not app.exception
            assert own_sets() == kept


def test_what_is_no_picture_is_refused_in_a_toast() -> None:
    app = with_camera()
    app.camera_input[0].upload("photo.jpg", b"no picture")
    app.run()
    assert "The picture cannot be used" in app.toast[0].value
    assert "**hand** · 0" in words(app)


# --- rights ---------------------------------------------------------------------------------


def test_a_visitor_brings_nothing(monkeypatch: pytest.MonkeyPatch, pets: bytes) -> None:
    monkeypatch.setenv(PASSPHRASE, "open sesame")
    app = page("data")
    assert app.file_uploader[0].proto.disabled
    for act in (
        lambda: gate.hand_in(pets, "pets.zip"),
        lambda: gate.keep(Path("x"), "pets", ""),
        lambda: gate.take_picture({}, drawn(0, 0)),
        lambda: gate.keep_pictures({}, 32, "pets", lambda *_: None),
    ):
        with pytest.raises(LabError, match="You are watching"):
            act()
