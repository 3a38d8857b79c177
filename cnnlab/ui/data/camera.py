"""A small picture set made with the camera: classes, a picture for each press, and "Use it"."""

from __future__ import annotations

import hashlib

import streamlit as st

from cnnlab import words
from cnnlab.spec import LabError
from cnnlab.ui import live, prepared, rights, standing, tables
from cnnlab.ui.data import gate, view

SHOTS, ROUND, ACTIVE, NEW, TITLE = "shots", "shots.round", "shots.class", "shots.new", "shots.title"
"""In the session: pictures by class (PNG), how often the camera began, the class it takes."""
SWITCH = "shots.switch"
SIDES = (32, 64, 96)
THUMBNAIL_PIXELS, THUMBNAILS = 72, 12
"""The newest of each class are shown."""
FEWEST = 2


def show() -> None:
    """The whole of it: name classes, take pictures, look at them, use them."""
    st.caption(
        "Name two classes or more, your mug and your hand say, and take pictures of each: ten are "
        "a start, and the more they differ in place and light, the better. They stay in this lab."
    )
    shots = _shots()
    _add_form()
    if not shots:
        return
    names = list(shots)
    if st.session_state.get(ACTIVE) not in names:
        st.session_state[ACTIVE] = names[-1]
    at = st.session_state[ACTIVE]
    st.segmented_control(
        "Take pictures of",
        names,
        default=at,
        format_func=tables.plain,
        required=True,
        key=standing.key_at(SWITCH, at),
        on_change=lambda: st.session_state.update({ACTIVE: standing.chosen(SWITCH)}),
    )
    # A camera of its own for each picture: what was taken goes to its class, and the next can come.
    number = st.session_state.get(ROUND, 0)
    st.camera_input("Camera", key=_key(number), on_change=_taken, args=(number,), **rights.limits())
    for name in names:
        _one_class(name, shots[name])
    _use_form(shots)


def _shots() -> dict[str, list[bytes]]:
    shots: dict[str, list[bytes]] = st.session_state.setdefault(SHOTS, {})
    return shots


# --- classes --------------------------------------------------------------------------------


def _add_form() -> None:
    with st.form("shots.add", border=False, clear_on_submit=True), st.container(horizontal=True):
        st.text_input("Class", max_chars=40, key=NEW)
        st.form_submit_button(
            "Add a class",
            icon=":material/add:",
            key="shots.add-it",
            on_click=_add,
            **rights.limits(),
        )


def _add() -> None:
    rights.attempt(_with_class, live.said(NEW) or "")


def _with_class(name: str) -> None:
    shots = _shots()
    added = gate.class_name(shots, name)
    shots[added] = []
    st.session_state[ACTIVE] = added


def _named(shots: list[bytes], place: int) -> str:
    """Tells a picture from the others of its class, whichever of them are deleted."""
    shot = shots[place]
    return f"{hashlib.sha256(shot).hexdigest()[:12]}-{shots[:place].count(shot)}"


def _without_class(name: str) -> None:
    _shots().pop(name, None)  # where it is pressed twice, it is gone


def _without(name: str, shot: bytes) -> None:
    """Delete a picture, and none that took its place when it is pressed twice."""
    shots = _shots().get(name, [])
    if shot in shots:
        shots.remove(shot)


def _one_class(name: str, shots: list[bytes]) -> None:
    """The pictures of a class, each with a button that deletes it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{tables.plain(name)}** · {words.count(len(shots))}", width="content")
        st.button(
            "Remove the class",
            icon=":material/delete:",
            type="tertiary",
            key=f"shots.remove-{name}",
            on_click=_without_class,
            args=(name,),
        )
    newest = range(len(shots) - 1, max(-1, len(shots) - 1 - THUMBNAILS), -1)
    with st.container(horizontal=True):
        for place in newest:
            with st.container(width=THUMBNAIL_PIXELS + 16):
                says = f"Picture {place + 1} of the class {name}."
                st.image(shots[place], width=THUMBNAIL_PIXELS, alt=says)
                st.button(
                    "Delete",
                    type="tertiary",
                    key=f"shots.delete-{name}-{_named(shots, place)}",
                    on_click=_without,
                    args=(name, shots[place]),
                )
    if len(shots) > THUMBNAILS:
        st.caption(f"And {words.count(len(shots) - THUMBNAILS)} earlier ones.")


def _key(number: int) -> str:
    return f"shots.camera-{number}"


def _taken(number: int) -> None:
    """Put what a camera saw with its class, and begin anew.

    A browser that has not yet heard that its camera is gone sends the picture again.
    """
    photo, taking = live.said(_key(number)), _shots().get(live.said(ACTIVE) or "")
    if photo is None or taking is None or number != st.session_state.get(ROUND, 0):
        return
    try:
        shot = gate.take_picture(_shots(), photo.getvalue())
    except LabError as error:
        st.toast(tables.plain(str(error)), icon=":material/error:", duration="long")
        return
    taking.append(shot)
    st.session_state[ROUND] = number + 1


# --- using them -----------------------------------------------------------------------------


def _use_form(shots: dict[str, list[bytes]]) -> None:
    few = [name for name, taken in shots.items() if len(taken) < FEWEST]
    with st.form("shots.use", border=False):
        with st.container(horizontal=True):
            title = st.text_input("Name", value="my pictures", max_chars=60, key=TITLE)
            side = st.segmented_control(
                "Pixels a side", SIDES, default=SIDES[0], required=True, key="shots.side"
            )
        pressed = st.form_submit_button(
            "Use it",
            type="primary",
            icon=":material/check:",
            key="shots.use-it",
            **rights.limits(bool(few) or len(shots) < FEWEST),
        )
    if few or len(shots) < FEWEST:
        st.caption("It can be used once there are two classes with two pictures each.")
    if pressed:
        _use(shots, side or SIDES[0], title)


def _use(shots: dict[str, list[bytes]], side: int, title: str) -> None:
    try:
        with prepared.progress(title) as show:
            name = gate.keep_pictures(shots, side, title, show)
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")
        return
    del st.session_state[SHOTS]
    view.choose_next(name)
    st.rerun()
