"""Which runs are compared: a list to add from, a search, a link.

The truth is the URL (`?runs=ID,ID`): a link opens what its sender saw, after a restart too.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlab import words
from cnnlab.history import RunSummary
from cnnlab.spec import LabError, Status
from cnnlab.ui import live, tables
from cnnlab.ui.lab import history, session_name

RUNS, ADD, FIND = "runs", "compare.add", "compare.find"
BASE, HIDE = "base", "hide"  # in the address: what the others are held against, what is not drawn
LADDER = "ladder"  # in the address: the runs are rungs, in their order
MOST_RUNS = 500  # at once: beyond, a browser's address grows too long
MOST_OFFERED = 500  # of the newest runs, by the list; the search finds all
NEWEST = 4  # that are offered to be compared at once


def asked() -> list[str]:
    """The ids that the URL names, once each."""
    parts = ",".join(st.query_params.get_all(RUNS)).split(",")
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))[:MOST_RUNS]


def resolve(ids: Sequence[str]) -> tuple[list[RunSummary], list[str]]:
    """The runs that ids, whole or shortened, stand for, and the ids that stand for none."""
    whole = {run.run_id: run for run in history().summaries(run_ids=ids)}
    meant = {run_id: whole.get(run_id) or _shortened(run_id) for run_id in ids}
    found = {run.run_id: run for run in meant.values() if run}
    return list(found.values()), [run_id for run_id, run in meant.items() if run is None]


def _shortened(run_id: str) -> RunSummary | None:
    """The run that the first characters of an id stand for; None where they fit not just one."""
    try:
        return history().summaries(run_ids=[history().find(run_id)])[0]
    except LabError:
        return None


def choose() -> list[RunSummary]:
    """Let the reader choose among the runs; what the URL names is chosen."""
    found, missing = resolve(asked())
    if missing:
        _say_missing(missing, rest=bool(found))
    if found or history().summaries(limit=1):
        _add([run.run_id for run in found])
    return found


def _add(chosen: Sequence[str]) -> None:
    """A list to add a run from, and the ways to add many."""
    # A cell of a sweep is found by search and by link: its neighbours would bury all others here.
    newest = history().summaries(cells=False, limit=MOST_OFFERED)
    offered = {run.run_id: run for run in newest if run.run_id not in chosen}
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
        _shortcuts(chosen)


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
    if picked := live.said(ADD):
        st.session_state[ADD] = None
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


def _shortcuts(chosen: Sequence[str]) -> None:
    with st.popover("Add by search", icon=":material/search:"):
        _search(chosen)
    here = history().tally(session_name()).alone
    st.button(
        f"All of this session ({words.count(here)})",
        icon=":material/folder_open:",
        disabled=not here,
        on_click=_put_session,
    )
    if chosen:
        st.button("Clear", icon=":material/close:", on_click=put, args=([],))


def offer_newest() -> None:
    """A button that takes the newest runs which learnt the same, where there are several."""
    finished = history().summaries(statuses=[Status.FINISHED], cells=False, limit=MOST_OFFERED)
    alike = [run for run in finished if run.spec.dataset == finished[0].spec.dataset]
    newest = alike[:NEWEST]
    if len(newest) > 1:
        st.button(
            f"Compare the newest {len(newest)}",
            type="primary",
            icon=":material/compare_arrows:",
            key="compare.newest",
            on_click=put,
            args=([run.run_id for run in newest],),
        )


def _put_session() -> None:
    runs = history().summaries(session=session_name(), cells=False, limit=MOST_RUNS)
    put([run.run_id for run in runs])


def _search(chosen: Sequence[str]) -> None:
    text = st.text_input(
        "Find", key=FIND, placeholder="Name, network, data, device, session, note, id"
    )
    if not text.strip():
        st.caption("Every run that holds all of the words can be added at once.")
        return
    found = history().summaries(words=text, limit=MOST_RUNS)
    fitting = [run for run in found if run.run_id not in chosen]
    if not fitting:
        st.caption("No further run fits.")
        return
    names = ", ".join(run.name for run in fitting[:5])
    st.caption(tables.plain(names) + (" …" if len(fitting) > 5 else ""))
    st.button(
        f"Add {words.count(len(fitting))} {'run' if len(fitting) == 1 else 'runs'}",
        type="primary",
        on_click=put,
        args=([*chosen, *(run.run_id for run in fitting)],),
    )
