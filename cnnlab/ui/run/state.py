"""One run as it stands at this moment, whoever trains it and whether or not it is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

import numpy as np
import streamlit as st

from cnnlab.analysis import DeviceKind, Series
from cnnlab.analysis.series import LIVE_POINTS, POINTS
from cnnlab.history import RunSummary
from cnnlab.runner import LiveRun, Snapshot
from cnnlab.spec import HERE, Epoch, RunCard, Status
from cnnlab.ui import tables
from cnnlab.ui.lab import history, lab


@dataclass(frozen=True, eq=False)
class RunState:
    """What a page shows of a run. `card` is up to date but holds no steps: those are `series`."""

    card: RunCard
    series: Series
    steps_per_epoch: int
    """0 before the model stands."""
    phase: str
    """starting, loading, building, training or validating; of no meaning once it is over."""
    phase_done: float | None
    ours: bool
    """This lab trains it or has it in its queue, so it can be stopped from here."""

    @property
    def kind(self) -> DeviceKind:
        """What it trains on; by what was asked for until the device is known."""
        return tables.kind_of(self.card)

    @property
    def points(self) -> int:
        """How many a curve may have in a chart, see `analysis.series`."""
        return POINTS if self.card.status.over else LIVE_POINTS


def read(card: RunCard) -> RunState:
    """The run of a card that was read a while ago, as it stands now.

    Raises:
        LabError: the run is no more, or the history cannot be read.
    """
    live = None if card.status.over else lab().live(card.run_id)
    if live and not live.ended:
        return _from_lab(card, live)
    card = card if card.status.over else history().card(card.run_id, steps=False)
    if live and live.ended and not card.status.over:  # the history has not taken it yet
        card = card.model_copy(update={"status": live.ended.status, "error": live.ended.error})
        return RunState(card, _series(card.run_id), steps_per_epoch(card), "training", None, True)
    series = kept_series(card) if card.status.over else _series(card.run_id)
    return RunState(card, series, steps_per_epoch(card), "training", None, live is not None)


def runs_ahead(run_id: str) -> int | None:
    """How many runs come before a waiting one; None where it waits in no queue of this lab."""
    live = lab().live(run_id)
    machine = live.spec.machine if live else HERE
    waiting = lab().queued(machine)
    if run_id not in waiting:
        return None
    return waiting.index(run_id) + (machine in lab().training())


def kept_series(card: RunCard) -> Series:
    """The steps of a run that is over, which no longer change, unless it is resumed.

    One that came with the lab is in no history: its card holds them.
    """
    if card.steps.step:
        return Series.of(card.steps)
    return _kept_series(card.run_id, len(card.timing.resumed_after))


@st.cache_resource(max_entries=32, show_spinner=False)
def _kept_series(run_id: str, resumed: int) -> Series:
    return _series(run_id)


def _series(run_id: str) -> Series:
    return Series.of(history().steps(run_id), history().memory(run_id))


def _from_lab(card: RunCard, live: Snapshot) -> RunState:
    started = live.started
    facts: dict[str, Any] = {"epochs": live.epochs}
    if started:
        facts |= {
            name: getattr(started, name) for name in ("model", "dataset", "device", "machine")
        }
    if live.run_id not in lab().queued():
        facts["status"] = Status.RUNNING
    series = _live_series(live)
    steps = started.steps_per_epoch if started else 0
    card = card.model_copy(update=facts)
    return RunState(card, series, steps, live.phase, live.phase_done, True)


@lru_cache(maxsize=8)
def _live_series(live: Snapshot) -> Series:
    """The steps at a moment, one object for all browsers, by which `shared` knows the moment."""
    return Series(**{name: np.asarray(live.columns[name]) for name in LiveRun.COLUMNS})


_made: WeakKeyDictionary[Series, dict[str, Any]] = WeakKeyDictionary()
Made = TypeVar("Made")


def shared(series: Series, name: str, make: Callable[[], Made]) -> Made:
    """What `make` makes of the steps of a run, once for all browsers that look at these steps.

    Fifty of them ask within a second, and a new window of steps arrives a few times a second.
    """
    known = _made.setdefault(series, {})
    if name not in known:
        known[name] = make()
    return cast(Made, known[name])


def cards_of(runs: Sequence[RunSummary]) -> list[RunCard]:
    """The cards of many runs in one look at the history, without their steps."""
    epochs = history().epochs([run.run_id for run in runs])
    return [_card(run, epochs[run.run_id]) for run in runs]


def _card(run: RunSummary, epochs: tuple[Epoch, ...]) -> RunCard:
    fields = [name for name in RunCard.model_fields if hasattr(run, name)]
    facts = {name: getattr(run, name) for name in fields}
    return RunCard(**facts | {"environment": run.environment or {}, "epochs": epochs})


def steps_per_epoch(card: RunCard) -> int:
    """Batches that cover the training pictures once; 0 where these are not known."""
    return -(-card.dataset.train_images // card.spec.batch_size) if card.dataset else 0
