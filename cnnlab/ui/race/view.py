"""A race on a page: to the start, two lanes while it runs, the verdict."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlab import race
from cnnlab.race import Opponent
from cnnlab.spec import LabError, RunCard, Status
from cnnlab.ui import link, live, rights, tables
from cnnlab.ui.race import curves as race_curves
from cnnlab.ui.race import lanes
from cnnlab.ui.race.entrants import AGAINST, RUNS, card_of, withdraw
from cnnlab.ui.run import details
from cnnlab.ui.run.state import RunState, read

REFRESH_SECONDS = 1.0


def show(run_ids: Sequence[str]) -> None:
    """The race as it stands: lanes, and when all runs are over, the verdict and the replay."""
    try:
        cards = [card_of(run_id) for run_id in run_ids]
        opponent = _opponent(cards)
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/search_off:")
        _another()
        return
    if all(card.status.over for card in cards):
        _decided([read(card) for card in cards], opponent)
    else:
        live.every(REFRESH_SECONDS, _underway, cards, opponent)


def _opponent(cards: Sequence[RunCard]) -> Opponent | None:
    """Who stands beside the runs: as the link says, else what was published."""
    if len({race.kind(card) for card in cards}) > 1:
        return None
    if asked := st.query_params.get(AGAINST):
        return race.opponent_named(asked, card_of)
    return race.opponent_for([card.device.used if card.device else "cpu" for card in cards])


def _underway(cards: Sequence[RunCard], opponent: Opponent | None) -> None:
    states = [read(card) for card in cards]
    if all(state.card.status.over for state in states):
        st.rerun()  # the whole page, once: the race is decided
    lanes.show(states, opponent)
    race_curves.show(states, opponent)
    ids = [card.run_id for card in cards]
    st.button(
        "Stop the race",
        key="race-stop",
        icon=":material/stop_circle:",
        on_click=withdraw,
        args=(ids,),
        **rights.limits(),
    )


def _decided(states: Sequence[RunState], opponent: Opponent | None) -> None:
    if race_curves.replay(states, opponent):
        return  # the verdict comes when the room has seen it
    cards = [state.card for state in states]
    _verdict(cards, opponent)
    lanes.show(states, opponent)
    race_curves.show(states, opponent)
    race_curves.reached(states, opponent)
    st.subheader("Where the time went", anchor=False)
    named = _named(states, opponent)
    details.ledger(*named)
    _links(named)


def _named(states: Sequence[RunState], opponent: Opponent | None) -> list[RunCard]:
    """The cards under the names that their lanes have on this page."""
    entrants = race_curves.entrants(states, opponent)
    return [state.card.model_copy(update={"name": name}) for name, state in entrants.items()]


def _verdict(cards: Sequence[RunCard], opponent: Opponent | None) -> None:
    result = race.judge(cards, opponent)
    if any(card.status is not Status.FINISHED for card in cards):
        st.warning(tables.plain(result.verdict), icon=":material/balance:")
        return
    st.header(tables.plain(result.heading), anchor=False)
    if result.where:
        st.markdown(tables.plain(result.where))
    if result.reasons:
        reasons = "".join(f"\n- {tables.plain(reason)}" for reason in result.reasons)
        st.caption(f"Why no number is claimed:\n{reasons}")
    if result.same_start and (len(cards) > 1 or isinstance(opponent, RunCard)):
        digest = next(card.model.weights_sha256 for card in cards if card.model) or ""
        st.caption(f"Every run began from the same weights (SHA-256 {digest[:12]}…).")
    if marks := " ".join(filter(None, map(tables.disturbed, cards))):
        st.warning(f"Times were disturbed. {tables.plain(marks)}", icon=":material/blur_on:")


# --- and then -------------------------------------------------------------------------------


def _links(cards: Sequence[RunCard]) -> None:
    with st.container(horizontal=True):
        for card in cards:
            st.page_link(
                "pages/history.py",
                label=tables.plain(card.name),
                icon=":material/link:",
                query_params={"run": card.run_id},
            )
        st.page_link(
            "pages/compare.py",
            label="Compare in detail",
            icon=":material/compare_arrows:",
            query_params={RUNS: ",".join(card.run_id for card in cards)},
        )
        st.page_link(
            "pages/race.py",
            label="Race this recipe again",
            icon=":material/replay:",
            query_params=link.encode(cards[0].spec),
        )
        _another()


def _another() -> None:
    st.page_link("pages/race.py", label="Start another race", icon=":material/flag:")
