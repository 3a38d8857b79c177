"""A new sweep that trains: which fields vary over what, for how many epochs and seeds."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from cnnlab import words
from cnnlab.spec import ExperimentSpec, LabError, SpecError, change, label
from cnnlab.sweep import AXES, OFFERED
from cnnlab.sweep.variants import MOST_TRAINED, variants
from cnnlab.ui import link, orders, prepared, rights, tables
from cnnlab.ui.explore import sweeps
from cnnlab.ui.explore.chosen import place
from cnnlab.ui.explore.form import MOST_CHARS, choose_base

KEY = "trained."
NONE = ""
MOST_FIELDS = 4
BEGIN_WITH = (("learning_rate", "0.0003,0.001,0.003"), ("batch_size", "32,128"))
"""What varies at first: a question that every beginner has, answered in six short runs."""
NO_AXES = frozenset({"epochs", "seed"})
"""What has a field of its own in the form."""


@dataclass(frozen=True)
class _Asked:
    """The form as it stands."""

    spec: ExperimentSpec
    axes: tuple[str, ...]
    epochs: int
    runs: int


def show() -> None:
    """Draw the form."""
    spec = choose_base(f"{KEY}base")
    names = _fields(spec)
    axes = [axis for number in range(MOST_FIELDS) if (axis := _axis(number, names))]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        epochs = st.number_input("Epochs of each", 1, 1000, 5, key=f"{KEY}epochs", width=140)
        seeds = st.number_input("Seeds of each", 1, 20, 1, key=f"{KEY}seeds", width=140)
    st.caption(
        "Any field can be written by its dotted name, such as model.blocks.0.convs.0.filters; "
        "semicolons part values that have commas themselves: 64;300,100."
    )
    if seeds > 1:
        axes.append(f"seed={','.join(str(spec.seed + turn) for turn in range(seeds))}")
    _start(spec, axes, epochs)


def _fields(spec: ExperimentSpec) -> dict[str, str]:
    """What may vary, and what it is called: the axes of a sweep, then every field of the spec."""
    family = spec.model.family
    short = {name: AXES[name].title for name in OFFERED if family in AXES[name].families}
    fields = {field.path: field.label for field in link.fields_of(family)}
    taken = set(short.values())
    rest = {path: name for path, name in fields.items() if name not in taken}
    return {name: said for name, said in (short | rest).items() if name not in NO_AXES}


def _axis(number: int, names: dict[str, str]) -> str | None:
    """One line of the form as the command would have it; None where nothing is chosen."""
    field, values = BEGIN_WITH[number] if number < len(BEGIN_WITH) else (NONE, "")
    options = [NONE, *names]
    left, right = st.columns([2, 3], wrap=False)
    chosen = left.selectbox(
        "Vary" if number == 0 else "And vary",
        options,
        index=options.index(field) if field in options else 0,
        format_func=lambda name: names.get(name) or label(name) or "Nothing else",
        accept_new_options=True,
        key=f"{KEY}field{number}",
    )
    if not chosen:
        return None
    known = AXES[chosen].words if chosen in AXES else ()
    text = right.text_input(
        "Values, separated by commas",
        value=values,
        key=f"{KEY}values{number}",
        max_chars=MOST_CHARS,
        help=f"One or several of {', '.join(known)}." if known else None,
    )
    return f"{chosen}={text}"


def _asked(spec: ExperimentSpec, axes: list[str], epochs: int) -> _Asked:
    """What the form says.

    Raises:
        LabError: it makes no sweep.
    """
    found = variants(change(spec, epochs=epochs), axes)
    return _Asked(spec, tuple(axes), epochs, len(found))


def _start(spec: ExperimentSpec, axes: list[str], epochs: int) -> None:
    try:
        asked, wrong = _asked(spec, axes, epochs), ""
    except SpecError as error:
        asked, wrong = None, " ".join(map(link.sentence, error.problems))
    except LabError as error:
        asked, wrong = None, str(error)
    pressed = st.button(
        "Train the variants",
        type="primary",
        icon=":material/model_training:",
        key=f"{KEY}start",
        **rights.limits(disabled=asked is None),
    )
    if asked is None:
        st.error(tables.plain(wrong), icon=":material/error:")
        return
    st.caption(
        f"{words.count(asked.runs)} runs of {words.count(asked.epochs)} epochs each, one after the "
        f"other; at most {MOST_TRAINED}."
    )
    if pressed and prepared.shape_known(spec.dataset):
        _begin(asked)


def _begin(asked: _Asked) -> None:
    try:
        orders.begin(lambda: place(sweeps.begin_training(asked.spec, asked.axes, asked.epochs)))
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")
