"""Which runs are compared: a list to add from, a search, a link.

The truth is the URL (`?runs=ID,ID`): a link opens what its sender saw, after a restart too.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlab import words
from cnnlab.history import RunSummary
from cnnlab.ui import tables
from cnnlab.ui.lab import session_name

RUNS, ADD, FIND = "runs", "compare.add", "compare.find"
BASE, HIDE = "base", "hide"  # in the address: what the others are held against, what is not drawn
LADDER = "ladder"  # in the address: the runs are rungs, in their order
MOST_RUNS = 500  # at once: beyond, a browser's address grows too long
MOST_OFFERED = 500  # of the newest runs, by the list; the search finds all


def asked() -> list[str]:
    """The ids that the URL names, once each."""
    parts = ",".join(st.query_params.get_all(RUNS)).split(",")
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))[:MOST_RUNS]


def resolve(ids: Sequence[str], runs: Sequence[RunSummary]) -> tuple[list[RunSummary], list[str]]:
    """The runs that ids, whole or shortened, stand for, and the ids that stand for none."""
    by_id = {run.run_id: run for run in runs}
    found: dict[str, RunSummary] = {}
    missing = []
    for run_id in ids:
        fitting = [by_id[run_id]] if run_id in by_id else _shortened(run_id, runs)
        if len(fitting) == 1:
            found[fitting[0].run_id] = fitting[0]
        else:
            missing.append(run_id)
    return list(found.values()), missing


def _shortened(run_id: str, runs: Sequence[RunSummary]) -> list[RunSummary]:
    return [run for run in runs if run.run_id.startswith(run_id)]


def choose(runs: Sequence[RunSummary]) -> list[RunSummary]:
    """Let the reader choose among the runs; what the URL names is chosen."""
    found, missing = resolve(asked(), runs)
    if missing:
        _say_missing(missing, rest=bool(found))
    if not runs:
        return []
    _add(runs, [run.run_id for run in found])
    return found


def _add(runs: Sequence[RunSummary], chosen: Sequence[str]) -> None:
    """A list to add a run from, and the ways to add many."""
    # A cell of a sweep is found by search and by link: its neighbours would bury all others here.
    alone = [run for run in runs if not run.sweep and run.run_id not in chosen]
    offered = {run.run_id: run for run in alone[:MOST_OFFERED]}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.selectbox(
            "Add a run",
            options=list(offered),
            index=None,
            format_func=lambda run_id: _label(offered[run_id]),
            key=ADD,
            on_change=_added,
            args=(list(chosen),),
            placeholder="Add a run by name, device or id",
            label_visibility="collapsed",
            width=360,
        )
        _shortcuts(runs, chosen)


def _say_missing(missing: Sequence[str], rest: bool) -> None:
    names = tables.plain(", ".join(run_id[:40] for run_id in missing[:5]))
    more = f" and {words.count(len(missing) - 5)} more" if len(missing) > 5 else ""
    shown = " The rest is shown." if rest else ""
    st.warning(
        f"The link names {names}{more}, which the history does not know: deleted, or run on "
        f"another computer.{shown}",
        icon=":material/search_off:",
    )


def _label(run: RunSummary) -> str:
    kind = tables.KINDS[tables.kind_of(run)]
    parts = run.name.split(" · ")
    return " · ".join([*parts, *([] if kind in parts else [kind]), run.run_id])


def _added(chosen: Sequence[str]) -> None:
    picked = st.session_state[ADD]
    st.session_state[ADD] = None
    if picked:
        put([*chosen, picked])


def put(run_ids: Sequence[str]) -> None:
    """Compare these runs."""
    st.query_params.pop(LADDER, None)
    if run_ids:
        st.query_params[RUNS] = ",".join(list(run_ids)[:MOST_RUNS])
        return
    for name in (RUNS, BASE, HIDE):
        st.query_params.pop(name, None)


def link(run_ids: Sequence[str], label: str) -> None:
    """A link to this page with these runs chosen."""
    st.page_link(
        "pages/compare.py",
        label=label,
        icon=":material/compare_arrows:",
        query_params={RUNS: ",".join(run_ids)},
    )


def _shortcuts(runs: Sequence[RunSummary], chosen: Sequence[str]) -> None:
    with st.popover("Add by search", icon=":material/search:"):
        _search(runs, chosen)
    here = [run.run_id for run in runs if run.session == session_name() and not run.sweep]
    st.button(
        f"All of this session ({words.count(len(here))})",
        icon=":material/folder_open:",
        disabled=not here,
        on_click=put,
        args=(here,),
    )
    if chosen:
        st.button("Clear", icon=":material/close:", on_click=put, args=([],))


def _search(runs: Sequence[RunSummary], chosen: Sequence[str]) -> None:
    text = st.text_input(
        "Find", key=FIND, placeholder="Name, network, data, device, session, note, id"
    )
    if not text.strip():
        st.caption("Every run that holds all of the words can be added at once.")
        return
    frame = tables.runs_table(runs, st.context.timezone)
    fitting = [
        run_id for run_id in tables.chosen(frame, text, [], []).index if run_id not in chosen
    ]
    count = words.count(len(fitting))
    if not fitting:
        st.caption("No further run fits.")
        return
    names = tables.chosen(frame, text, [], [])["name"].loc[fitting[:5]]
    st.caption(tables.plain(", ".join(names)) + (" …" if len(fitting) > 5 else ""))
    st.button(
        f"Add {count} {'run' if len(fitting) == 1 else 'runs'}",
        type="primary",
        on_click=put,
        args=([*chosen, *fitting],),
    )
