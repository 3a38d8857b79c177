"""Start, the name of the run beside it, and several runs at once: over one field, or over seeds."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlab import datasets
from cnnlab.room import Place
from cnnlab.spec import MOST_ROUNDS, ExperimentSpec, LabError, SpecError, label, parse_spec
from cnnlab.spec.fields import put
from cnnlab.ui import lab, link, live, lobby, orders, prepared, rights, tables

START = "start"
NAME, FIELD, VALUES, SEEDS = "run_name", "variants.field", "variants.values", "seeds.count"
MOST_VARIANTS = 12


def bar(spec: ExperimentSpec) -> None:
    """Start, the name of the next run, and Queue variants: always in sight."""
    for warning in datasets.warnings_for(spec):
        st.warning(tables.plain(warning), icon=":material/warning:")
    with st.container(horizontal=True, vertical_alignment="bottom", key="start-bar"):
        begins = button(disabled=False)
        st.text_input(
            "Name of the run",
            key=NAME,
            placeholder=f"Name: {datasets.run_name(spec)}",
            label_visibility="collapsed",
            max_chars=120,
        )
        with st.popover("Queue variants", icon=":material/playlist_add:", **rights.limits()):
            _variants(spec)
            _seeds(spec)
        lobby.offer(spec)
    if begins:
        _begin(spec)


def pressed() -> bool:
    """Whether Start was pressed, before it is drawn."""
    return bool(live.said(START))


def button(disabled: bool) -> bool:
    return st.button(
        "Start training",
        type="primary",
        icon=":material/play_arrow:",
        key=START,
        shortcut="Mod+Enter",
        **rights.limits(disabled),
    )


def _begin(spec: ExperimentSpec, seeds: int = 1) -> None:
    if datasets.info(spec.dataset).image_shape is None and not prepared.ready(spec.dataset):
        return  # why it could not be read is said
    name = st.session_state[NAME].strip() or None

    def deed() -> Place:
        return orders.run(lab.start_repeats(spec, seeds)[0] if seeds > 1 else lab.start(spec, name))

    try:
        orders.begin(deed)
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")


# --- variants -------------------------------------------------------------------------------


def _variants(spec: ExperimentSpec) -> None:
    """One field, several values: a run for each."""
    st.write("The same recipe several times, with another value of one field each time.")
    paths = _paths(spec)
    st.selectbox("Field", paths, format_func=label, key=FIELD, index=paths.index("batch_size"))
    st.text_input("Values, separated by commas", key=VALUES, placeholder="16, 64, 256")
    if st.button("Queue them", key="variants.queue", type="primary", **rights.limits()):
        _queue(spec, st.session_state[FIELD], st.session_state[VALUES])


def _seeds(spec: ExperimentSpec) -> None:
    """The same recipe from several first weights."""
    st.write("Or from other first weights each time: mean and spread are told then.")
    count = st.number_input("Seeds", 2, MOST_ROUNDS, 3, key=SEEDS)
    if st.button("Queue the seeds", key="seeds.queue", **rights.limits()):
        _begin(spec, int(count))


def _paths(spec: ExperimentSpec) -> list[str]:
    """The fields that may vary, those of the blocks among them."""
    fields = [field.path for field in link.fields_of(spec.model.family)]
    blocks = spec.model_dump()["model"].get("blocks", ())
    convs = [
        f"model.blocks.{block}.convs.{conv}.{name}"
        for block, item in enumerate(blocks)
        for conv in range(len(item["convs"]))
        for name in ("filters", "kernel")
    ]
    return [path for path in fields if path != "model.family"] + convs


def variants(spec: ExperimentSpec, path: str, texts: Sequence[str]) -> list[ExperimentSpec]:
    """The spec once for each value of a field.

    Args:
        texts: as they would stand in a link; units of several layers are joined by a hyphen.

    Raises:
        SpecError: a value is no good; it is named with what is allowed.
    """
    found = []
    for text in texts:
        raw = spec.model_dump(mode="json")
        put(raw, path, _value(path, text))
        found.append(parse_spec(raw))
    return found


def _value(path: str, text: str) -> object:
    """What a text stands for, as in a link; a bad one is left for the spec to refuse."""
    if path in ("model.dense", "model.recurrent"):
        return [] if text == "none" else text.split("-")
    return None if text == "none" else text


def _queue(spec: ExperimentSpec, path: str, text: str) -> None:
    texts = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not 0 < len(texts) <= MOST_VARIANTS:
        st.error(f"Give one to {MOST_VARIANTS} values, separated by commas.")
        return
    given = st.session_state[NAME].strip() or datasets.run_name(spec)
    try:
        named = [
            (one, f"{given} · {label(path)} {value}"[:120])
            for one, value in zip(variants(spec, path, texts), texts, strict=True)
        ]
        orders.begin(lambda: orders.run(lab.start_all(named)[0]))
    except SpecError as error:
        st.error(tables.plain(" ".join(map(link.sentence, error.problems))))
    except LabError as error:
        st.error(tables.plain(str(error)))
