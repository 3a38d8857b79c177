"""A race on a page: the lanes while it runs, the verdict."""

from __future__ import annotations

import streamlit as st

from cnnlab import charts, race, words
from cnnlab.race import Result
from cnnlab.runner import RaceSnapshot
from cnnlab.spec import LabError, RunCard
from cnnlab.ui import link, live, rights, tables
from cnnlab.ui.colours import inked
from cnnlab.ui.race import bets, entrants, lanes
from cnnlab.ui.race import curves as race_curves
from cnnlab.ui.race.entrants import RUNS, Race
from cnnlab.ui.run import details

MOST_LINKS = 8


def show() -> None:
    """The race as it stands: lanes, and when all runs are over, the verdict and the replay."""
    try:
        shown = entrants.read()
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/search_off:")
        _another()
        return
    if shown.over:
        _decided(shown)
    else:
        # Some lane of a race is mostly the CPU.
        live.every(live.TIMED_SECONDS, _underway)


def _underway() -> None:
    shown = entrants.read()
    if shown.over:
        st.rerun()  # the whole page, once: the race is decided
    if shown.underway:
        st.progress(*_progress(shown.underway))
    lanes.show(shown)
    if shown.underway and shown.underway.gains:
        _gains(shown.underway)
    bets.beside(shown)
    st.button(
        "Stop the race",
        key="race-stop",
        icon=":material/stop_circle:",
        on_click=entrants.break_off,
        args=(shown,),
        **rights.limits(),
    )


def _progress(now: RaceSnapshot) -> tuple[float, str]:
    """Share of the race that is done at most, and where it stands in words."""
    plan = now.plan
    if not now.begun:
        return 0.0, "The race waits for what runs before it."
    if plan.rounds:
        share = len(now.run_ids) / (plan.rounds * len(plan.lanes))
        return min(share, 1.0), f"Round {now.rounds} of {plan.rounds}"
    spent, most = words.duration(round(now.seconds)), words.duration(plan.budget_seconds)
    until = f"until the ratio is known to {words.percent(race.WIDTH)}, or {most} are spent"
    said = f"Round {now.rounds}: {spent} so far; {race.LEAST_PAIRS} rounds at least, {until}"
    return min(now.seconds / plan.budget_seconds, 1.0), said


def _gains(now: RaceSnapshot) -> None:
    titles = [lane.title for lane in now.plan.lanes]
    with st.container(horizontal=True):
        for lane, gain in now.gains.items():
            spread = "" if gain.width is None else f"give or take {words.percent(gain.width)}"
            st.metric(
                f"{titles[lane]} against {titles[0]}, so far",
                f"{words.number(gain.ratio)} times as fast",
                spread or None,
                delta_color="off",
                delta_arrow="off",
            )


# --- decided --------------------------------------------------------------------------------


def _decided(shown: Race) -> None:
    if race_curves.replay(shown):
        return  # the verdict comes when the room has seen it
    result = race.judge(shown.cards, shown.opponent)
    _verdict(result, shown)
    bets.beside(shown)
    lanes.show(shown)
    _pairs(shown)
    race_curves.show(shown)
    race_curves.reached(shown)
    if whole := [state.card for state in race_curves.first_runs(shown).values()]:
        st.subheader("Where the time went", anchor=False)
        details.ledger(*whole)
    _links(shown)


def _verdict(result: Result, shown: Race) -> None:
    st.header(tables.plain(result.heading), anchor=False)
    if result.where:
        st.markdown(tables.plain(result.where))
    for caveat in result.caveats:
        st.caption(f":material/info: {tables.plain(caveat)}")
    if result.same_start and len(shown.cards) > 1:
        digest = next(card.model.weights_sha256 for card in shown.cards if card.model) or ""
        st.caption(f"Every run began from the same weights (SHA-256 {digest[:12]}…).")


def _pairs(shown: Race) -> None:
    """Each pair's ratio, the spread of them all, and within what nobody is ahead."""
    found = shown.lanes
    frame = race.pairs_frame(found)
    if len(frame) > 1:
        spec = charts.pairs_spec(found[0].title, len(found) - 1, race.LEVEL)
        alt = charts.alt_text("race_pairs")
        st.vega_lite_chart(charts.packed(frame), inked(spec), key="race-pairs", alt=alt)


# --- and then -------------------------------------------------------------------------------


def _links(shown: Race) -> None:
    firsts = race_curves.first_runs(shown)
    with st.container(horizontal=True):
        for name, state in firsts.items():
            st.page_link(
                "pages/history.py",
                label=tables.plain(name),
                icon=":material/link:",
                query_params={"run": state.card.run_id},
            )
        st.page_link(
            "pages/compare.py",
            label="Compare in detail",
            icon=":material/compare_arrows:",
            query_params={RUNS: ",".join(state.card.run_id for state in firsts.values())},
        )
        if shown.cards:
            _again(shown.cards[0])
        _another()


def _again(card: RunCard) -> None:
    st.page_link(
        "pages/race.py",
        label="Race this recipe again",
        icon=":material/replay:",
        query_params=link.encode(card.spec),
    )


def _another() -> None:
    st.page_link("pages/race.py", label="Start another race", icon=":material/flag:")
