"""Five lessons, each a question, a guess, and the runs on this machine that answer it.

Nothing in an answer is written down beforehand but what was published: every figure is computed
from the cards of the reader's own runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cnnlab import words
from cnnlab.analysis import between, verdict
from cnnlab.analysis.outcomes import BY_HEART, NOTICEABLE
from cnnlab.published import REFERENCES
from cnnlab.spec import PRESETS, DenseModel, ExperimentSpec, RunCard, change
from cnnlab.spec.fields import assign

Cards = Sequence[RunCard]


@dataclass(frozen=True)
class Answer:
    """What the runs of a lesson came to."""

    figure: str
    """The answer in one figure, unit included."""
    label: str
    says: tuple[str, ...]
    """Sentences, the most important first."""
    right: str
    """Which of the lesson's guesses the runs bear out, or come nearest to."""


@dataclass(frozen=True)
class Lesson:
    """A question that runs on this machine answer."""

    title: str
    question: str
    before: str
    """What to know before one guesses."""
    guesses: tuple[str, ...]
    runs: dict[str, ExperimentSpec]
    """What is trained, under the name that it has on the page."""
    answer: Callable[[Cards], Answer]


_TINY = PRESETS["tiny"].spec
# One thread, so that two runs of a lesson differ in what it is about, and not in that as well.
_SHORT = change(_TINY, train_limit=2000, epochs=2, device="cpu", threads=1)


def _seconds(card: RunCard) -> float:
    """Of an epoch: the last one, which is warm."""
    return card.epochs[-1].seconds


def _nearest(found: float, guesses: Mapping[str, float]) -> str:
    """The guess that a figure of 1 or more is the fewest times away from."""
    return min(guesses, key=lambda guess: abs(math.log(max(found, 1.0) / guesses[guess])))


def _batches(card: RunCard) -> int:
    """Steps of an epoch."""
    assert card.dataset
    return math.ceil(card.dataset.train_images / card.spec.batch_size)


# --- what a step is -------------------------------------------------------------------------

_STEPS = {"32": 32, "54": 54, "1,700": 1700}


def _step(cards: Cards) -> Answer:
    (card,) = cards
    assert card.dataset
    steps, batch = _batches(card), card.spec.batch_size
    images, last = card.dataset.train_images, card.epochs[-1]
    rest = images - (steps - 1) * batch
    begin = math.log(card.dataset.classes)
    return Answer(
        figure=words.count(steps),
        label="steps in one epoch",
        says=(
            f"{words.count(images)} pictures in batches of {batch} make {words.count(steps)} "
            f"steps; the last batch held {rest}. In each, the network answered its batch, the loss "
            "was traced back to every weight, and the optimizer moved the weights a little.",
            f"A step took {words.number(last.step_ms_mean)} ms in the mean, so an epoch took "
            f"{words.duration(last.seconds)}, its validation included.",
            f"Who guesses among {card.dataset.classes} classes has a loss of "
            f"{words.number(begin)} (the logarithm of {card.dataset.classes}). After "
            f"{words.count(steps * len(card.epochs))} steps it was {words.number(last.loss)}.",
        ),
        right=_nearest(steps, _STEPS),
    )


# --- what one more filter costs -------------------------------------------------------------

_FEW, _MANY = 8, 32
_WEIGHTS = {"25": 25, "76": 76, "a few hundred": 300}


def _filters(cards: Cards) -> Answer:
    few, many = cards
    assert few.model
    assert many.model
    more = _MANY - _FEW
    each = (many.model.parameters - few.model.parameters) / more
    work = many.model.flops_per_image / few.model.flops_per_image
    return Answer(
        figure=words.number(each),
        label="more weights for one more filter",
        says=(
            f"One more filter in the first layer brought {words.number(each)} weights: its own "
            "kernel and bias, and a slice in every kernel of the layer that reads it.",
            f"{_MANY} filters for {_FEW} make {words.number(work)} times the arithmetic for a "
            f"picture. {verdict(few, many)}",
        ),
        right=_nearest(each, _WEIGHTS),
    )


# --- why it overfits ------------------------------------------------------------------------

# A hundred classes, and many weights between head and Dense: enough to learn pictures by heart.
_LEARNS_BY_HEART = assign(_SHORT, ["dataset=shapes", "model.head=flatten"])


_KNOWN = ("As many", "Somewhat fewer", "Far fewer")


def _gap(card: RunCard) -> float:
    return card.epochs[-1].accuracy - card.epochs[-1].val_accuracy


def _overfits(cards: Cards) -> Answer:
    little, much = cards
    assert little.dataset
    assert much.dataset
    last, published = little.epochs[-1], REFERENCES["article-gpu-50"].points[-1]
    return Answer(
        figure=f"{words.number(100 * _gap(little))} points",
        label=f"between training and validation, on {little.dataset.train_images} pictures",
        says=(
            f"On {words.count(little.dataset.train_images)} pictures it knew "
            f"{words.percent(last.accuracy)} of what it was shown, and "
            f"{words.percent(last.val_accuracy)} of what it never saw: it learnt the pictures by "
            "heart rather than what they have in common.",
            f"On {words.count(much.dataset.train_images)} pictures, in about as many steps, "
            f"it knew {words.percent(much.epochs[-1].accuracy)} of those, and "
            f"{words.percent(much.epochs[-1].val_accuracy)} of the new ones. More data, dropout or "
            "fewer weights close the gap; more epochs do not.",
            f"The published network reached {words.percent(published.accuracy)} in training after "
            f"{published.epoch} epochs, and {words.percent(published.val_accuracy)} in validation.",
        ),
        right=_KNOWN[(_gap(little) >= NOTICEABLE) + (_gap(little) >= BY_HEART)],
    )


# --- why a small network may be faster on the CPU -------------------------------------------

_SMALL, _LARGE = 8, 512
_AS_LONG = {"64 times": 64, "About 30 times": 30, "Far less": 10}


def _overhead(cards: Cards) -> Answer:
    small, large = cards
    first, second = (card.epochs[-1].step_ms_mean for card in (small, large))
    # Time of a step = what every step costs + what every picture costs times the pictures.
    each = (second - first) / (_LARGE - _SMALL)
    fixed = first - _SMALL * each
    share = min(max(fixed / first, 0.0), 1.0)
    return Answer(
        figure=words.percent(share),
        label=f"of a step of {_SMALL} pictures does not depend on the pictures",
        says=(
            f"A step of {_SMALL} pictures took {words.number(first)} ms, one of {_LARGE} took "
            f"{words.number(second)} ms: {_LARGE // _SMALL} times the pictures for "
            f"{words.number(second / first)} times the time.",
            f"On a line through both, a step costs {words.number(max(fixed, 0.0))} ms before the "
            f"first picture, and {words.number(1e3 * max(each, 0.0))} µs for each. The former is "
            "the program that prepares and starts the work.",
            "A GPU makes the part for each picture shorter, not the fixed one, which starting work "
            "on it even lengthens. Where the fixed part rules, as in small Dense and recurrent "
            "networks, a CPU can win; with larger batches and networks the GPU overtakes it. The "
            "Explore page finds where.",
        ),
        right=_nearest(second / first, _AS_LONG),
    )


# --- batch size -----------------------------------------------------------------------------

_NARROW, _WIDE = 16, 256
_MORE, _EQUAL, _LESS = _AS_MUCH = ("More", "As much", "Less")


def _batch(cards: Cards) -> Answer:
    narrow, wide = cards
    ratio = _seconds(narrow) / _seconds(wide)
    return Answer(
        figure=words.times(ratio),
        label=f"as fast an epoch with batches of {_WIDE}",
        says=(
            verdict(narrow, wide),
            f"An epoch was {words.count(_batches(narrow))} steps with batches of {_NARROW}, "
            f"{words.count(_batches(wide))} with {_WIDE}: what every step costs, whatever its "
            "batch, is paid less often, and the weights are moved less often.",
            f"After as many epochs validation stood at {words.percent(_last(narrow))} and "
            f"{words.percent(_last(wide))}. Larger batches usually want a higher learning rate or "
            "more epochs before they learn as much.",
        ),
        right=_learnt(narrow, wide),
    )


def _learnt(narrow: RunCard, wide: RunCard) -> str:
    """Whether larger batches learnt more or less, as far as so many pictures can tell."""
    found = between(narrow, wide).accuracy
    if found.difference is None or not found.told:
        return _EQUAL
    return _MORE if found.difference > 0 else _LESS


def _last(card: RunCard) -> float:
    return card.epochs[-1].val_accuracy


def _conv(count: int) -> ExperimentSpec:
    return assign(_SHORT, [f"model.blocks.0.convs.0.filters={count}"])


def _plain(batch: int) -> ExperimentSpec:
    return change(
        _SHORT,
        model=DenseModel(dense=(128,)).model_dump(mode="json"),
        batch_size=batch,
        train_limit=6000,
    )


LESSONS: dict[str, Lesson] = {
    "step": Lesson(
        title="What a step is",
        question="How many steps does the network take to see 1,700 pictures once?",
        before="A network is not shown one picture at a time, nor all at once: it is shown a "
        "**batch** of 32. For each batch it takes one **step**. Once through all pictures is an "
        "**epoch**.",
        guesses=tuple(_STEPS),
        runs={"Two epochs": _SHORT},
        answer=_step,
    ),
    "filter": Lesson(
        title="What one more filter costs",
        question="How many weights does one more filter in the first layer add?",
        before="A **filter** is a small window, here of 5 x 5 pixels in three colours, that looks "
        "for one pattern everywhere in the picture. The next layer reads what all filters found.",
        guesses=tuple(_WEIGHTS),
        runs={f"{_FEW} filters": _conv(_FEW), f"{_MANY} filters": _conv(_MANY)},
        answer=_filters,
    ),
    "overfits": Lesson(
        title="Why it overfits",
        question="A network knows nine of ten pictures that it was shown. How many new ones?",
        before="Some pictures are kept aside, for **validation**: the network never learns from "
        "them. The published run reached 82 % on the pictures it was shown, and 41 % on those kept "
        "aside.",
        guesses=_KNOWN,
        runs={
            "Few pictures": change(_LEARNS_BY_HEART, train_limit=400, epochs=20),
            "Ten times as many": change(_LEARNS_BY_HEART, train_limit=4000, epochs=2),
        },
        answer=_overfits,
    ),
    "overhead": Lesson(
        title="Why a small network may be faster on the CPU",
        question="64 times as many pictures in a step: how many times as long does it take?",
        before="A GPU computes many numbers at once. But before it computes anything, a program "
        "has to prepare the step and start the work, on a CPU as well.",
        guesses=tuple(_AS_LONG),
        runs={f"Batches of {_SMALL}": _plain(_SMALL), f"Batches of {_LARGE}": _plain(_LARGE)},
        answer=_overhead,
    ),
    "batch": Lesson(
        title="What batch size does to speed and learning",
        question="Larger batches make an epoch shorter. Do they learn as much in it?",
        before="With larger batches there are fewer steps in an epoch. Each follows a better "
        "estimate of the way down, but there are fewer of them.",
        guesses=_AS_MUCH,
        runs={
            f"Batches of {_NARROW}": change(_SHORT, batch_size=_NARROW, epochs=4),
            f"Batches of {_WIDE}": change(_SHORT, batch_size=_WIDE, epochs=4),
        },
        answer=_batch,
    ),
}
"""By the name that a link gives them, in the order in which they build on each other."""
