"""The figures of one run: two that lead, and the small ones beside them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import streamlit as st

from cnnlab import analysis, words
from cnnlab.spec import RunCard, warmup_steps
from cnnlab.ui import lead, tables
from cnnlab.ui.run.state import RunState, shared

RECENT_STEPS = 64


def metrics(state: RunState, baseline: RunCard | None) -> None:
    """Validation accuracy and speed, large; epoch, step and loss beside them."""
    card = state.card
    with st.container(horizontal=True, key="run-metrics", gap="large"):
        lead.figure(*_validation(card))
        rate = rate_of(state)
        against, arrow = _against(card, rate, baseline)
        st.metric(
            f"{rate_title(state).replace(' per second', '/s')}, mean",
            words.number(rate),
            against,
            delta_color="off",
            delta_arrow=arrow,
            help=f"{rate_title(state)}. {_RATE_HELP}",
            width="content",
        )
        for label, value in _small(state):
            st.metric(label, value, width="content")


def _validation(card: RunCard) -> tuple[str, str, str | None]:
    """What the last epoch came to, and before it, while it trains, what the one before did."""
    last = [words.percent(row.val_accuracy) for row in card.epochs[-2:]]
    before = last[0] if len(last) > 1 and not card.status.over else None
    return last[-1] if last else words.UNKNOWN, "Validation accuracy", before


def _small(state: RunState) -> tuple[tuple[str, str], ...]:
    card, series = state.card, state.series
    done, whole = len(card.epochs), card.spec.epochs
    epoch = done if card.status.over else min(done + 1, whole)
    loss = shared(series, "loss", lambda: series.loss[~np.isnan(series.loss)])
    last_loss = loss[-1] if len(loss) else card.epochs[-1].loss if card.epochs else None
    return (
        ("Epoch", words.of_all(epoch, whole)),
        ("Median step", _unit(_step_ms(state), "ms")),
        ("Loss", words.number(last_loss)),
        *((("Test", words.percent(card.test.accuracy)),) if card.test else ()),
    )


def _against(
    card: RunCard, rate: float | None, baseline: RunCard | None
) -> tuple[str | None, Literal["up", "down", "off"]]:
    """How fast it is beside what it is held against, and which way that points; of a run that is
    over by their epochs, as everywhere else.
    """
    if baseline is None:
        return None, "off"
    speed, name = analysis.between(baseline, card).speed, tables.plain(baseline.name)
    if speed.grade is analysis.Grade.OTHER_WORK:
        return None, "off"
    if card.status.over:
        ratio, so_far = speed.ratio, ""
        if ratio is not None and speed.ahead is None:
            return f"cannot be told apart from {name}", "off"
    else:
        before = baseline.timing.images_per_second
        ratio, so_far = rate / before if rate and before else None, " so far"
    if ratio is None:
        return None, "off"
    if ratio < 1:
        return f"takes {words.times(1 / ratio)} as long as {name}{so_far}", "down"
    return f"{words.times(ratio)} as fast as {name}{so_far}", "up"


_RATE_HELP = (
    "Over the mean step, so that each slow step counts. While it trains, of the last steps; "
    "afterwards of all since it began or was resumed, without warm-up."
)


def _unit(value: float | None, unit: str) -> str:
    return words.UNKNOWN if value is None else f"{words.number(value)} {unit}"


def _step_ms(state: RunState) -> float | None:
    if state.card.timing.step_ms_median is not None:
        return state.card.timing.step_ms_median
    recent = _recent_ms(state)
    return float(np.median(recent)) if len(recent) else None


def rate_of(state: RunState) -> float | None:
    """Pictures per second: of the last steps while it trains, of all of them afterwards."""
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


def rate_title(state: RunState) -> str:
    series = state.card.dataset is not None and state.card.dataset.kind == "series"
    return "Sequences per second" if series else "Images per second"
