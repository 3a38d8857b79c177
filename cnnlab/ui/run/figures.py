"""The figures of one run, each with its sparkline once it is over."""

from __future__ import annotations

import numpy as np
import streamlit as st

from cnnlab import analysis, words
from cnnlab.spec import warmup_steps
from cnnlab.ui.run.state import RunState, shared

SPARK_POINTS = 60
RECENT_STEPS = 64


def metrics(state: RunState) -> None:
    card, series = state.card, state.series
    done, whole = len(card.epochs), card.spec.epochs
    epoch = done if card.status.over else min(done + 1, whole)
    loss = shared(series, "loss", lambda: series.loss[~np.isnan(series.loss)])
    last_loss = loss[-1] if len(loss) else card.epochs[-1].loss if card.epochs else None
    best = words.percent(card.epochs[-1].val_accuracy) if card.epochs else words.UNKNOWN
    rate = rate_title(state)
    rate_help = f"{rate}. {_RATE_HELP}"
    figures = (
        ("Epoch", f"{epoch} of {whole}", "Sparkline: seconds of each epoch."),
        ("Median step", _unit(_step_ms(state), "ms"), _STEP_HELP),
        # As short as the tiles are narrow: a title of two lines would stand lower than the rest.
        (f"{rate.replace(' per second', '/s')}, mean", words.number(_rate(state)), rate_help),
        ("Loss", words.number(last_loss), "Mean of the epoch so far."),
        ("Validation", best, "Validation accuracy after the last whole epoch."),
    )
    # Only afterwards: a browser builds a sparkline anew with each new figure, which was a third of
    # all it did for a live page, on the machine whose steps are being timed.
    sparks = _sparks(state) if card.status.over else [[]] * len(figures)
    with st.grid(5, min_column_width=120, key="run-metrics"):
        for (label, value, says), spark in zip(figures, sparks, strict=True):
            line = spark if len(spark) > 1 else None
            st.metric(label, value, help=says, border=True, chart_data=line, height="stretch")


def _sparks(state: RunState) -> list[list[float]]:
    """A line for each metric: epoch times, step times, rates, losses, validation accuracies."""
    series, epochs = state.series, state.card.epochs
    rate = analysis.throughput(series, images_of(state), SPARK_POINTS)
    lines = (
        np.array([row.seconds for row in epochs]),
        _thin(series.ms[warmup_steps(len(series)) :]),
        rate["images_per_second"].to_numpy(),
        _thin(series.loss[~np.isnan(series.loss)]),
        np.array([row.val_accuracy for row in epochs]),
    )
    return [[float(value) for value in line if np.isfinite(value)] for line in lines]


_STEP_HELP = (
    "The median: half of the steps took longer. While it trains, of the last steps; afterwards of "
    "all since it began or was resumed, without warm-up."
)
_RATE_HELP = (
    "Over the mean step, so that each slow step counts, as it does not in the median beside this. "
    "While it trains, of the last steps; afterwards of all since it began or was resumed, without "
    "warm-up."
)


def _unit(value: float | None, unit: str) -> str:
    return words.UNKNOWN if value is None else f"{words.number(value)} {unit}"


def _step_ms(state: RunState) -> float | None:
    if state.card.timing.step_ms_median is not None:
        return state.card.timing.step_ms_median
    recent = _recent_ms(state)
    return float(np.median(recent)) if len(recent) else None


def _rate(state: RunState) -> float | None:
    if state.card.timing.images_per_second is not None:
        return state.card.timing.images_per_second
    recent = _recent_ms(state)
    images = images_of(state)[len(state.series) - len(recent) :]
    return 1e3 * float(images.sum()) / float(recent.sum()) if recent.any() else None


def images_of(state: RunState) -> np.ndarray:
    """How many pictures each step trained on."""
    return analysis.images_of(state.series, state.card.dataset, state.card.spec.batch_size)


def _recent_ms(state: RunState) -> np.ndarray:
    ms = state.series.ms
    return ms[warmup_steps(len(ms)) :][-RECENT_STEPS:]


def _thin(values: np.ndarray) -> np.ndarray:
    return analysis.downsample(np.arange(len(values), dtype=float), values, SPARK_POINTS)[1]


def rate_title(state: RunState) -> str:
    series = state.card.dataset is not None and state.card.dataset.kind == "series"
    return "Sequences per second" if series else "Images per second"
