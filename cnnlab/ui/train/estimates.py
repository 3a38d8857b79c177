"""Before anything starts: how long it may take, and what data it has to fetch first."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import streamlit as st

from cnnlab import datasets
from cnnlab.analysis import durations
from cnnlab.devices.cpu import usable_cores
from cnnlab.models import Layer
from cnnlab.spec import HERE, ExperimentSpec, change
from cnnlab.ui import lab, tables
from cnnlab.ui.earlier import earlier


def say_times(
    spec: ExperimentSpec,
    layers: Sequence[Layer],
    devices: Sequence[str],
    *,
    runs: int = 1,
    more: Mapping[str, str] | None = None,
) -> None:
    """A line for each device: how long it may take there, or that nothing is known to judge by.

    Args:
        runs: how many runs on each device the times are of.
        more: what else is to be said of a device.
    """
    images = datasets.info(spec.dataset).train_images or 0
    labels = lab.device_labels(spec.machine)
    guesses = {
        device: durations.estimate(spec, layers, images, device, earlier(device))
        for device in devices
    }
    said_of = {
        device: _guessed(guess, runs)
        if guess
        else _between(spec, layers, images, runs)
        if device == "cpu" and spec.machine == HERE
        else "nothing like it was measured there yet"
        if spec.machine != HERE
        else "nothing like it was measured here yet"
        for device, guess in guesses.items()
    }
    lines = [
        f"**{tables.plain(labels[device])}**: "
        + "; ".join(filter(None, (said_of[device], (more or {}).get(device))))
        + "."
        for device in guesses
    ]
    with st.container(horizontal=True, vertical_alignment="center", key="estimates"):
        st.caption("  \n".join(lines), width="content")
        if None in guesses.values() and spec.machine == HERE:
            label = "Calibrate this machine"
            st.page_link("pages/hardware.py", label=label, icon=":material/speed:")


def train_seconds(spec: ExperimentSpec, layers: Sequence[Layer], device: str) -> float | None:
    """What the training of a run may take there uncompiled; null where nothing is known to judge
    by.
    """
    plain, images = change(spec, compile=False), datasets.info(spec.dataset).train_images or 0
    guess = durations.estimate(plain, layers, images, device, earlier(device))
    return guess.train_seconds if guess else None


def _between(spec: ExperimentSpec, layers: Sequence[Layer], images: int, runs: int) -> str:
    """A wide guess, where nothing was measured: better than none, and said to be no more."""
    cores = spec.threads or max(1, int(usable_cores(os.cpu_count() or 1)))
    low, high = durations.bracket(spec, layers, images, cores)
    span = f"{tables.about(low * runs)} to {tables.about(high * runs)}"
    return f"very roughly {span} by cores and FLOPs; nothing like it was measured here yet"


def _guessed(guess: durations.Estimate, runs: int) -> str:
    whole = f" for {runs} runs" if runs > 1 else ""
    return f"about {tables.about(guess.seconds * runs)}{whole}, judging by {guess.basis}"


def say_data(dataset: str, what: str) -> None:
    """What becomes of a data set that is not ready; nothing where it is.

    Args:
        what: that which begins: run or race.
    """
    info = datasets.info(dataset)
    if info.ready:
        return
    title, origin = tables.plain(info.title), tables.plain(info.origin)
    if origin.startswith("downloads"):
        ready = f"is not here yet: the {what} {origin} first, or another data set trains at once"
    else:
        ready = f"is prepared when the {what} begins ({origin})"
    st.caption(f"{title} {ready}.")
