"""Before a run: the network that a recipe makes, what it will cost, and Start."""

from __future__ import annotations

import math
from collections.abc import Sequence

import streamlit as st

from cnnlab import charts, datasets, sweep, words
from cnnlab.models import Layer, flops_per_image, memory_mb, parameters, split
from cnnlab.spec import HERE, ExperimentSpec, LabError
from cnnlab.ui import lab, link, live, network, prepared, rights, samples, tables
from cnnlab.ui.explore import sweeps
from cnnlab.ui.train import changed, compiling, estimates, gains, recipe, start
from cnnlab.ui.train.recipe import Recipe

LAST_GOOD = "last_good_layers"
QUEUE_SECONDS = 2.3
"""Between two looks at the queue; no multiple of the run's own pace, see `live.every`."""


def show(filled: Recipe) -> None:
    """The network and its figures, then Start; where the recipe cannot work, why not."""
    if not lab.history().summaries(limit=1):
        st.markdown(
            "Train a network and watch it learn. Then **Race** it, to see what is faster here, by "
            "how much, and why."
        )
    if note := st.session_state.get(recipe.NOTE):
        st.warning(
            f"Not everything in the link could be used. {tables.plain(note)}",
            icon=":material/link_off:",
        )
    if filled.good and filled.spec:
        st.session_state[LAST_GOOD] = filled.layers
        start.bar(filled.spec)
        if filled.spec.machine in lab.lab().training():
            st.caption("Another run is training; this one will wait its turn.")
        estimates.say_data(filled.spec.dataset, "run")
        _show_expected(filled, filled.spec)
        _show_between(filled.spec, filled.layers)
        _show_figures(filled.spec, filled.layers)
        with st.expander("Layer by layer", icon=":material/table_rows:"):
            _show_table(filled.layers)
        return
    if filled.spec and not filled.problems and _is_unread(filled.spec):
        _show_unread(filled.spec)
        return
    _show_problems(filled)
    if layers := st.session_state.get(LAST_GOOD):
        st.caption("The last network that worked:")
        _show_network(layers)
    start.button(disabled=True)


def folded(run_id: str) -> None:
    """The recipe of the run that is shown, on one line, and the way to the form with it."""
    try:
        spec = lab.history().card(run_id, steps=False).spec
    except LabError:
        # The part that shows the run says why it cannot.
        st.button("Back to the form", icon=":material/arrow_back:", on_click=st.query_params.clear)
        return
    with st.container(horizontal=True, vertical_alignment="center", key="folded"):
        st.caption(tables.plain(changed.line(spec)), width="content")
        st.button(
            "Edit",
            icon=":material/edit:",
            type="tertiary",
            key="edit-recipe",
            on_click=recipe.edit,
            args=(run_id, lab.history()),
        )


def _is_unread(spec: ExperimentSpec) -> bool:
    """Whether nothing but reading its data stands between a recipe and its network."""
    try:
        return datasets.info(spec.dataset).image_shape is None
    except LabError:
        return False


def _show_unread(spec: ExperimentSpec) -> None:
    title = tables.plain(datasets.info(spec.dataset).title)
    st.info(
        f"{title} was not read yet: Start reads it first, and then trains. The network is drawn "
        "once its size is known.",
        icon=":material/cloud_download:",
    )
    if st.button("Only read it", icon=":material/download:", key="prepare", **rights.limits()):
        if prepared.ready(spec.dataset):
            st.rerun()
        return
    start.bar(spec)


def _show_problems(filled: Recipe) -> None:
    said = [link.sentence(problem) for problem in filled.problems] or [filled.said]
    said = [tables.plain(sentence) for sentence in said]
    text = said[0] if len(said) == 1 else "\n".join(f"- {sentence}" for sentence in said)
    st.error(f"This recipe cannot be trained yet.\n\n{text}", icon=":material/error:")


def _show_between(spec: ExperimentSpec, layers: Sequence[Layer]) -> None:
    """The network between what goes in and what is to come out."""
    info = datasets.info(spec.dataset)
    found = samples.of(info)
    if not found:
        _show_network(layers)
        return
    with st.container(key="between"):
        goes_in, through, comes_out = st.columns([2, 14, 3], vertical_alignment="center")
    with goes_in:
        samples.pictures(info, found)
    with through:
        _show_network(layers)
    with comes_out:
        samples.classes(info, found)


def _show_network(layers: Sequence[Layer]) -> None:
    data = charts.packed(network.frame(layers))
    with st.container(key="drawing"):  # by which the style sheet finds it
        spec, alt = network.chart(layers), network.alt_text(layers)
        st.vega_lite_chart(data, spec, height="stretch", key="network", alt=alt)
    st.caption(
        "Width: channels or units. Height: picture or steps. Point at a block for its figures."
    )


def _show_figures(spec: ExperimentSpec, layers: Sequence[Layer]) -> None:
    info = datasets.info(spec.dataset)
    train, validation = split(spec, info.train_images or 0)
    things = words.things(info.kind)
    figures = (
        ("Parameters", words.count(parameters(list(layers))), None),
        (
            "FLOPs per sequence" if info.kind == "series" else "FLOPs per image",
            words.scaled(flops_per_image(list(layers)), ""),
            "Floating-point operations of one forward pass; a training step takes about three "
            "times as many.",
        ),
        (
            "Memory",
            words.size(memory_mb(spec, list(layers)) * 1e6),
            "Estimate for weights, gradients, optimizer and one batch; the frameworks' own few "
            f"hundred MB and the {things} come on top.",
        ),
        (
            "Steps per epoch",
            words.count(math.ceil(train / spec.batch_size)),
            f"{words.count(train)} {things} to train on, {words.count(validation)} to validate.",
        ),
    )
    with st.container(horizontal=True, key="figures"):
        for label, value, says in figures:
            st.metric(label, value, help=says)


def _show_expected(filled: Recipe, spec: ExperimentSpec) -> None:
    """How long it may take on each device, and what is known to make it faster there."""
    devices = lab.devices_here(spec.machine)[1:]
    faster = {device: said for device in devices if (said := _faster(filled, spec, device))}
    estimates.say_times(spec, filled.layers, devices, more=faster)


def _faster(filled: Recipe, spec: ExperimentSpec, device: str) -> str:
    """What is known to make such a run faster on a device, in words."""
    if spec.machine != HERE or not gains.measured_alike(spec.engine, spec.model.family):
        return ""
    found = {
        choice: gain for choice, gain in sweeps.gains().get(device, {}).items() if gains.pays(gain)
    }
    compiled = compiling.weighed(filled, device)
    if compiled is None:
        return gains.said(found)
    found.pop(sweep.COMPILING, None)  # what its steps gain is not yet what the run does
    more = compiled.said() if compiled.pays else ""
    return "; ".join(filter(None, (gains.said(found), more)))


def _show_table(layers: Sequence[Layer]) -> None:
    number = st.column_config.NumberColumn
    st.dataframe(
        network.table(layers),
        hide_index=True,
        column_config={
            "Parameters": number(format="localized"),
            "FLOPs": number(format="localized"),
        },
        alt="The layers in order, with settings, output shape, parameters and FLOPs.",
    )


# --- the queue ------------------------------------------------------------------------------


def show_queue() -> None:
    """The waiting runs, each with a way to withdraw it; nothing where none waits."""
    waiting = lab.lab().queued()
    live.every(QUEUE_SECONDS if waiting else None, _queue)


def _queue() -> None:
    waiting = lab.lab().queued()
    if not waiting:
        return
    st.markdown("##### Waiting")
    for place, run_id in enumerate(waiting, start=1):
        run = lab.lab().live(run_id)
        name = tables.plain(datasets.run_name(run.spec)) if run else run_id
        here = ", shown above" if run_id == st.query_params.get("run") else ""
        on = f", for {run.spec.machine}" if run and run.spec.machine != HERE else ""
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(width="stretch"):
                st.page_link(
                    "pages/train.py",
                    label=f"{place}. {name}{on}{here}",
                    query_params={"run": run_id},
                )
            st.button(
                "Withdraw",
                key=f"withdraw-{run_id}",
                icon=":material/close:",
                type="tertiary",
                on_click=_withdraw,
                args=(run_id,),
                **rights.limits(),
            )


def _withdraw(run_id: str) -> None:
    rights.attempt(lab.stop, run_id)
