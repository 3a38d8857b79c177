"""Races that wait: before one begins it has no run, and so no row among the runs."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlab import words
from cnnlab.runner import RaceSnapshot
from cnnlab.ui import lab, rights, tables


def show() -> None:
    """A line for each of them, with what it waits for, the next one first."""
    races = lab.lab().races()
    for place, race in enumerate(races):
        if not race.begun:
            _line(race, races[:place])


def _line(race: RaceSnapshot, ahead: Sequence[RaceSnapshot]) -> None:
    key = f"waiting-{race.race_id}"
    with st.container(horizontal=True, vertical_alignment="center", key=key):
        said = f":material/hourglass_empty: **{tables.plain(race.name)}** {_waits(race, ahead)}"
        st.markdown(said, width="content")
        st.page_link(
            "pages/race.py",
            label="See the race",
            icon=":material/flag:",
            query_params={"race": race.race_id},
        )
        st.button(
            "Withdraw",
            key=f"withdraw-{race.race_id}",
            icon=":material/close:",
            on_click=_withdraw,
            args=(race.race_id,),
            **rights.limits(),
        )


def _withdraw(race_id: str) -> None:
    rights.attempt(lab.stop_race, race_id)


def _waits(race: RaceSnapshot, ahead: Sequence[RaceSnapshot]) -> str:
    """Where it stands: runs have the way, those that are queued later too, then races in turn."""
    machines = _machines(race)
    raced = {run_id for one in ahead for run_id in one.run_ids}
    training = {name: run for name, run in lab.lab().training().items() if run not in raced}
    runs = sum(len(lab.lab().queued(name)) + (name in training) for name in machines)
    races = sum(not machines.isdisjoint(_machines(one)) for one in ahead)
    counts = ((runs, "run"), (races, "race"))
    before = [f"{words.count(n)} {what}{'s' * (n > 1)}" for n, what in counts if n]
    return f"waits behind {' and '.join(before)}." if before else "is about to begin."


def _machines(race: RaceSnapshot) -> set[str]:
    return {lane.spec.machine for lane in race.plan.lanes}
