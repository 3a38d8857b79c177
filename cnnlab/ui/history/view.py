"""The history's table and what can be done to its rows.

The truth about which runs are open is the URL (`?run=ID&run=ID`): a link opens what its sender saw.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from math import isfinite, nan

import pandas as pd
import streamlit as st

from cnnlab import charts, words
from cnnlab.history import LOW_IS_BETTER, RunSummary, Tally
from cnnlab.spec import LabError, Status
from cnnlab.ui import call, keeping, lab, lead, live, rights, standing, tables
from cnnlab.ui.colours import palette
from cnnlab.ui.history import groups
from cnnlab.ui.history.choice import ORDERS, Choice, Scope
from cnnlab.ui.lab import history, session_name

RUN, DELETED = "run", "history.deleted"
BOARD, PART, TICKS = "board", "history.part", "history.ticks"
MOST_OPEN = 50
MOST_ROWS = 10  # more than these scroll
MOST_IN_CELL = 30  # points of a line in a cell


# --- which runs -----------------------------------------------------------------------------


def opened() -> list[str]:
    """Ids of the runs that the URL names, but for those that are deleted."""
    gone = _deleted_in_link()
    return [run_id for run_id in _named() if run_id not in gone]


def _named() -> list[str]:
    return list(dict.fromkeys(st.query_params.get_all(RUN)))[:MOST_OPEN]


def _deleted_in_link() -> list[str]:
    """Ids of the runs that the URL names and that are deleted."""
    gone = history().deleted(_named())
    return [run_id for run_id in _named() if run_id in gone]


def _open(run_ids: Sequence[str]) -> None:
    if run_ids:
        st.query_params[RUN] = list(run_ids)
    else:
        st.query_params.pop(RUN, None)


def board_asked() -> bool:
    """Let the reader choose between the runs and the best of them; the address keeps the choice."""
    at = "board" if BOARD in st.query_params else "runs"
    st.segmented_control(
        "What to see",
        options=["runs", "board"],
        default=at,
        required=True,
        format_func={"runs": "Runs", "board": "High scores"}.__getitem__,
        key=standing.key_at(PART, at),
        on_change=_part_chosen,
        label_visibility="collapsed",
    )
    return at == "board"


def _part_chosen() -> None:
    chosen = standing.chosen(PART)
    if chosen == "board":
        st.query_params.from_dict({BOARD: "1"})
    elif chosen:
        st.query_params.pop(BOARD, None)


def look_into(run_id: str) -> None:
    """Leave the board for one of its runs."""
    st.query_params.from_dict({RUN: run_id})


def empty(within: Scope) -> None:
    """Say what will appear here, and offer what makes it appear."""
    where = "" if within == "all" else f" in the session “{tables.plain(session_name())}”"
    with st.container(border=True):
        st.subheader(f"No runs yet{where}", anchor=False)
        st.write("Every run appears here with its curve and its speed, ready to be compared.")
        call.to_train("Train a first run" if within == "all" else "Train a run")


# --- the table ------------------------------------------------------------------------------


def table(choice: Choice, open_now: Sequence[str]) -> None:
    """The runs with a filter above; a click opens one row, ticks open several."""
    rows, behind = groups.gathered(choice.runs)
    if not open_now:
        _best(rows)
    shown = _filtered(tables.runs_table(rows, st.context.timezone), choice.tally)
    column = ORDERS[st.session_state["history.order"]]
    shown = shown.sort_values(
        column, ascending=column in LOW_IS_BETTER, na_position="last", kind="stable"
    )
    if shown.empty:
        st.info("No run fits the filter; loosen it to see more.", icon=":material/filter_alt_off:")
        return
    ids = list(shown.index)
    # Ticks are row numbers: another set of rows is another table, ticked as the URL says.
    key = f"runs-{hashlib.sha256(' '.join(ids).encode()).hexdigest()[:16]}"
    ticked = [
        row for row, run_id in enumerate(ids) if set(behind.get(run_id, [run_id])) & set(open_now)
    ]
    st.session_state[TICKS] = ticked
    left_out = {"session"} if choice.within != "all" else set()
    left_out |= {"machine"} if shown["machine"].isna().all() else set()
    left_out |= {"origin"} if shown["origin"].isna().all() else set()
    left_out |= {"dataset"} if shown["dataset"].nunique() == 1 else set()
    columns = [name for name in tables.COLUMNS if name not in left_out - {"dataset"}]
    st.dataframe(
        _drawn(shown, rows)[columns],
        hide_index=True,
        placeholder=words.UNKNOWN,
        column_config=tables.column_config(),
        column_order=[name for name in columns if name not in tables.HIDDEN | left_out],
        height="auto" if len(ids) <= MOST_ROWS else 400,
        key=key,
        on_select=lambda: _ticked(key, [behind.get(run_id, [run_id]) for run_id in ids]),
        selection_mode=["multi-row", "single-cell"],
        selection_default={"selection": {"rows": ticked}},
        alt="The runs, a row each, with their settings, speed and accuracy.",
    )
    if choice.narrowed:
        st.caption(choice.what_is_left_out)
    if not open_now:
        st.caption(
            "Click a run to look into it; tick several to compare them. A race, or repeats over "
            "seeds, have one row, which opens all their runs."
        )


def _best(rows: Sequence[RunSummary]) -> None:
    """What leads while no run is open: the most accurate of the runs on what most learnt from."""
    known = [run for run in rows if isfinite(run.best_val_accuracy or nan)]
    if not known:
        return
    often = Counter(run.spec.dataset for run in known)
    ((dataset, count),) = often.most_common(1)
    best = max(
        (run for run in known if run.spec.dataset == dataset),
        key=lambda run: run.best_val_accuracy or 0.0,
    )
    on = f" on {lab.dataset_labels().get(dataset, dataset)}" if len(often) > 1 else ""
    among = "" if count == 1 else f", the best of {words.count(count)}{on}"
    lead.figure(words.percent(best.best_val_accuracy), f"validation accuracy{among}: {best.name}")


def _drawn(shown: pd.DataFrame, rows: Sequence[RunSummary]) -> pd.DataFrame:
    """The table with the colour of each run and how it learnt."""
    here = [run for run in rows if run.run_id in shown.index]
    colours = palette().of_runs(here)
    learnt = history().accuracies([run.run_id for run in here])
    drawn = shown.assign(
        colour=[charts.swatch(colours[run_id]) for run_id in shown.index],
        curve=[_thinned(learnt[run_id]) for run_id in shown.index],
    )
    # The runs of a race or a sweep differ in what these columns tell.
    unlike = [run.run_id for run in here if run.part and run.part.kind != "repeats"]
    for name in ("epochs_done", "batch_size", "engine"):
        drawn[name] = drawn[name].astype("object").mask(drawn.index.isin(unlike), None)
    return drawn


def _thinned(values: Sequence[float]) -> list[float]:
    """As many values as a line in a cell can show, the last one among them."""
    every = -(-len(values) // MOST_IN_CELL) or 1
    return list(values[::-1][::every][::-1])


def _ticked(key: str, runs: Sequence[Sequence[str]]) -> None:
    """Open the runs that the ticked rows stand for; a click into a row opens that one.

    By the keyboard a cell stays chosen while rows are ticked: what changed last is what was meant.
    """
    if (said := live.said(key)) is None:
        return
    selection = said.selection
    ticks, clicked = list(selection.rows), [row for row, _ in selection.cells]
    ticking = ticks and ticks != st.session_state.get(TICKS)
    st.session_state[TICKS] = ticks
    _open([run_id for row in (ticks if ticking else clicked or ticks) for run_id in runs[row]])


def _filtered(frame: pd.DataFrame, tally: Tally) -> pd.DataFrame:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Find",
            key="history.find",
            placeholder="Name, network, data, device, note, id",
            width=320,
        )
        statuses = [status.value for status in Status if status in tally.statuses]
        states = _pills("Status", statuses, "history.states", _status_text)
        kinds_here = [name for kind, name in tables.KINDS.items() if kind in tally.kinds]
        kinds = _pills("Device", kinds_here, "history.kinds", str)
        st.selectbox("Best first, by", list(ORDERS), key="history.order", width=200)
    return tables.chosen(frame, text, states, kinds)


def _pills(
    label: str, options: Sequence[str], key: str, write: Callable[[str], str]
) -> Sequence[str]:
    """What the reader wants to see of several; nothing to choose where all are alike."""
    if len(options) < 2:
        return []
    return st.pills(label, options, selection_mode="multi", format_func=write, key=key)


def _status_text(state: str) -> str:
    return tables.status_text(Status(state))


# --- putting in order -----------------------------------------------------------------------


def toolbar(run_ids: Sequence[str]) -> None:
    """What can be done to the runs that are open."""
    with st.container(horizontal=True):
        if len(run_ids) == 1:
            with st.popover("Name and note", icon=":material/edit:"):
                _edit(run_ids[0])
        with st.popover("Move", icon=":material/drive_file_move:"):
            _move(run_ids)
        count = "" if len(run_ids) == 1 else f" {len(run_ids)} runs"
        st.button(
            f"Delete{count}",
            key="history.delete",
            icon=":material/delete:",
            on_click=_delete,
            args=(list(run_ids),),
            **rights.limits(),
        )
        st.button("Close", icon=":material/close:", on_click=_open, args=([],))


def _edit(run_id: str) -> None:
    try:
        card = history().card(run_id, steps=False)
    except LabError as error:
        st.error(tables.plain(str(error)))
        return
    with st.form(f"edit-{run_id}", border=False):
        st.text_input("Name", card.name, max_chars=120, key=f"name-{run_id}")
        st.text_area("Note", card.note, max_chars=10_000, key=f"note-{run_id}")
        st.form_submit_button(
            "Save",
            key="history.save",
            type="primary",
            on_click=_save,
            args=(run_id,),
            **rights.limits(),
        )


def _save(run_id: str) -> None:
    name, note = (live.said(f"{part}-{run_id}") for part in ("name", "note"))
    if None not in (name, note):
        rights.attempt(lab.describe, run_id, name, note)


def _move(run_ids: Sequence[str]) -> None:
    with st.form("move", border=False):
        st.selectbox(
            "To the session",
            options=history().sessions(),
            index=None,
            placeholder="Choose one or write a new name",
            accept_new_options=True,
            key="history.target",
        )
        st.form_submit_button(
            "Move",
            key="history.move",
            type="primary",
            on_click=_move_now,
            args=(list(run_ids),),
            **rights.limits(),
        )


def _move_now(run_ids: Sequence[str]) -> None:
    target = live.said("history.target")
    if target is None:
        st.toast("Choose a session first.", icon=":material/info:")
        return

    def write() -> None:
        for run_id in run_ids:
            lab.move(run_id, target)

    rights.attempt(write)


def _delete(run_ids: Sequence[str]) -> None:
    gone: list[str] = []

    def write() -> None:
        for run_id in run_ids:
            keeping.delete(run_id)
            gone.append(run_id)

    rights.attempt(write)
    if gone:
        st.session_state[DELETED] = gone
        _open([run_id for run_id in run_ids if run_id not in gone])


def undo_bar() -> None:
    """After a deletion, and by a link to what is deleted: what that is, and the way back."""
    gone = list(dict.fromkeys([*st.session_state.get(DELETED, []), *_deleted_in_link()]))
    if not gone:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        what = "The run is deleted." if len(gone) == 1 else f"{len(gone)} runs are deleted."
        st.markdown(f":material/delete: {what}", width="content")
        st.button(
            "Undo",
            key="history.undo",
            icon=":material/undo:",
            on_click=_restore,
            args=(gone,),
            **rights.limits(),
        )
        st.button("Dismiss", type="tertiary", on_click=_forget)


def _restore(run_ids: Sequence[str]) -> None:
    def write() -> None:
        for run_id in run_ids:
            keeping.restore(run_id)

    rights.attempt(write)
    st.session_state.pop(DELETED, None)
    _open(run_ids)


def _forget() -> None:
    _open(opened())
    st.session_state.pop(DELETED, None)
