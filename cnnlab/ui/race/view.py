"""A race on a page: the lanes while it runs, the verdict."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlab import charts, learned, race, recorded, words
from cnnlab.race import Result
from cnnlab.runner import RaceSnapshot
from cnnlab.spec import LabError, RunCard
from cnnlab.ui import lead, link, live, rights, tables
from cnnlab.ui.colours import inked
from cnnlab.ui.inspect import choice as inspect_choice
from cnnlab.ui.race import bets, entrants, lanes, stage
from cnnlab.ui.race import curves as race_curves
from cnnlab.ui.race.entrants import RUNS, Race
from cnnlab.ui.race.stage import Entry
from cnnlab.ui.run import details


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
        live.anew()  # the race is decided
        return
    found = lanes.entries(shown)
    seconds = lanes.clock(found)
    with st.container(horizontal=True, vertical_alignment="center", key="race-lead"):
        _leads(shown, found, seconds)
    lanes.drive(shown, found, seconds)
    bets.beside(shown)
    with st.container(horizontal=True, vertical_alignment="center", key="race-progress"):
        if shown.underway:
            st.progress(*_progress(shown.underway))
        st.button(
            "Stop the race",
            key="race-stop",
            icon=":material/stop_circle:",
            shortcut="Alt+S",
            on_click=entrants.break_off,
            args=(shown,),
            **rights.limits(),
        )


def _leads(shown: Race, found: Sequence[Entry], seconds: float) -> None:
    """The ratios of the pairs so far, and how far the first is ahead in this round."""
    now = shown.underway
    titles = [lane.title for lane in now.plan.lanes] if now else []
    for lane, gain in now.gains.items() if now else ():
        spread = "" if gain.width is None else f", give or take {words.percent(gain.width)}"
        against = f"as fast: {titles[lane]} against {titles[0]}, so far{spread}"
        lead.figure(words.times(gain.ratio), against)
    if gap := stage.gap_of(found, seconds):
        before = stage.gap_of(found, max(seconds - live.TIMED_SECONDS, 0.0))
        lead.figure(*gap, before and before[0])
    elif now and not now.begun:
        lead.figure("Waits", "for what runs before it")
    elif not (now and now.gains):
        lead.figure(words.duration(seconds), "on the clock of the race")


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
    """The figure first, its words beside it, and what bears on it behind a chip."""
    with st.container(horizontal=True, vertical_alignment="center", key="race-lead"):
        lead.figure(result.figure, result.figure_of)
        _fairness(result, shown)
    with st.container(key="race-verdict"):
        st.header(tables.plain(result.heading), anchor=False)
    if result.where:
        st.markdown(tables.plain(result.where))


def _fairness(result: Result, shown: Race) -> None:
    count = len(result.caveats)
    name = "Fair" if not count else "1 caveat" if count == 1 else f"{count} caveats"
    icon = ":material/balance:" if count else ":material/verified:"
    with st.popover(name, icon=icon):
        for caveat in result.caveats:
            st.markdown(f"- {tables.plain(caveat)}")
        if result.same_start and len(shown.cards) > 1:
            digest = next(card.model.weights_sha256 for card in shown.cards if card.model) or ""
            st.caption(f"Every run began from the same weights (SHA-256 {digest[:12]}…).")
        elif not count:
            st.caption("Nothing that is known of these runs bears on their times.")


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
    found = race_curves.first_runs(shown)
    firsts = {name: one for name, one in found.items() if not recorded.ships(one.card)}
    if any(card.part and card.part.cut_seconds for card in shown.cards):
        st.caption(
            "Short legs keep nothing of what they learn, so that nothing disturbs their times; a "
            "race of whole trainings shows what its lanes learned, epoch by epoch."
        )
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
        _learned([state.card.run_id for state in firsts.values()])
        if shown.cards:
            _again(shown.cards[0])
        _another()


def _learned(run_ids: Sequence[str]) -> None:
    """What the lanes learned, side by side, as far as it was kept."""
    kept = [run_id for run_id in run_ids if learned.kept(run_id)][: inspect_choice.MOST]
    if kept:
        st.page_link(
            "pages/inspect.py",
            label="What they learned" if len(kept) > 1 else "What it learned",
            icon=":material/visibility:",
            query_params={RUNS: ",".join(kept)},
        )


def _again(card: RunCard) -> None:
    st.page_link(
        "pages/race.py",
        label="Race this recipe again",
        icon=":material/replay:",
        query_params=link.encode(card.spec),
    )


def _another() -> None:
    st.page_link("pages/race.py", label="Start another race", icon=":material/flag:")
