"""Visitors' pages go where the presenter goes, until they choose otherwise."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from cnnlab.room import Place
from cnnlab.ui import audience, following
from tests.quiet_lab import QuietLab
from tests.ui import sharing
from tests.ui.sharing import again, go, keys, presenter, press, visitor

STOP, FOLLOW = "room.stop", "room.follow"


@pytest.fixture(autouse=True)
def shared(quiet_lab: QuietLab, monkeypatch: pytest.MonkeyPatch) -> None:
    sharing.share(monkeypatch)


def place(app: AppTest) -> Place:
    """Where a browser is."""
    values = app.query_params.items()
    query = {name: text if isinstance(text, str) else text[-1] for name, text in values}
    return Place.of(app.session_state[following.PAGE], query)


def test_who_comes_in_is_brought_to_the_presenter_and_goes_along() -> None:
    ann = presenter("compare")
    phone = visitor()
    assert place(phone).page == "compare"
    assert STOP in keys(phone)
    go(ann, "race", preset="dense")
    assert place(again(phone)) == Place.of("race", {"preset": "dense"})


def test_who_goes_elsewhere_has_chosen_and_finds_back() -> None:
    ann = presenter("history")
    phone = visitor()
    go(phone, "data")
    assert FOLLOW in keys(phone)
    go(ann, "compare")
    assert place(again(phone)).page == "data"
    press(phone, FOLLOW)
    assert place(phone).page == "compare"
    assert STOP in keys(phone)


def test_who_stops_following_stays() -> None:
    ann = presenter("history")
    phone = visitor()
    press(phone, STOP)
    go(ann, "compare")
    assert place(again(phone)).page == "history"


def test_who_comes_by_a_link_to_something_sees_that_first() -> None:
    ann = presenter("history")
    phone = visitor("data")
    assert place(phone).page == "data"
    go(ann, "compare")
    assert place(again(phone)).page == "compare"


def test_a_recipe_that_is_changed_is_a_choice() -> None:
    ann = presenter()
    phone = visitor(preset="dense")
    go(ann, "", preset="lstm")
    assert place(again(phone)) == Place.of("", {"preset": "lstm"})
    phone.number_input(key="form.epochs").set_value(2)
    again(again(phone))
    assert FOLLOW in keys(phone)
    go(ann, "history")
    assert place(again(phone)).page == ""


def test_where_nobody_presents_nothing_speaks_of_following() -> None:
    phone = visitor()
    assert not {STOP, FOLLOW} & keys(phone)
    presenter("history")
    assert place(again(phone)).page == "history"


def test_visitors_are_counted_once_each_and_presenters_are_not() -> None:
    presenter()
    phones = [visitor() for _ in range(3)]
    again(phones[0])
    assert audience.room().audience.count() == 3


def test_a_second_tab_of_the_presenter_leads_when_it_says_so() -> None:
    presenter("history")
    other = presenter("data")
    phone = visitor()
    assert place(phone).page == "history"
    other.toggle(key="room.leads").set_value(True)
    again(other)
    assert place(again(phone)).page == "data"


def test_at_its_own_computer_nothing_speaks_of_a_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CNNLAB_PASSPHRASE")
    app = visitor("history")
    assert not {STOP, FOLLOW} & keys(app)
    assert audience.room().audience.count() == 0
    assert audience.room().lead.led() is None
