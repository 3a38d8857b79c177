"""The calibration on the Hardware page: begin it, watch it, and what it found."""

from __future__ import annotations

import streamlit as st

from cnnlab.spec import SweepStatus
from cnnlab.sweep import CALIBRATION
from cnnlab.ui import live, rights, tables
from cnnlab.ui.explore import sweeps
from cnnlab.ui.lab import device_labels, hardware, lab, sweeps_under_way
from cnnlab.ui.train import gains

POLL_SECONDS = 1.0


def show() -> None:
    """A button, or how far it is; beneath, what the last one found."""
    st.write(
        "About 75 seconds on each device. The Train page then says how long a run may take before "
        "the first one, and what pays here: a half precision, one thread, compiling."
    )
    running = any(one.name == CALIBRATION for one in sweeps_under_way())
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
    _show_last()


def _show_last() -> None:
    """What the last calibration found, and what is wrong with it."""
    last = next(iter(sweeps.calibrations()), None)
    if last and last.status is not SweepStatus.FINISHED:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(tables.plain(f"The last calibration is not complete. {last.error or ''}"))
            if st.button(
                "Go on", icon=":material/play_arrow:", key="go-on-calibration", **rights.limits()
            ) and rights.attempt(sweeps.go_on, last.sweep_id):
                st.rerun()
    measured = [cell.figure for cell in sweeps.calibrated() if cell.figure.step_ms]
    noisy = sum(figure.noisy for figure in measured)
    if 2 * noisy > len(measured):
        st.warning(
            f"{noisy} of the {len(measured)} measured cells are noisy and left out of what follows."
            " Calibrate again while nothing else runs.",
            icon=":material/blur_on:",
        )
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
    now = next((one for one in sweeps_under_way() if one.name == CALIBRATION), None)
    if now is None:
        live.anew()
        return
    st.progress(
        now.done / now.total,
        f"{now.done} of {now.total} cells, about {tables.about(max(now.seconds_left, 1))} to go",
    )
    if st.button(
        "Stop", icon=":material/stop:", key="stop-calibration", **rights.limits()
    ) and rights.attempt(sweeps.stop_sweep, now.sweep_id):
        st.rerun()
