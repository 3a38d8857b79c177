"""Who may act: at home everybody, in a shared lab the presenter; and how often one may guess."""

from __future__ import annotations

import gc

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from cnnlab import sharing
from cnnlab.sharing import PASSPHRASE, Door, Tries, is_local
from cnnlab.spec import PRESETS, LabError
from cnnlab.ui import keeping, lab, rights, top
from cnnlab.ui.data import gate as data_gate
from cnnlab.ui.run import gate as run_gate
from tests.quiet_lab import APP, said

WORD = "open sesame"


@pytest.fixture
def shared(monkeypatch):
    """A lab whose owner gave a passphrase."""
    monkeypatch.setenv(PASSPHRASE, WORD)


def visit() -> AppTest:
    """The first page, with the line above it."""
    app = AppTest.from_file(str(APP), default_timeout=300).run()
    assert not app.exception
    return app


BAR = """
import streamlit as st
from cnnlab.ui import rights, top
top.bar()
st.button("Act", key="start", **rights.limits())
"""


def at_the_bar() -> AppTest:
    """The line above every page, and something to do."""
    return AppTest.from_string(BAR, default_timeout=300).run()


def sign_in(app: AppTest, word: str) -> AppTest:
    app.text_input(key=rights.WORD).input(word)
    app.button(key="rights.in").click()
    return app.run()


# --- the passphrase -------------------------------------------------------------------------


def test_a_passphrase_made_here_is_long_and_easy_to_type():
    made = {sharing.new_passphrase() for _ in range(100)}
    assert len(made) == 100
    assert all(len(word) == 19 and set(word) <= {*sharing.SIGNS, "-"} for word in made)


@pytest.mark.parametrize("word", ["short", "x" * 201])
def test_a_passphrase_that_keeps_nobody_out_is_refused(word, monkeypatch):
    monkeypatch.setenv(PASSPHRASE, word)
    with pytest.raises(LabError, match=r"has \d+ characters"):
        sharing.given_passphrase()


def test_only_the_word_itself_opens_the_door():
    door = Door(WORD)
    assert door.open(f" {WORD} ", Tries()) is door.key
    for wrong in ("", WORD.upper(), WORD[:-1], "öffne dich", "\ud800"):
        with pytest.raises(LabError, match="not the passphrase"):
            door.open(wrong, Tries())


def test_each_wrong_word_of_a_browser_doubles_the_wait(monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(sharing, "monotonic", lambda: clock[0])
    door, tries, waits = Door(WORD), Tries(), []
    for _ in range(15):
        with pytest.raises(LabError, match="not the passphrase"):
            door.open("guess", tries)
        waits.append(tries.seconds_left(clock[0]))
        if waits[-1]:
            with pytest.raises(LabError, match="Too many"):
                door.open(WORD, tries)  # the right one, too early
        clock[0] += waits[-1]
    assert waits == [0, 0, *(min(2.0**n, 900) for n in range(13))]
    assert door.open(WORD, tries) is door.key


def test_who_opens_a_new_browser_for_each_guess_waits_as_well(monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(sharing, "monotonic", lambda: clock[0])
    door, guesses = Door(WORD), 0
    for _ in range(3600):  # an hour, a guess a second
        try:
            door.open("guess", Tries())
        except LabError as error:
            guesses += "not the passphrase" in str(error)
        clock[0] += 1
    assert guesses < 100


def test_who_guesses_for_days_on_end_still_waits(monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(sharing, "monotonic", lambda: clock[0])
    door = Door(WORD)
    for _ in range(2000):
        with pytest.raises(LabError, match="not the passphrase"):
            door.open("guess", Tries())
        clock[0] += sharing.LONGEST_WAIT_OF_ALL
    clock[0] -= 1
    with pytest.raises(LabError, match="Too many"):
        door.open(WORD, Tries())


@pytest.mark.parametrize(
    ("address", "local"),
    [
        *[("127.0.0.1", True), ("localhost", True), ("::1", True), ("unix:/run/lab", True)],
        *[("0.0.0.0", False), ("192.168.1.5", False), ("", False), (None, False)],
        *[("::", False), ("lab.example.org", False)],
    ],
)
def test_only_a_loopback_address_is_local(address, local):
    assert is_local(address) is local


# --- on the page ----------------------------------------------------------------------------


def test_at_its_own_computer_everybody_acts_and_nothing_speaks_of_rights(quiet_lab):
    app = visit()
    assert not app.button(key="start").disabled
    assert "rights.in" not in [button.key for button in app.button]


def test_a_visitor_watches_and_is_told_why_the_buttons_rest(quiet_lab, shared):
    app = visit()
    assert app.button(key="start").disabled
    assert app.button(key="start").help == rights.REASON
    assert "sign in as the presenter" in said(app, "markdown")


def test_the_passphrase_makes_a_presenter_of_this_browser_alone(quiet_lab, shared):
    app = sign_in(at_the_bar(), WORD)
    assert not app.button(key="start").disabled
    assert at_the_bar().button(key="start").disabled
    app.button(key="rights.out").click().run()
    assert app.button(key="start").disabled


def test_a_ticket_lets_in_until_it_expires_or_is_torn(monkeypatch):
    door = Door(WORD)
    ticket = door.ticket()
    assert door.admits(ticket)
    until, _, signed = ticket.rpartition(".")
    for other in ("", "x", f"9{until}.{signed}", ticket[:-1], Door(WORD).ticket(), "1.2.ä"):
        assert not door.admits(other)
    later = sharing.time() + sharing.TICKET_SECONDS + 2
    monkeypatch.setattr(sharing, "time", lambda: later)
    assert not door.admits(ticket)
    monkeypatch.undo()
    door.tear(ticket)
    assert not door.admits(ticket)


def test_a_reload_keeps_the_presenter_until_it_signs_out(quiet_lab, shared, monkeypatch):
    signed_in = sign_in(at_the_bar(), WORD)
    ticket = signed_in.session_state[rights.TICKET]
    monkeypatch.setattr(rights, "_cookie", lambda: ticket)
    reloaded = at_the_bar()
    assert not reloaded.button(key="start").disabled
    reloaded.button(key="rights.out").click().run()
    assert reloaded.button(key="start").disabled
    assert at_the_bar().button(key="start").disabled


def test_a_wrong_passphrase_is_said_and_soon_must_wait(quiet_lab, shared):
    app = at_the_bar()
    for _ in range(3):
        app = sign_in(app, "guess")
        assert "not the passphrase" in said(app, "error")
    app = sign_in(app, WORD)
    assert "try again in" in said(app, "error")
    assert app.button(key="start").disabled


def test_a_lab_on_the_network_without_a_passphrase_makes_one_and_prints_it(
    quiet_lab, monkeypatch, capsys
):
    known = rights.st.get_option
    everywhere = {"server.address": "0.0.0.0"}
    monkeypatch.setattr(rights.st, "get_option", lambda name: everywhere.get(name) or known(name))
    app = at_the_bar()
    assert app.button(key="start").disabled
    printed = capsys.readouterr().err.partition("passphrase: ")[2].split()[0]
    assert not sign_in(app, printed).button(key="start").disabled


def test_every_deed_of_the_gate_is_refused_to_a_visitor(quiet_lab, shared):
    deeds = {
        "start": (PRESETS["tiny"].spec,),
        "start_all": ([(PRESETS["tiny"].spec, "a")],),
        "start_repeats": (PRESETS["tiny"].spec, 2),
        "_all_or_none": ([],),
        "start_race": (None, "a"),
        "stop_race": ("a",),
        "climb": ([PRESETS["tiny"].spec],),
        "prepare": ("shapes", print),
        "stop": ("a",),
        "resume": ("a",),
        "describe": ("a", "name", "note"),
        "move": ("a", "session"),
        "bring_in": (b"{}", "a.json"),
        "try_switch": ("none",),
        "look_again": (),
    }
    of_keeping = {"delete": ("a",), "restore": ("a",), "set_limits": (1, 2)}
    of_keeping["bring_in_learned"] = (b"", "a-learned.zip", {})
    refused(lab, deeds)
    refused(keeping, of_keeping)
    assert lab.history().summaries() == []
    assert quiet_lab.stopped == []


def refused(room, deeds):
    """Whatever a gate guards is refused, and nothing that it guards was forgotten here."""
    guarded = {name for name, deed in vars(room).items() if hasattr(deed, "__wrapped__")}
    assert guarded - {"worker_environment", "_cpu_name", "network"} == set(deeds)
    for name, arguments in deeds.items():
        with pytest.raises(LabError, match="You are watching"):
            getattr(room, name)(*arguments)


def test_every_deed_of_the_gates_of_wings_is_refused_to_a_visitor(quiet_lab, shared, home):
    on_runs = {
        "take_apart": ("a",),
        "try_cure": ("a", {}),
        "call_off": ("a",),
        "make_file": ("a", "keras", "final"),
    }
    on_data = {
        "hand_in": (b"a", "a.zip"),
        "look_through": (home, "", print),
        "keep": (home, "a", ""),
        "throw_away": (home,),
        "class_name": ({}, "a"),
        "take_picture": ({}, b"a"),
        "keep_pictures": ({}, 32, "a", print),
    }
    refused(run_gate, on_runs)
    refused(data_gate, on_data)
    assert not (home / "datasets").exists()


class Account(dict):
    """What `st.user` is after `st.login`."""


@pytest.mark.parametrize(
    ("user", "acts"),
    [
        ({}, False),
        ({"is_logged_in": True, "email": "Ann@example.org"}, True),
        ({"is_logged_in": True, "email": "ann@example.org", "email_verified": True}, True),
        ({"is_logged_in": True, "email": "ann@example.org", "email_verified": False}, False),
        ({"is_logged_in": False, "email": "ann@example.org"}, False),
        ({"is_logged_in": True, "email": "bob@example.org"}, False),
        ({"is_logged_in": True}, False),
    ],
)
def test_an_account_acts_if_it_is_on_the_list(user, acts, quiet_lab, monkeypatch):
    class Secrets(dict):
        def load_if_toml_exists(self):
            return True

    listed = Secrets(auth={}, presenters={"emails": ["ann@example.org"]})
    monkeypatch.setattr(rights.st, "secrets", listed)
    monkeypatch.setattr(rights.st, "user", Account(user))
    app = visit()
    assert app.button(key="start").disabled is not acts


def test_emptying_streamlits_cache_leaves_the_lab_alone(quiet_lab):
    visit()
    before = lab.lab(), lab.history()
    streamlit.cache_resource.clear()
    assert (lab.lab(), lab.history()) == before


def test_collecting_garbage_after_each_refresh_does_not_look_through_the_modules(
    quiet_lab, monkeypatch
):
    # What other tests left in this process is out of sight too, as at the first visit of a server.
    monkeypatch.setattr(top, "_settled", {})
    visit()
    assert gc.get_freeze_count() > 50_000
    assert len(gc.get_objects()) < 50_000
