"""Lanes of one's own: what differs between them, and what it is in each."""

from __future__ import annotations

from typing import Any, get_args

import streamlit as st

from cnnlab import race
from cnnlab.race import Here
from cnnlab.spec import (
    HERE,
    MOST_LANES,
    PRESETS,
    Engine,
    ExperimentSpec,
    Lane,
    Optimizer,
    Precision,
    change,
    label,
)
from cnnlab.ui import lab

FIELDS = ("network", "batch_size", "precision", "threads", "engine", "optimizer", "device")
MACHINE = "machine"
BATCHES = (8, 16, 32, 64, 128, 256, 512, 1024)


def lanes(spec: ExperimentSpec, here: Here) -> tuple[Lane, ...]:
    """Let the reader choose a field and two to four of its values; no lanes before there are two.

    Raises:
        LabError: a spec cannot work.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        field = st.selectbox(
            "They differ in", _fields(here), format_func=_name, key="race-field", width=200
        )
        known = _values(field, here)
        chosen = st.multiselect(
            "One lane for each",
            known,
            default=known[:2],
            format_func=lambda value: _shown(field, value),
            max_selections=MOST_LANES,
            key=f"race-values-{field}",
        )
    if len(chosen) < 2:
        st.caption("A race has two lanes at least: choose another one.")
        return ()
    return race.titled([_changed(spec, field, value) for value in chosen])


def _fields(here: Here) -> tuple[str, ...]:
    return (*FIELDS, MACHINE) if here.machines else FIELDS


def _name(field: str) -> str:
    return "Network" if field == "network" else label(field)


def _values(field: str, here: Here) -> list[Any]:
    """What a field may be here, the two that are most often raced first."""
    match field:
        case "network":
            return list(PRESETS)
        case "batch_size":
            return [32, 128, *(size for size in BATCHES if size not in (32, 128))]
        case "threads":
            return sorted({1, here.cores, *(2**n for n in range(1, 8) if 2**n < here.cores)})
        case "device":
            return ["cpu", *here.accelerators]
        case "machine":
            return [HERE, *here.machines]
    return list(get_args({"precision": Precision, "engine": Engine}.get(field, Optimizer)))


def _shown(field: str, value: Any) -> str:
    if field == "network":
        return PRESETS[value].title
    return lab.device_labels().get(value, value) if field == "device" else str(value)


def _changed(spec: ExperimentSpec, field: str, value: Any) -> ExperimentSpec:
    if field == "network":
        return change(spec, model=PRESETS[value].spec.model.model_dump(mode="json"))
    return change(spec, **{field: value}, **({"gpu_off": "none"} if field == "device" else {}))
