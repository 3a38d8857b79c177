"""Beside the line above each page, in a shared lab: what a presenter looks after, and the way of a
visitor's recipe to the presenter.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import streamlit as st

from cnnlab import datasets
from cnnlab.room import LONGEST_NAME, Proposal
from cnnlab.spec import ExperimentSpec
from cnnlab.ui import address, audience, following, link, live, rights, tables

NAME = "room.name"
"""In the session of a browser: the name under which its visitor bet or proposed last."""
LEADS, WANTS = "room.leads", "room.wants"
BETS = ":material/casino:"


def show() -> None:
    """A presenter's: visitors, whether they follow this tab, what they propose."""
    if audience.watches():
        audience.remember()
    if not audience.presents():
        return
    waiting = audience.room().proposals.proposed()
    label = f"Room · {len(waiting)} proposed" if waiting else "Room"
    with st.popover(label, icon=":material/groups:", key="room"):
        where = address.address()
        st.html(address.code(where))
        st.markdown(tables.plain(where))
        st.session_state[LEADS] = audience.room().lead.leads(audience.presenter())
        st.toggle("Visitors follow this tab", key=LEADS, on_change=_lead)
        for proposal in waiting:
            _proposed(proposal)


def watching() -> None:
    """Part of what is refreshed: for a presenter how many watch, for a visitor the way to bet."""
    if audience.presents():
        count = audience.room().audience.count()
        st.caption(f"{count} {'visitor' if count == 1 else 'visitors'}", width="content")
    elif audience.watches() and following.page() != "race":
        _call()


def _call() -> None:
    if book := audience.room().bets.book():
        query = {"race": book.race_id} if book.race_id else None
        st.page_link("pages/race.py", label="Bet", icon=BETS, query_params=query)


def _lead() -> None:
    wanted = live.said(LEADS)
    if wanted is not None:
        rights.attempt(audience.take_lead if wanted else audience.give_up_lead)


def _proposed(proposal: Proposal) -> None:
    """One recipe, whose it is, and what becomes of it."""
    with st.container(border=True):
        st.html(f"<b>{escape(proposal.name)}</b>")
        st.page_link(
            "pages/train.py",
            label=tables.plain(datasets.run_name(proposal.spec)),
            icon=":material/tune:",
            query_params=link.encode(proposal.spec),
        )
        with st.container(horizontal=True):
            for label, icon, deed in (
                ("Queue", "playlist_add", audience.queue_proposal),
                ("Dismiss", "close", audience.dismiss_proposal),
            ):
                st.button(
                    label,
                    key=f"room.{label.lower()}-{proposal.proposal_id}",
                    icon=f":material/{icon}:",
                    on_click=_decide,
                    args=(deed, proposal),
                )


def _decide(deed: Callable[[Proposal], object], proposal: Proposal) -> None:
    rights.attempt(deed, proposal)


# --- a visitor's recipe ---------------------------------------------------------------------


def offer(spec: ExperimentSpec) -> None:
    """Let a visitor put a recipe before the presenter; nothing for who can start it."""
    if not audience.watches():
        return
    with st.popover("Propose it", icon=":material/campaign:", key="room.proposing"):
        st.write("The presenter sees your recipe in a list, and may queue it.")
        with st.form("room.form", border=False):
            name_field(WANTS)
            st.form_submit_button(
                "Propose this recipe", key="room.propose", on_click=_propose, args=(spec,)
            )


def name_field(key: str) -> None:
    """Where a visitor gives a name; what was given before stands there."""
    if key not in st.session_state:
        st.session_state[key] = st.session_state.get(NAME, "")
    st.text_input("Your name", key=key, max_chars=LONGEST_NAME, autocomplete="nickname")


def _propose(spec: ExperimentSpec) -> None:
    name = live.said(WANTS)
    if name is None:
        return
    st.session_state[NAME] = name
    if rights.attempt(audience.propose, name, spec):
        st.toast("Your recipe lies before the presenter.", icon=":material/campaign:")
