"""Files that a browser brings: handed in, looked through, then kept by a name or thrown away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from cnnlab import datasets
from cnnlab.datasets import drafts
from cnnlab.spec import LabError, home
from cnnlab.ui import live, prepared, rights, tables
from cnnlab.ui.data import gate, view

DRAFT, OPTIONS, REFUSED, ROUND = "data.draft", "data.options", "data.refused", "data.round"
"""In the session: the file that is not kept yet, how it was read, why it was not, how many came."""
TITLE, TABLE = "data.title", "data.table"
FOUND = "found by looking"


# --- handing in -----------------------------------------------------------------------------


def offer() -> None:
    """The way to hand in a file, and the folder for what is too large for it."""
    # Each round has an uploader of its own: what was handed in does not lie there any longer.
    uploaded = st.file_uploader(
        "An archive of pictures by class, a .npz file or a .csv file",
        key=f"data.upload-{st.session_state.get(ROUND, 0)}",
        **rights.limits(),
    )
    if uploaded is not None:
        st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1
        _take_in(uploaded.getvalue(), uploaded.name)
        st.rerun()
    if DRAFT not in st.session_state:
        _say_refused()
    megabytes = st.get_option("server.maxUploadSize")
    st.caption(
        f"At most {megabytes} MB. What was understood is shown before anything is kept. Larger "
        "files, and folders, go into this folder and appear here at once, under their names:"
    )
    st.code(str(home() / "datasets"), language=None, wrap_lines=True)
    with st.expander("What is understood", icon=":material/help:"):
        st.markdown(UNDERSTOOD)


UNDERSTOOD = (
    "- a folder with a folder for each class, holding its pictures (`cats/1.jpg`, "
    "`dogs/2.png`, …); folders `train` and `test` on top are understood\n"
    "- the same as an archive: `.zip`, `.tar`, `.tar.gz`, `.tar.xz`, `.tar.bz2`\n"
    "- a `.npz` file with the arrays `x_train` and `y_train`, or as MedMNIST has them\n"
    "- a `.csv` file of values over time, one row for each time, in order: windows of its rows "
    "become sequences, and what is learnt is whether the first column falls, stays or rises "
    "behind each. `prices.csv?time=date&values=close,volume&window=64&horizon=5` on the "
    "command line says how; what is left out is found: a column of times, all columns of "
    "numbers, 32 rows, 1 row ahead"
)


def _take_in(content: bytes, file_name: str) -> None:
    """Put a file aside and read it; one that no option could make readable is forgotten at once."""
    st.session_state[REFUSED] = ""
    try:
        draft = gate.hand_in(content, file_name)
    except LabError as error:
        st.session_state[REFUSED] = str(error)
        return
    if _look(draft, "") or _columns(draft):
        st.session_state[DRAFT] = str(draft)
        return
    gate.throw_away(draft)


def _look(draft: Path, options: str) -> bool:
    """Read a draft, with progress; false where that fails, and why is kept for the page."""
    with prepared.progress(draft.name) as show:
        try:
            gate.look_through(draft, options, show)
        except LabError as error:
            st.session_state[REFUSED] = str(error)
            return False
    st.session_state[OPTIONS], st.session_state[REFUSED] = options, ""
    return True


def _columns(draft: Path) -> list[str]:
    try:
        return drafts.columns(draft)
    except LabError:
        return []  # what is wrong with it was said when it was read


def _say_refused() -> None:
    if refused := st.session_state.get(REFUSED):
        st.error(tables.plain(refused), icon=":material/error:")


# --- looking through ------------------------------------------------------------------------


def pending() -> bool:
    """Whether something was handed in and not decided about."""
    return DRAFT in st.session_state


def review() -> None:
    """What the file that was handed in was taken for, and what is to become of it."""
    draft = Path(st.session_state[DRAFT])
    st.subheader(f"{tables.plain(draft.name)} is not kept yet", anchor=False)
    _say_refused()
    if columns := _columns(draft):
        _how_a_table_is_read(draft, columns)
    if not st.session_state.get(REFUSED):
        try:
            info = datasets.info(_name(draft))
        except LabError as error:
            st.error(tables.plain(str(error)), icon=":material/error:")
        else:
            view.figures(info)
            prepared.told(info.understood, info.kind)
            _keep_form(draft)
            view.gallery(info)
    st.button("Throw it away", icon=":material/delete:", key="data.throw", on_click=_throw)


def _name(draft: Path) -> str:
    options = st.session_state.get(OPTIONS)
    return f"{draft}?{options}" if options else str(draft)


def _keep_form(draft: Path) -> None:
    stem = draft.name.removesuffix(drafts.suffix_of(draft.name))
    with st.form("data.keep", border=False), st.container(horizontal=True):
        st.text_input("Name", value=stem, max_chars=60, key=TITLE)
        st.form_submit_button(
            "Keep it",
            type="primary",
            icon=":material/check:",
            key="data.keep-it",
            on_click=_keep,
            **rights.limits(),
        )


def _keep() -> None:
    if not pending():
        return  # it was pressed twice
    draft, title = Path(st.session_state[DRAFT]), live.said(TITLE) or ""
    try:
        name = gate.keep(draft, title, st.session_state.get(OPTIONS, ""))
    except LabError as error:
        st.toast(tables.plain(str(error)), icon=":material/error:", duration="long")
        return
    forget()
    view.choose_next(name)
    st.toast(f"{tables.plain(name)} is kept.", icon=":material/check_circle:")


def _throw() -> None:
    if pending() and rights.attempt(gate.throw_away, Path(st.session_state[DRAFT])):
        forget()


def forget() -> None:
    """Let nothing in the session point to a draft any more."""
    for key in (DRAFT, OPTIONS, REFUSED):
        st.session_state.pop(key, None)


# --- tables ---------------------------------------------------------------------------------


def _how_a_table_is_read(draft: Path, columns: Sequence[str]) -> None:
    """The options of a table, to read it anew with others."""
    with st.form(TABLE):
        first, second, third = st.columns(3)
        given: Mapping[str, object] = {
            "values": ",".join(_values(columns)),
            "time": first.selectbox("Times in", columns, index=None, placeholder=FOUND),
            "series": second.selectbox(
                "Several series, told apart by", columns, index=None, placeholder="one series"
            ),
            "window": first.number_input("Rows of a sequence", 2, 10_000, 32),
            "horizon": second.number_input("Rows ahead", 1, 10_000, 1),
            "decimal": third.selectbox("Decimal sign", (".", ","), index=None, placeholder=FOUND),
        }
        pressed = st.form_submit_button(
            "Read it so", icon=":material/refresh:", key="data.read", **rights.limits()
        )
    if pressed:
        chosen = {name: value for name, value in given.items() if value}
        _look(draft, urlencode(chosen, safe=","))
        st.rerun()


def _values(columns: Sequence[str]) -> list[str]:
    return st.multiselect(
        "Values in, the one to foretell first",
        # A comma separates the names of columns in the name of a data set.
        [name for name in columns if "," not in name],
        placeholder="all columns of numbers",
    )
