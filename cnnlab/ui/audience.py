"""The room behind the pages; and its gate, for what a presenter and the visitors say to it.

What a visitor says is held against its bounds by the room itself: its length, its range, how often.
"""

from __future__ import annotations

import re
import secrets

import streamlit as st

from cnnlab import datasets
from cnnlab.room import Entered, Place, Proposal, Room
from cnnlab.spec import ExperimentSpec, LabError
from cnnlab.ui import cookies, lab, rights
from cnnlab.ui.held import Held
from cnnlab.ui.rights import presenters_only

SESSION, VISITOR = "room.session", "room.visitor"
"""In the session of a browser: what it is called as one that leads, and as one that watches."""
EVENING_SECONDS = 8 * 3600.0

room = Held(Room, lambda _: None)
"""The room, one for all browsers."""


# --- who is here ----------------------------------------------------------------------------


def watches() -> bool:
    """Whether this browser is a visitor's."""
    return rights.shared() and not rights.may_act()


def presents() -> bool:
    """Whether this browser is a presenter's, in a lab that has visitors."""
    return rights.shared() and rights.may_act()


def presenter() -> str:
    """What the room calls this tab, of which a presenter may have several."""
    return str(st.session_state.setdefault(SESSION, secrets.token_hex(16)))


def visitor() -> str:
    """What the room calls this browser, whichever tab and after a reload: its bets are its own."""
    if VISITOR not in st.session_state:
        given = cookies.read("visitor")
        known = given if re.fullmatch("[0-9a-f]{32}", given) else secrets.token_hex(16)
        st.session_state[VISITOR] = known
    return str(st.session_state[VISITOR])


def remember() -> None:
    """Leave with the browser what it is called."""
    if cookies.read("visitor") != visitor():
        cookies.leave("visitor", visitor(), EVENING_SECONDS)


def changes() -> tuple[int, ...]:
    """What a page must be drawn anew for: counts bets that open and close; whether somebody leads;
    for a presenter also what is proposed, and whether this tab leads.
    """
    if not rights.shared():
        return ()
    keep_up_with_races()
    here = room()
    common = here.bets.changes, int(here.lead.led() is not None)
    if not rights.may_act():
        return common
    return *common, here.proposals.changes, int(here.lead.leads(presenter()))


def keep_up_with_races() -> None:
    """Let the room know which races wait and which have begun, so that bets close in time."""
    room().bets.keep_up(
        [
            Entered(one.race_id, tuple(lane.title for lane in one.plan.lanes), one.begun)
            for one in lab.lab().races()
        ]
    )


# --- what anybody may say -------------------------------------------------------------------


def look_in() -> None:
    """Count this browser among those who watch."""
    room().audience.look_in(visitor())


def place_bet(name: str, times: float | None) -> None:
    """Bet on the race that is announced.

    Raises:
        LabError: as `Bets.place_bet`.
    """
    keep_up_with_races()
    room().bets.place_bet(visitor(), name, times)


def propose(name: str, spec: ExperimentSpec) -> None:
    """Put a recipe before the presenter.

    Raises:
        LabError: it cannot work here; as `Proposals.propose`.
    """
    lab.check(spec)
    room().proposals.propose(visitor(), name, spec)


# --- the gate -------------------------------------------------------------------------------


@presenters_only
def lead_to(place: Place) -> None:
    """Tell those who follow where this browser is.

    Raises:
        LabError: as all of the gate, this browser may only watch.
    """
    room().lead.lead_to(presenter(), place)


@presenters_only
def take_lead() -> None:
    """Let visitors follow this browser."""
    room().lead.take_lead(presenter())


@presenters_only
def give_up_lead() -> None:
    """Let visitors not follow this browser."""
    room().lead.give_up_lead(presenter())


@presenters_only
def open_bets(lanes: tuple[str, ...]) -> None:
    """Take bets on the next race of these lanes. Raises as the gate, and as `Bets.open_bets`."""
    begun = [one.race_id for one in lab.lab().races() if one.begun]
    room().bets.open_bets(lanes, begun)


@presenters_only
def close_bets() -> None:
    """Take no bets any more, and forget those on a race that was not run."""
    room().bets.close_bets()


@presenters_only
def queue_proposal(proposal: Proposal) -> str:
    """Queue a recipe that a visitor proposed, under the visitor's name; the id of the run.

    Raises:
        LabError: as `lab.start`, and the recipe stays on the list; or it is no longer there.
    """
    taken = room().proposals.take_off(proposal.proposal_id)
    try:
        return lab.start(taken.spec, f"{datasets.run_name(taken.spec)} · {taken.name}"[:120])
    except LabError:
        room().proposals.put_back(taken)
        raise


@presenters_only
def dismiss_proposal(proposal: Proposal) -> None:
    """Take a recipe off the list. Raises as the gate; or it is no longer there."""
    room().proposals.take_off(proposal.proposal_id)
