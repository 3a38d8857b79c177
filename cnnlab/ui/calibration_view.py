"""The calibration on the Hardware page: begin it, watch it, and what it found."""

from __future__ import annotations

import streamlit as st

from cnnlab import words
from cnnlab.sweep import CALIBRATION
from cnnlab.ui import gains, live, rights, sweeps, tables
from cnnlab.ui.lab import device_labels, hardware, lab

POLL_SECONDS = 1.0


def show() -> None:
    """A button, or how far it is; beneath, what the last one found."""
    st.write(
        "About 40 seconds on each device: dense, convolutional and recurrent networks in a few "
        "sizes, and some of them again in each half precision, on one thread, compiled and, on an "
        "NVIDIA card, with TF32. The Train page then knows how long a run may take before the "
        "first one, and what pays here."
    )
    running = any(one.name == CALIBRATION for one in sweeps.under_way())
    if running:
        live.every(POLL_SECONDS, _progress)
        return
    if st.button(
        "Calibrate this machine",
        icon=":material/speed:",
        key="calibrate",
        **rights.limits(*_hindrance()),
    ) and rights.attempt(sweeps.calibrate):
        st.rerun()
    for device, found in sweeps.gains().items():
        label = tables.plain(device_labels().get(device, device))
        st.caption(f"**{label}**: {gains.said(found)}.")


def _hindrance() -> tuple[bool, str | None]:
    if hardware() is None:
        return True, "The first training process has not told yet what is here."
    if lab().busy():
        return True, "Something is being timed; calibrate afterwards."
    return False, None


def _progress() -> None:
    """Until it is over, when the page is drawn anew."""
    now = next((one for one in sweeps.under_way() if one.name == CALIBRATION), None)
    if now is None:
        st.rerun()
        return
    st.progress(
        now.done / now.total,
        f"{now.done} of {now.total} cells, about {words.duration(round(now.seconds_left))} left",
    )
    if st.button(
        "Stop", icon=":material/stop:", key="stop-calibration", **rights.limits()
    ) and rights.attempt(sweeps.stop_sweep, now.sweep_id):
        st.rerun()
