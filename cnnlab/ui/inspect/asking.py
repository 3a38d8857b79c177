"""Networks that are asked for a page. Nothing is changed by that, so visitors may ask as well;
but never beside something that is timed on this machine.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import streamlit as st

from cnnlab import learned
from cnnlab.analysis.answers import Answers
from cnnlab.datasets.lookup import some
from cnnlab.devices import worker_environment
from cnnlab.insight import Answer, Foresee, Insight, Look, Network, Question
from cnnlab.learned import Learned
from cnnlab.runner import turns
from cnnlab.spec import ExperimentSpec, HeldOut, LabError, RunCard
from cnnlab.ui import lab, top
from cnnlab.ui.held import Held

BUDGET_FLOP = 60e9
"""Of a look at many pictures at once: a second or two of one thread."""
FEWEST, MOST = 50, 2_000
"""Pictures of such a look."""


class Waiting(LabError):
    """Something is timed, which an answer would disturb."""


def _open_insight() -> Insight:
    opened = Insight(worker_environment("environment"), _untimed)
    atexit.register(opened.end)
    return opened


insight = Held(_open_insight, lambda opened: opened.end())
"""The process that looks into networks; one for all browsers."""


@contextmanager
def _untimed() -> Iterator[None]:
    if lab.lab().busy() or top.trained_elsewhere():
        raise Waiting("Something is being timed on this machine; this waits until it is over.")
    with turns.between():
        yield


@dataclass(frozen=True)
class Subject:
    """A run that is looked into."""

    card: RunCard
    name: str
    colour: str
    kept: Learned
    data_known: bool
    """Whether its data set is listed here: a run card that was brought in cannot open a path."""

    @property
    def series(self) -> bool:
        """Whether it has learnt from sequences."""
        return bool(self.card.dataset and self.card.dataset.kind == "series")

    @property
    def classes(self) -> tuple[str, ...]:
        return self.kept.facts.class_names

    def shown(self, epoch: int) -> int:
        """The epoch whose weights are nearest to one, among those before it if there are any."""
        before = [frame for frame in self.kept.frames if frame <= epoch]
        return before[-1] if before else self.kept.frames[0]

    def network(self, epoch: int) -> Network:
        """The network as it was after an epoch that there are weights of."""
        facts = self.card.dataset
        assert facts is not None, "a run that ended an epoch has learnt from something"
        height, width, channels = facts.image_shape
        return Network(
            run_id=self.card.run_id,
            spec=self.card.spec,
            image_shape=(height, width, channels),
            classes=facts.classes,
            at=epoch,
        )


def pictures(
    subject: Subject, places: np.ndarray, part: HeldOut = "validation"
) -> np.ndarray | None:
    """Some of the pictures or sequences that a run was trained and validated on, or of its test
    set; None where they are not here.
    """
    spec = subject.card.spec
    if not subject.data_known:
        return None
    try:
        return _some(spec.dataset, spec.train_limit, spec.validation_split, places, part, spec)
    except LabError:
        return None  # the data set is gone; what was answered is still there


# Not for long: files of the same name may be put in their place.
@st.cache_data(max_entries=64, ttl=60, show_spinner=False)
def _some(
    name: str,
    limit: int | None,
    share: float,
    places: np.ndarray,
    part: HeldOut,
    _spec: ExperimentSpec,
) -> np.ndarray | None:
    return some(_spec, places, part)


# --- answers to many ------------------------------------------------------------------------


def answers(subject: Subject, epoch: int, part: HeldOut) -> Answers | None:
    """What a run answered, after an epoch, to a part of its data: to all of it where that was kept,
    as it is of the end and of the best epoch; to as many as the machine answers in a moment at
    others.

    None where no answers were kept, or the pictures are not here.

    Raises:
        LabError: the network cannot be asked; `Waiting`, not now.
    """
    last = subject.kept.predictions(part, "final")
    if last is None:
        return None
    for said in (last, subject.kept.predictions(part, "best")):
        if said and said.epoch == epoch:
            return Answers(said.probabilities, said.labels, subject.classes, said.indices, part)
    chosen = _spread(len(last.labels), _count(subject))
    places, labels = last.indices[chosen], last.labels[chosen]
    shown = pictures(subject, places, part)
    if shown is None:
        return None
    network = subject.network(epoch)
    found = _foreseen(network.model_dump_json(), part, places, network, shown)
    return Answers(found, labels, subject.classes, places, part)


def _count(subject: Subject) -> int:
    """How many pictures a look at many may have."""
    model = subject.card.model
    flops = model.flops_per_image if model else 1
    return int(min(max(BUDGET_FLOP / max(flops, 1), FEWEST), MOST))


def _spread(total: int, count: int) -> np.ndarray:
    """So many places, evenly over all."""
    return np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(int))


@st.cache_data(max_entries=128, show_spinner="Asking the network as it was …")
def _foreseen(
    key: str, part: HeldOut, places: np.ndarray, _network: Network, _pictures: np.ndarray
) -> np.ndarray:
    return _asked(Foresee(network=_network), _pictures).arrays["probabilities"]


def look(network: Network, seen: np.ndarray, target: int | None) -> Answer:
    """What goes on in a network that sees a picture or sequence.

    Raises:
        LabError: the network cannot be asked; `Waiting`, not now.
    """
    question = Look(network=network, target=target)
    return _looked(question.model_dump_json(), seen, question)


@st.cache_resource(max_entries=128, show_spinner="Looking into the network …")
def _looked(key: str, seen: np.ndarray, _question: Look) -> Answer:
    return _asked(_question, seen)


def _asked(question: Question, input_: np.ndarray) -> Answer:
    return insight().answer(question, np.ascontiguousarray(input_))


def kept(run_id: str) -> Learned:
    """What is kept of a run, with weights to look at.

    Raises:
        LabError: nothing is.
    """
    found = learned.open_run(run_id)
    if not found.frames:
        raise LabError("Its weights had to make room, or it ended before its first epoch.")
    return found
