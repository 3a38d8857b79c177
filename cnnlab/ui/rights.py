"""Who may act: at its own computer everybody; shared on a network the presenter. Visitors watch.

Rights are enforced where an action happens: `lab`'s gate asks here before anything takes effect.
That pages disable a visitor's buttons is a courtesy, for a browser may send whatever it likes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import streamlit as st

from cnnlab.sharing import TICKET_SECONDS, Door, Tries, given_passphrase, is_local, new_passphrase
from cnnlab.spec import LabError
from cnnlab.ui import cookies, live, tables
from cnnlab.ui.held import Held

KEY, TRIES, REFUSED, WORD = "rights.key", "rights.tries", "rights.refused", "rights.passphrase"
TICKET = "rights.ticket"
"""In the session: the ticket to leave with the browser; empty: to take away."""
REASON = "You are watching. Sign in as the presenter, at the top of the page, to do this."
EMAILS = "presenters"
"""The section of Streamlit's secrets whose `emails` may act, once `st.login` has named them."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


# --- who may --------------------------------------------------------------------------------


def shared() -> bool:
    """Whether others than the owner of this computer can be here.

    Raises:
        LabError: the passphrase that was given is no good.
    """
    local = is_local(st.get_option("server.address"))
    return not local or given_passphrase() is not None or _accounts()


def may_act() -> bool:
    """Whether this browser may start, stop and change things."""
    if not shared():
        return True
    # The key is an object of this process: it cannot come in a message.
    if st.session_state.get(KEY) is door().key:
        return True
    return door().admits(_cookie()) or _known_by_account()


def require_presenter() -> None:
    """Pass, or refuse.

    Raises:
        LabError: this browser may only watch.
    """
    if not may_act():
        raise LabError(REASON)


def presenters_only(
    action: Callable[Arguments, Result],
) -> Callable[Arguments, Result]:
    """An action that is refused, with a `LabError`, to whom may only watch."""

    @wraps(action)
    def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        require_presenter()
        return action(*args, **kwargs)

    return guarded


def limits(disabled: bool = False, help: str | None = None) -> dict[str, Any]:
    """How a widget that acts looks to this browser: disabled for a visitor, who is told why."""
    if may_act():
        return {"disabled": disabled, "help": help}
    return {"disabled": True, "help": REASON}


def attempt(action: Callable[..., object], *args: Any) -> bool:
    """Do it, or say in a toast why it could not be done; for callbacks, which own no place."""
    try:
        action(*args)
    except LabError as error:
        st.toast(tables.plain(str(error)), icon=":material/error:", duration="long")
        return False
    return True


# --- ways in --------------------------------------------------------------------------------


def _make_door() -> Door:
    given = given_passphrase()
    passphrase = given or new_passphrase()
    if not given:
        print(f"\n  The presenter's passphrase: {passphrase}\n", file=sys.stderr, flush=True)
    return Door(passphrase)


door = Held(_make_door, lambda door: None)
"""The passphrase, given or made up now; one for all browsers."""


def _accounts() -> bool:
    """Whether `st.login` is set up, with somebody whom it lets act."""
    return bool(st.secrets.load_if_toml_exists()) and "auth" in st.secrets and bool(_emails())


def _emails() -> set[str]:
    listed = st.secrets.get(EMAILS, {}).get("emails", [])
    return {str(email).casefold() for email in listed}


def _known_by_account() -> bool:
    if not _accounts() or not st.user.get("is_logged_in", False):
        return False
    if st.user.get("email_verified", True) is not True:
        return False
    return str(st.user.get("email", "")).casefold() in _emails()


# --- on the page ----------------------------------------------------------------------------


def show() -> None:
    """In a shared lab: whether this browser watches or presents, and the way to the other."""
    if not shared():
        return
    _remember()
    if may_act():
        with st.popover("Presenting", icon=":material/key:"):
            st.write("This browser may start, stop and change things. Others watch.")
            st.button("Sign out", key="rights.out", on_click=_sign_out)
        return
    with st.popover("Watching", icon=":material/visibility:"):
        st.write(
            "Everything that happens here is shown to you as it happens. To train, stop or change "
            "something, sign in as the presenter."
        )
        with st.form("rights.form", border=False):
            st.text_input("Passphrase", type="password", key=WORD, autocomplete="current-password")
            st.form_submit_button("Sign in", type="primary", key="rights.in", on_click=_sign_in)
        if refused := st.session_state.get(REFUSED):
            st.error(tables.plain(refused), icon=":material/lock:")
        if _accounts():
            st.button("Sign in with an account", key="rights.account", on_click=st.login)
            if st.user.get("is_logged_in", False):
                st.caption("The account that is signed in is not on the list of presenters.")


def _cookie() -> str:
    """The ticket that this browser came with."""
    return cookies.read("presenter")


def _remember() -> None:
    """Leave the ticket with the browser, so that a reload keeps it signed in; or take it away."""
    ticket = st.session_state.get(TICKET)
    if ticket is not None:
        cookies.leave("presenter", ticket, TICKET_SECONDS)


def _sign_in() -> None:
    word = live.said(WORD)
    if word is None:
        return
    st.session_state[WORD] = ""  # nothing keeps it
    tries = st.session_state.setdefault(TRIES, Tries())
    try:
        st.session_state[KEY] = door().open(word, tries)
        st.session_state[TICKET] = door().ticket()
        st.session_state[REFUSED] = ""
    except LabError as error:
        st.session_state[REFUSED] = str(error)


def _sign_out() -> None:
    st.session_state.pop(KEY, None)
    door().tear(st.session_state.get(TICKET) or _cookie())
    st.session_state[TICKET] = ""
    if _known_by_account():
        st.logout()
