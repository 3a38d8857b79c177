"""What a recipe changes of its preset, field by field, each with a way back; a recipe on a line."""

from __future__ import annotations

import streamlit as st

from cnnlab import words
from cnnlab.spec import PRESETS, ExperimentSpec, choice, label, network_name
from cnnlab.spec.fields import get
from cnnlab.ui import link, tables
from cnnlab.ui.train import recipe

DEVICES = {"auto": "any device", "cpu": "CPU"}
"""What those devices are called that are not an accelerator."""


def show(spec: ExperimentSpec) -> None:
    """A button for each field that differs from the nearest preset; pressed, it is as it was."""
    parameters = link.encode(spec)
    preset = PRESETS[parameters["preset"]]
    changed = [name for name in parameters if name != "preset"]
    if not changed:
        st.caption(preset.shows)
        return
    st.caption(f"{preset.title}, but for these; press one to have it back:")
    with st.container(horizontal=True, gap="small", key="changed"):
        for name in changed:
            st.button(
                tables.plain(_said(name, spec)),
                key=f"undo-{name}",
                icon=":material/undo:",
                on_click=recipe.take_back,
                args=(parameters, name),
            )


def _said(name: str, spec: ExperimentSpec) -> str:
    """The field and what it is now: "Batch size 64"."""
    if name == "blocks":
        return f"Blocks {network_name(spec.model).removeprefix('CNN ')}"
    path = "model.family" if name == "family" else link.path_of(name)
    value = get(spec.model_dump(mode="json"), path)
    named = DEVICES.get(value, value) if path == "device" else value
    return f"{label(path)} {choice(path, named) if isinstance(named, str) else words.value(named)}"


def line(spec: ExperimentSpec) -> str:
    """A recipe on one line: "Tiny · batch 32 · 5 epochs · CPU"."""
    device = DEVICES.get(spec.device, spec.device)
    return (
        f"{network_name(spec.model)} · batch {spec.batch_size} · {spec.epochs} epochs · "
        f"{spec.engine} · {device}"
    )
