"""The recipe: what the form holds, as one plain value in the session state, right or wrong.

Each widget is keyed by the path of its field. What changes the shape of the recipe (a preset, one
more block) rewrites it and drops the widgets' own state, so they begin anew from it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from cnnlab.history import History
from cnnlab.models import Layer
from cnnlab.spec import PRESETS, ExperimentSpec, LabError, Problem, SpecError, parse_spec
from cnnlab.ui import following, link, live
from cnnlab.ui.link import Field, Raw

RECIPE, LINKS, NOTE = "recipe", "links", "link_note"
TOLD = "form_told"
"""Whether a page with the form was drawn to its end since the widgets last began anew."""
KEY = "form."
PILLS = "preset_pills"


@dataclass(frozen=True)
class Recipe:
    """The form as it stands: what it says and what is wrong with it."""

    raw: Raw
    spec: ExperimentSpec | None
    layers: tuple[Layer, ...] = ()
    problems: tuple[Problem, ...] = ()
    said: str = ""
    """What is wrong that no field can be blamed for."""

    @property
    def good(self) -> bool:
        """It can be trained as it is."""
        return bool(self.layers)


# --- state ----------------------------------------------------------------------------------


def arrive(parameters: Mapping[str, str]) -> None:
    """Begin from a link, unless it is one that this page wrote while the form was filled in.

    A browser that is quick may still name the link before the last one: those count as well. What
    the link says wrong is kept to be shown, and its preset taken instead.
    """
    given = dict(parameters)
    entered = PILLS not in st.session_state  # the widgets of a page end with it
    if RECIPE in st.session_state and (not given or (not entered and given in _links())):
        return
    try:
        spec, said = link.decode(given), ""
    except SpecError as error:
        spec, said = link.preset_of(given), " ".join(map(link.sentence, error.problems))
    if unknown := link.left_out(given):
        said += f" No field is called {', '.join(unknown)[:80]}; that was left out."
    take(spec)
    st.session_state[NOTE] = said.strip()
    # Whoever types while the page is still being drawn sends this link again.
    _remember(given)


def arrive_at_run(run_id: str, history: History) -> None:
    """Begin from the recipe of a run, where a browser shows it before any recipe of its own."""
    if RECIPE in st.session_state:
        return
    try:
        take(history.card(run_id, steps=False).spec)
    except LabError:
        arrive({})  # the page that shows the run says why it cannot


def depart(parameters: Mapping[str, str]) -> None:
    """Write the link of what is shown into the browser's address.

    A bare address stays bare where it means the same: a step back would only lead here again.
    """
    here = st.query_params.to_dict()
    if here != parameters and (here or parameters != {"preset": link.DEFAULT_PRESET}):
        st.query_params.from_dict(parameters)
    if "run" in parameters:
        st.session_state[LINKS] = []
    else:
        _remember(parameters)
        st.session_state[TOLD] = True


def _remember(parameters: Mapping[str, str]) -> None:
    if parameters not in _links():
        st.session_state[LINKS] = [*_links(), dict(parameters)][-100:]


def _links() -> list[dict[str, str]]:
    return st.session_state.get(LINKS, [])


def take(spec: ExperimentSpec) -> None:
    """Fill the form from a spec."""
    fill(spec.model_dump(mode="json"))


def fill(raw: Raw) -> None:
    for key in [key for key in st.session_state if str(key).startswith(KEY)]:
        del st.session_state[key]
    st.session_state[RECIPE] = raw
    st.session_state[NOTE] = ""
    st.session_state[TOLD] = False


def hold(key: str, value: Any) -> None:
    """Give a widget its value from the recipe, unless it has one.

    Until a page was drawn to its end the browser is told again: what an interrupted one said may
    have been dropped on its way, and a number field would then begin from its least value.
    """
    if st.session_state.get(TOLD):
        st.session_state.setdefault(key, value)
    else:
        st.session_state[key] = value


def _said() -> Raw:
    """The recipe with what the widgets say, unless that is from before it was what it is."""
    if not following.late():
        return _read()
    st.session_state[TOLD] = False
    raw: Raw = st.session_state[RECIPE]
    return raw


def _read() -> Raw:
    """The recipe with what the widgets say by now."""
    raw = copy.deepcopy(st.session_state[RECIPE])
    for path, field in _paths(raw):
        if KEY + path in st.session_state:
            link.put(raw, path, _taken(field, st.session_state[KEY + path]))
    return raw


def _paths(raw: Raw) -> list[tuple[str, Field | None]]:
    """Every path that has a widget; the fields of blocks are not in the table."""
    paths: list[tuple[str, Field | None]] = [
        (field.path, field)
        for field in link.fields_of(raw["model"]["family"])
        if field.name != "family"
    ]
    for number, block in enumerate(raw["model"].get("blocks", [])):
        where = f"model.blocks.{number}"
        paths.append((f"{where}.pool", None))
        for index in range(len(block["convs"])):
            paths += [(f"{where}.convs.{index}.{name}", None) for name in ("filters", "kernel")]
    return paths


def _is_list(field: Field | None) -> bool:
    return field is not None and field.name in ("dense", "recurrent")


def shown(field: Field | None, value: Any) -> Any:
    """A value as its widget holds it."""
    if _is_list(field):
        return ", ".join(map(str, value))
    return f"{value}" if field and field.typed else value


def _taken(field: Field | None, value: Any) -> Any:
    """What a widget holds, as a value of the spec."""
    if _is_list(field):
        return [part.strip() for part in value.split(",")] if value.strip() else []
    return value.strip() if field and field.typed else value


def current(check: Callable[[ExperimentSpec], list[Layer]]) -> Recipe:
    """The form as it stands, held against the spec and `check`."""
    raw = st.session_state[RECIPE] = _said()
    try:
        spec = parse_spec(raw)
    except SpecError as error:
        return Recipe(raw, None, problems=tuple(error.problems))
    try:
        return Recipe(raw, spec, tuple(check(spec)))
    except SpecError as error:
        return Recipe(raw, spec, problems=tuple(error.problems))
    except LabError as error:
        return Recipe(raw, spec, said=str(error))


# --- what buttons do ------------------------------------------------------------------------


def choose_preset() -> None:
    if chosen := live.said(PILLS):
        take(PRESETS[chosen].spec)


def take_back(parameters: Mapping[str, str], name: str) -> None:
    """Give one field back what the preset has; `parameters` is the link to the recipe as it is."""
    without = {key: value for key, value in parameters.items() if key != name}
    try:
        take(link.decode(without))
    except SpecError as error:  # what is left does not go with the preset's value
        st.toast(" ".join(map(link.sentence, error.problems)), icon=":material/error:")


def edit(run_id: str, history: History) -> None:
    """Leave a run, which goes on, for the form with its recipe."""
    take(history.card(run_id, steps=False).spec)
    st.query_params.clear()


def choose_family() -> None:
    if chosen := live.said(f"{KEY}model.family"):
        raw = _read()
        raw["model"] = link.FRESH[chosen].model_dump(mode="json")
        fill(raw)


def _edit_blocks(edit: Callable[[list[Raw]], object]) -> None:
    raw = _read()
    edit(raw["model"]["blocks"])
    fill(raw)


def add_block() -> None:
    _edit_blocks(
        lambda blocks: blocks.append({"convs": [dict(blocks[-1]["convs"][-1])], "pool": 0})
    )


def remove_block(number: int) -> None:
    _edit_blocks(lambda blocks: _take_out(blocks, number))


def move_block(number: int, to: int) -> None:
    def edit(blocks: list[Raw]) -> None:
        if max(number, to) < len(blocks):
            blocks.insert(to, blocks.pop(number))

    _edit_blocks(edit)


def add_conv(number: int) -> None:
    def edit(blocks: list[Raw]) -> None:
        for block in blocks[number : number + 1]:
            block["convs"].append(dict(block["convs"][-1]))

    _edit_blocks(edit)


def remove_conv(number: int, index: int) -> None:
    def edit(blocks: list[Raw]) -> None:
        for block in blocks[number : number + 1]:
            _take_out(block["convs"], index)

    _edit_blocks(edit)


def _take_out(items: list[Raw], place: int) -> None:
    """Unless it is gone, or the only one: who is quick presses again before the page is drawn."""
    if len(items) > 1:
        del items[place : place + 1]
