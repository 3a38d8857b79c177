"""The line above every page: what is training or measured, and the session that new runs go to."""

from __future__ import annotations

import gc
import sys
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from cnnlab import datasets, words
from cnnlab.runner import Snapshot
from cnnlab.runner.sweep_job import SweepSnapshot
from cnnlab.spec import HERE, LabError
from cnnlab.sweep import CALIBRATION
from cnnlab.ui import audience, following, lab, link, live, lobby, orders, rights, tables

TRAIN, EXPLORE, HARDWARE = "pages/train.py", "pages/explore.py", "pages/hardware.py"
PRESENT = "present"
HISTORY = "pages/history.py"
REFRESH_SECONDS = 3.7
"""Slow beside a run's own page: every refresh lets a browser go through all that it shows.

And no multiple of that page's pace, see `live.every`.
"""
LOOKING_SECONDS = 1.3
"""While the devices are being looked for, which decides what can be begun."""
ELSEWHERE_SECONDS = 0.9
"""How long a look at what other processes train is good for."""
MOST_NAMED = 3
"""Of the runs that train at the same time; the history has all."""
THROUGH_APP, PAGE = "through_app", "page"
FIRST = "Train"
"""The page that the lab opens with: its tab has the lab's own name, or says how a run goes."""
SESSION_TEXT = "session_text"
MEANWHILE = "begun_meanwhile"
"""In the session of a browser: a run that began without it."""
STYLE, NAME = map(Path(__file__).with_name, ("style.css", "name.svg"))
SCRIPTS = tuple(map(Path(__file__).with_name, ("focus.js", "glide.js")))
MARK = Path(__file__).parents[1] / "mark.svg"


@dataclass(frozen=True)
class _Work:
    """What the lab is at. With each change of it the whole page is drawn, once."""

    run: str | None
    """The run that is being trained; of several, the one on the lab's own computer."""
    others: tuple[str, ...]
    """Those that other machines train at the same time."""
    elsewhere: str | None
    """The run that another process trains, such as the command line."""
    sweep: str | None
    """The sweep that is being measured."""
    pending: bool
    """Something is under way or waits, so this will change by itself."""
    known: bool
    """The devices have been looked for."""
    room: tuple[int, ...] = ()
    """What changed in a shared lab's room, see `audience.changes`."""


def _work() -> _Work:
    """What the lab is at now.

    A run that has ended still has the lab for the seconds in which its process closes. The pages
    show what it came to by then, so it counts as over.
    """
    at = lab.lab()
    running, measured = tuple(at.training().values()), at.sweeps()
    going = [*filter(_goes_on, running)]
    trains, others = next(iter(going), None), going[1:]
    other = trained_elsewhere() if trains is None else None
    sweep = measured[0].sweep_id if measured and not running else None
    pending = bool(running or measured or at.queued() or other)
    known, room = lab.hardware() is not None, audience.changes()
    return _Work(trains, tuple(others), other and other[0], sweep, pending, known, room)


def _goes_on(run_id: str) -> bool:
    run = lab.lab().live(run_id)
    return not (run and run.ended)


@st.cache_data(ttl=ELSEWHERE_SECONDS, show_spinner=False)
def trained_elsewhere() -> tuple[str, str] | None:
    """Id and name of the run that another process of this machine trains, such as the command line.

    One look at the history serves all browsers that ask meanwhile.
    """
    return next(iter(lab.history().trained_elsewhere()), None)


def heading(page: str) -> None:
    """The page's name for who hears it, and on the browser's tab; who sees has the navigation."""
    st.session_state[PAGE] = page
    if page != FIRST:
        st.set_page_config(page_title=f"{page} · CNN Lab")
    st.html(f'<h1 class="unseen" tabindex="-1">{page}</h1>', width="content")


def bar() -> None:
    """Draw the line, which keeps up with what the lab is at, whoever began it."""
    st.session_state[THROUGH_APP] = True
    st.html(STYLE)
    script = "\n".join(file.read_text(encoding="utf-8") for file in SCRIPTS)
    st.html(f"<script>{script}</script>", unsafe_allow_javascript=True, width="content")
    work = _work()
    pace = LOOKING_SECONDS if not work.known else REFRESH_SECONDS
    with st.container(
        horizontal=True, horizontal_alignment="right", vertical_alignment="center", key="top"
    ):
        following.chip()
        live.every(pace, _indicator, work)
        _session()
        lobby.show()
        rights.show()
        _present()


def settle() -> None:
    """Take what a page has loaded out of the garbage collector's sight.

    Every thread waits while it looks through all there is. The modules' 180,000 objects take it
    100 ms, ten times what a refresh does. Pages load theirs when they are first opened, so this
    does something a few times in all.
    """
    loaded = len(sys.modules)
    if loaded > _settled.get("modules", 0):
        gc.collect()
        gc.freeze()
        _settled["modules"] = loaded


_settled: dict[str, int] = {}


def require_app() -> None:
    """Begin anew where a page runs without `app.py` around it.

    A folder called `pages` beside the main script counts as Streamlit's older kind of app until
    `st.navigation` is called for the first time. So the first visitor of a fresh server who
    opens a page by its link gets the bare page. Every page calls this first.
    """
    context = get_script_run_ctx()
    main = Path(context.pages_manager.main_script_path).name if context else ""
    if main == "app.py" and THROUGH_APP not in st.session_state:
        PagesManager.uses_pages_directory = False  # what `st.navigation` will do in app.py
        st.rerun()


def _present() -> None:
    """The way to the page for a room; what is compared here is compared there."""
    if following.page() == PRESENT:
        return
    pressed = st.button(
        "Present", key="present", icon=":material/present_to_all:", type="tertiary", shortcut="p"
    )
    if pressed:
        carried = {name: text for name, text in st.query_params.items() if name == "runs"}
        st.switch_page(f"pages/{PRESENT}.py", query_params=carried)


def _indicator(work: _Work) -> None:
    following.look()
    lobby.watching()
    now = _work()
    if now != work:
        _begun_meanwhile(work, now)
        live.anew()
    if work.run:
        run_ids = (work.run, *work.others)
        for run_id in run_ids[:MOST_NAMED]:
            _training(run_id)
        if more := run_ids[MOST_NAMED:]:
            label = f"and {words.count(len(more))} more"
            st.page_link(HISTORY, label=label, icon=":material/more_horiz:")
        return
    if work.elsewhere and (other := trained_elsewhere()):
        _link_to(other[0], f"Training {tables.plain(other[1])}")
        return
    swept = lab.sweep_snapshot(work.sweep) if work.sweep else None
    if swept:
        _measuring(swept)
        return
    st.caption("Nothing is training" if work.known else "Looking for devices …", width="content")


def _training(run_id: str) -> None:
    run = lab.lab().live(run_id)
    # Its own page counts them, at a pace of its own.
    shown = st.query_params.get("run") == run_id and st.session_state.get(PAGE) == "Train"
    where = f", epoch {words.of_all(_epoch(run), run.spec.epochs)}" if run and not shown else ""
    name = tables.plain(datasets.run_name(run.spec)) if run else run_id
    on = f" on {_where(run)}" if run and _where(run) != HERE else ""
    _link_to(run_id, f"Training {name}{on}{where}")


def _where(run: Snapshot) -> str:
    started = run.started
    return started.machine.name if started and started.machine else run.spec.machine


def _link_to(run_id: str, label: str) -> None:
    query = {"run": run_id}
    st.page_link(TRAIN, label=label, icon=":material/play_circle:", query_params=query)


def _begun_meanwhile(before: _Work, now: _Work) -> None:
    """Remember a run that another browser, or another process, began while this page lay idle."""
    begun = now.run or now.elsewhere
    idle = before.run is None and before.elsewhere is None
    if idle and begun and begun != st.session_state.get(orders.BEGUN):
        st.session_state[MEANWHILE] = begun


def follow() -> None:
    """Bring a browser that waits on the Train page to the run that began meanwhile.

    Who only watches goes there; so does who has changed nothing yet. A recipe that is being
    written stays where it is, and the line above leads to the run.
    """
    begun = st.session_state.pop(MEANWHILE, None)
    if begun is None or "run" in st.query_params:
        return
    untouched = st.query_params.to_dict() in ({}, {"preset": link.DEFAULT_PRESET})
    if untouched or not rights.may_act():
        following.moves_by_itself()
        st.query_params.from_dict({"run": begun})
        st.rerun()


def _measuring(swept: SweepSnapshot) -> None:
    """A calibration or a sweep, which keep the machine as busy as a run."""
    on_its_page = st.session_state.get(PAGE) == "Explore"  # which counts them itself
    done = "" if on_its_page else f", {swept.done} of {swept.total} cells"
    if swept.name == CALIBRATION:
        st.page_link(HARDWARE, label=f"Calibration{done}", icon=":material/speed:")
        return
    name = tables.plain(swept.name.removeprefix("Sweep: "))
    st.page_link(
        EXPLORE,
        label=f"Sweep: {name}{done}",
        icon=":material/grid_view:",
        query_params={"sweep": swept.sweep_id},
    )


def _epoch(run: Snapshot) -> int:
    """The epoch that is trained; after the last one, while the run winds up, still that."""
    return min(len(run.epochs) + 1, run.spec.epochs)


def _session() -> None:
    name = lab.session_name()
    with st.popover(f"Session: {tables.plain(name)}", icon=":material/folder_open:"):
        stale = st.session_state.get(SESSION_TEXT, name) != name
        if stale:
            st.session_state[SESSION_TEXT] = name
        st.text_input(
            "New runs go to the session",
            value="" if stale else name,
            key=SESSION_TEXT,
            max_chars=60,
            on_change=_name_session,
            help="A name such as 'meetup' keeps runs together in the history.",
        )
        if refused := st.session_state.get("session_refused"):
            st.error(tables.plain(refused))
        others = [other for other in lab.history().sessions() if other != name][:8]
        for number, other in enumerate(others):
            st.button(
                tables.plain(other),
                key=f"session-{number}",
                on_click=_change_session,
                args=(other,),
            )


def _name_session() -> None:
    # Who writes sends the whole page. What comes along with a timer is what stood there before.
    if not live.sent_by_part():
        _change_session(st.session_state[SESSION_TEXT])


def _change_session(name: str) -> None:
    try:
        lab.set_session_name(name)
        st.session_state["session_refused"] = ""
    except LabError as error:
        st.session_state["session_refused"] = str(error)
