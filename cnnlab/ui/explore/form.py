"""A new sweep: what varies over what, on which devices, for how long."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from cnnlab import sweep, words
from cnnlab.history import RunSummary
from cnnlab.room import Place
from cnnlab.spec import HERE, PRESETS, Axis, ExperimentSpec, LabError, Status, SweepPlan
from cnnlab.sweep import AXES
from cnnlab.ui import lab, live, machines, orders, prepared, rights, tables
from cnnlab.ui.explore import cells as cells_view
from cnnlab.ui.explore import grid as explore_grid
from cnnlab.ui.explore import sweeps
from cnnlab.ui.explore.chosen import place

KEY, OFFER = "sweep.", "sweep.offer"
FIELDS = (
    OFFER,
    f"{KEY}base",
    *(f"{KEY}{part}{n}" for n in range(sweep.MOST_AXES) for part in ("axis", "values")),
    f"{KEY}devices",
    f"{KEY}budget",
)
TOLD = "sweep_told"
"""Whether the form was drawn to its end since an offer was taken."""
NONE = ""
MOST_CHARS = 5_000
"""Of the values of an axis: a browser drops what is longer without a word, so far more than the
sweep takes, which says what is too many."""
RUNS = 20
"""Finished runs that are offered as a base, the newest first."""


@dataclass(frozen=True)
class Offer:
    """A sweep that is worth making, and one line on what it shows."""

    title: str
    shows: str
    base: str
    axes: tuple[str, ...]
    """As `sweep.parse_axis` reads them."""
    cpu_alone: bool = False


def _threads() -> str:
    most = os.cpu_count() or 1
    return ",".join(map(str, sorted({n for n in (1, 2, 4, 8, 16, 32, 64) if n < most} | {most})))


OFFERS: dict[str, Offer] = {
    "dense": Offer(
        "Dense: batch × units",
        "From how many weights on a GPU pays for a plain network.",
        "dense",
        ("batch_size=32,128,512", "units=64,256,1024"),
    ),
    "lstm": Offer(
        "LSTM: batch × length",
        "Whether a small LSTM is worth a GPU, and from which sequence length on.",
        "lstm",
        ("batch_size=16,64,256", "sequence_length=16,64,128"),
    ),
    "cnn": Offer(
        "CNN: filters × batch",
        "From how many filters on a GPU pays for a small CNN.",
        "tiny",
        ("batch_size=32,128,512", "filters=8,32,128"),
    ),
    "threads": Offer(
        "Threads on this CPU",
        "How many threads a small network is quickest with here.",
        "tiny",
        (f"threads={_threads()}", "batch_size=32,256"),
        cpu_alone=True,
    ),
}


@dataclass(frozen=True)
class Filled:
    """The form as it stands."""

    spec: ExperimentSpec
    axes: tuple[Axis, ...]
    devices: tuple[str, ...]
    machines: tuple[str, ...]
    plan: SweepPlan
    cells: int


def show(*, outlined: bool) -> None:
    """Draw the form.

    Args:
        outlined: with the map that is going to be filled.
    """
    _begin()
    st.pills(
        "Begin with",
        list(OFFERS),
        format_func=lambda key: OFFERS[key].title,
        key=OFFER,
        on_change=_take_offer,
        label_visibility="collapsed",
    )
    offer = OFFERS.get(st.session_state[OFFER] or "")
    st.write(offer.shows if offer else "Your own sweep.")
    start = st.container()
    with st.expander("What varies, on what, for how long", icon=":material/tune:"):
        spec = choose_base(f"{KEY}base")
        for number, label in enumerate(("Along", "And along")):
            _show_axis(number, label)
        if machines.address():
            _show_machines()
        _show_devices()
    with start:
        _show_start(spec, outlined=outlined)
    st.session_state[TOLD] = True


def _begin() -> None:
    """Widgets of a page end with it: a first visit, or a new one, begins with an offer that this
    machine can answer.

    Until the form was drawn to its end the browser is told again what its fields hold: what an
    interrupted drawing said may have been dropped on its way.
    """
    if OFFER in st.session_state:
        for key in () if st.session_state[TOLD] else FIELDS:
            if key in st.session_state:
                st.session_state[key] = st.session_state[key]
    else:
        found = lab.hardware()
        alone = found is not None and not found.accelerators
        st.session_state[OFFER] = next(
            key for key, offer in OFFERS.items() if offer.cpu_alone or not alone
        )
        _take_offer()


def _take_offer() -> None:
    offer = OFFERS.get(live.said(OFFER) or "")
    if offer is None:
        return
    st.session_state[TOLD] = False
    st.session_state[f"{KEY}base"] = offer.base
    for number in range(sweep.MOST_AXES):
        name, _, values = (
            offer.axes[number].partition("=") if number < len(offer.axes) else ("",) * 3
        )
        st.session_state[f"{KEY}axis{number}"] = name
        st.session_state[f"{KEY}values{number}"] = values
    here = lab.devices_here()[1:]
    st.session_state[f"{KEY}devices"] = here[:1] if offer.cpu_alone else here
    st.session_state[f"{KEY}budget"] = 30 * len(st.session_state[f"{KEY}devices"]) + 30


# --- fields ---------------------------------------------------------------------------------


def choose_base(key: str) -> ExperimentSpec:
    """Let the reader choose everything that does not vary: a preset, or the recipe of a run."""
    runs = {run.run_id: run for run in _runs()}
    labels = {name: preset.title for name, preset in PRESETS.items()}
    labels |= tables.apart({run_id: f"Run: {run.name}" for run_id, run in runs.items()})
    chosen = st.selectbox(
        "Everything else as in",
        list(labels),
        format_func=labels.__getitem__,
        key=key,
    )
    return PRESETS[chosen].spec if chosen in PRESETS else runs[chosen].spec


def _runs() -> list[RunSummary]:
    """Runs that may be a base: finished ones, which are no cells of a sweep themselves."""
    return lab.history().summaries(statuses=[Status.FINISHED], cells=False, here=True, limit=RUNS)


def _show_axis(number: int, label: str) -> None:
    names = list(AXES) if number == 0 else [NONE, *AXES]
    left, right = st.columns([2, 3], wrap=False)
    left.selectbox(
        label,
        names,
        format_func=lambda name: AXES[name].title if name else "Nothing else",
        key=f"{KEY}axis{number}",
    )
    chosen = st.session_state[f"{KEY}axis{number}"]
    if chosen:
        known = AXES[chosen].words
        right.text_input(
            "Values, separated by commas",
            key=f"{KEY}values{number}",
            max_chars=MOST_CHARS,
            help=f"One or several of {', '.join(known)}." if known else None,
        )


def _show_machines() -> None:
    labels = machines.labels()
    st.multiselect(
        "Where",
        list(labels),
        default=[HERE],
        format_func=labels.__getitem__,
        key=f"{KEY}machines",
        help="Each measures the same grid at the same time; their maps stand side by side.",
    )


def _machines() -> tuple[str, ...]:
    return tuple(st.session_state.get(f"{KEY}machines", ()) if machines.address() else (HERE,))


def _show_devices() -> None:
    labels = {
        device: label
        for machine in reversed(_machines() or (HERE,))
        for device, label in lab.device_labels(machine).items()
    }
    left, right = st.columns([3, 2], wrap=False)
    left.multiselect(
        "Devices",
        [device for device in labels if device != "auto"],
        format_func=labels.__getitem__,
        key=f"{KEY}devices",
    )
    right.number_input(
        "Time to spend (s)",
        1,
        86_400,
        step=10,
        key=f"{KEY}budget",
    )


# --- start ----------------------------------------------------------------------------------


def _filled(spec: ExperimentSpec) -> Filled:
    """What the form says.

    Raises:
        LabError: it makes no sweep.
    """
    state = st.session_state
    axes = tuple(
        sweep.parse_axis(f"{name}={state.get(f'{KEY}values{number}', '')}")
        for number in range(sweep.MOST_AXES)
        if (name := state[f"{KEY}axis{number}"])
    )
    devices: Sequence[str] = state[f"{KEY}devices"]
    if not devices:
        raise LabError("A sweep needs a device; choose one.")
    if not _machines():
        raise LabError("A sweep needs a machine; choose one.")
    plan = sweep.plan(spec, axes, devices, float(state[f"{KEY}budget"]))
    cells = len(sweep.cells(plan))
    sweep.check_budget(plan, cells)
    return Filled(spec, axes, tuple(devices), _machines(), plan, cells)


def _show_start(spec: ExperimentSpec, *, outlined: bool) -> None:
    try:
        filled, wrong = _filled(spec), ""
    except LabError as error:
        filled, wrong = None, str(error)
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            "Start the sweep",
            type="primary",
            icon=":material/grid_view:",
            key=f"{KEY}start",
            **rights.limits(disabled=filled is None),
        )
        if filled:
            cells = "1 cell" if filled.cells == 1 else f"{words.count(filled.cells)} cells"
            lasts = words.duration(filled.plan.budget_seconds)
            st.caption(f"{cells} in {lasts}; what time is left measures again.", width="content")
    if filled is None:
        st.error(tables.plain(wrong), icon=":material/error:")
        return
    if outlined:
        cells_view.outline(explore_grid.planned(filled.plan))
    if pressed and prepared.shape_known(filled.spec.dataset):
        _start(filled)


def _start(filled: Filled) -> None:
    """Measure on each machine, and look at what two of them come to."""

    def deed() -> Place:
        asked = filled.spec, filled.axes, filled.devices, filled.plan.budget_seconds
        return place(*sweeps.begin_on(filled.machines, *asked))

    try:
        orders.begin(deed)
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")
