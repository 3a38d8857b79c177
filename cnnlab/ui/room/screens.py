"""What there is to present: each screen gathers its figures, its chart, its network, its verdict.

Of the run or race that is live, else of the latest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import streamlit as st

from cnnlab import analysis, words
from cnnlab.history import RunSummary
from cnnlab.models import Layer, layer_table
from cnnlab.race import LEAST_PAIRS, WIDTH, Runs, judge
from cnnlab.room import Place
from cnnlab.runner import RaceSnapshot
from cnnlab.spec import PRESETS, LabError, RacePlan, RunCard, Status
from cnnlab.ui import address, audience, call, rights, tables, top
from cnnlab.ui.lab import history, lab, start
from cnnlab.ui.race import bets, entrants
from cnnlab.ui.race.entrants import Race
from cnnlab.ui.room import drawn
from cnnlab.ui.run import view as run_view
from cnnlab.ui.run.figures import rate_of, rate_title
from cnnlab.ui.run.state import RunState, read

RUNS, SCREEN = "runs", "screen"
MOST_LOOKED_AT = 500
"""Of the newest runs: what is shown to a room is no older."""


@dataclass(frozen=True)
class Screen:
    """One screen: what it says, and how its chart is drawn."""

    title: str
    verdict: str
    place: Place
    """The page on which those who follow see the same."""
    figures: tuple[tuple[str, str], ...] = ()
    """Label and value of each."""
    chart: Callable[[], None] | None = None
    layers: Sequence[Layer] = ()
    """Of the network, empty where it is not known."""
    live: bool = False
    """It changes by itself."""
    call: Callable[[], None] | None = None
    """Where there is nothing to show yet: draws what makes it appear."""


# --- a run ----------------------------------------------------------------------------------


def run() -> Screen:
    """The run that trains, else the latest one."""
    card = _live_run() or _latest(lambda status: True)
    if card is None:
        verdict = "The first run appears here as it trains: its accuracy, its speed, its network."
        return Screen("No run yet", verdict, Place(""), call=_train)
    state = read(card)
    if state.card.status.over:
        return _over(state)
    if state.card.status is Status.QUEUED:
        return _waiting(state)
    done, epochs = len(state.card.epochs), state.card.spec.epochs
    accuracy = state.card.epochs[-1].val_accuracy if done else None
    figures = (
        ("Validation accuracy", words.percent(accuracy)),
        (rate_title(state), words.number(rate_of(state))),
        ("Epoch", words.of_all(min(done + 1, epochs), epochs)),
    )
    return _of_run(state, figures, run_view.progress(state)[1])


def _waiting(state: RunState) -> Screen:
    """A run that has not begun: what it is going to be."""
    spec = state.card.spec
    figures = (("Epochs", words.count(spec.epochs)), ("Batch size", words.count(spec.batch_size)))
    return _of_run(state, figures, "It waits for its turn, and its curve appears here then.")


def result() -> Screen:
    """The latest run that is over."""
    card = _latest(lambda status: status.over)
    if card is None:
        verdict = "What a run came to appears here once the first one is over."
        return Screen("No result yet", verdict, Place(""), call=_train)
    return _over(read(card))


def _over(state: RunState) -> Screen:
    best = max((row.val_accuracy for row in state.card.epochs), default=None)
    figures = (
        ("Best validation accuracy", words.percent(best)),
        ("Training", words.duration(state.card.timing.fit_seconds)),
        (rate_title(state), words.number(rate_of(state))),
    )
    known = tuple(pair for pair in figures if pair[1] != words.UNKNOWN)
    failed = state.card.status is Status.FAILED and state.card.error
    return _of_run(state, known, failed or tables.outcome(state.card))


def _of_run(state: RunState, figures: tuple[tuple[str, str], ...], verdict: str) -> Screen:
    card = state.card
    drawable = card.status is Status.RUNNING or card.epochs or len(state.series)
    return Screen(
        title=f"{card.name} · {card.status}",
        verdict=verdict,
        place=Place.of("", {"run": card.run_id}),
        figures=figures,
        chart=(lambda: drawn.accuracy([(state, card.name)])) if drawable else None,
        layers=_layers(card),
        live=not card.status.over,
    )


def _train() -> None:
    """A first run with one click; the screen of the run then shows it."""
    pressed = st.button(
        "Train a small network",
        key="stage-train",
        type="primary",
        icon=":material/play_arrow:",
        **rights.limits(help="Ten drawn shapes, a few seconds."),
    )
    if pressed and rights.attempt(start, PRESETS["tiny"].spec):
        st.query_params[SCREEN] = "run"
        st.rerun()


def _live_run() -> RunCard | None:
    other = top.trained_elsewhere()
    run_id = lab().running() or (other[0] if other else None)
    return history().card(run_id, steps=False) if run_id else None


def _latest(fits: Callable[[Status], bool]) -> RunCard | None:
    """The newest run of those whose status fits."""
    newest = history().summaries(cells=False, limit=MOST_LOOKED_AT)
    run = next((run for run in newest if not _cut(run) and fits(run.status)), None)
    return history().card(run.run_id, steps=False) if run else None


def _cut(run: RunSummary) -> bool:
    """Whether it was to be short: a measured cell, a lap of a race."""
    return bool(run.sweep or (run.part and run.part.cut_seconds))


def _layers(card: RunCard) -> Sequence[Layer]:
    if card.dataset is None:
        return ()
    return layer_table(card.spec.model, card.dataset.image_shape, card.dataset.classes)


# --- a race ---------------------------------------------------------------------------------


def race() -> Screen:
    """The race that is run, else the latest one."""
    race_id = race_to_show()
    if race_id is None:
        verdict = "A race appears here with its lanes, their times and who is ahead."
        return Screen("No race yet", verdict, Place("race"), call=call.to_race)
    shown = entrants.of(race_id)
    lanes, ratio = shown.lanes, bets.landed(shown)
    book = audience.room().bets.book(race_id)
    nearest = bets.verdict(book, ratio, over=shown.over) if book else ""
    return Screen(
        title=" against ".join(lane.title for lane in lanes),
        verdict=f"{_stands(shown)} {nearest}".strip(),
        place=Place.of("race", {"race": race_id}),
        figures=_of_race(shown, ratio),
        chart=lambda: drawn.race(shown, book, ratio),
        layers=_layers(shown.cards[0]) if shown.cards else (),
        live=not shown.over,
    )


def _of_race(shown: Race, ratio: float | None) -> tuple[tuple[str, str], ...]:
    """Two lanes and their ratio; before there is one, how long that may take, and without one in
    the end, how each lane ended."""
    if ratio is None and shown.underway:
        return _until_the_first_pair(shown.underway)
    steps = tuple((lane.title, _step(lane)) for lane in shown.lanes[:2])
    if ratio is None:
        return steps
    if not shown.over:
        return (*steps, ("Times as fast, so far", words.times(ratio)))
    result = judge(shown.cards, shown.opponent)
    return (*steps, ("Times as fast" if result.winner else "Nobody is ahead", result.figure))


def _until_the_first_pair(now: RaceSnapshot) -> tuple[tuple[str, str], ...]:
    plan, so_far = now.plan, ("So far", words.duration(round(now.seconds)))
    if not now.begun:
        so_far = ("Lanes", words.count(len(plan.lanes)))
    if plan.rounds:
        epochs = max(lane.spec.epochs for lane in plan.lanes)
        return (
            so_far,
            ("Trainings of each", words.count(plan.rounds)),
            ("Epochs", words.count(epochs)),
        )
    most = words.duration(plan.budget_seconds)
    return (so_far, ("Pairs at least", words.count(LEAST_PAIRS)), ("At most", most))


def race_to_show() -> str | None:
    """The race under way, else the newest of the history."""
    if under_way := lab().races():
        return under_way[0].race_id
    newest = history().summaries(part_kind="race", limit=1)
    return next((run.part.group_id for run in newest if run.part), None)


def _step(lane: Runs) -> str:
    """How long a step of a lane takes; where it came to none, how its last run stands."""
    us = lane.us_per_image
    if us is None:
        return str(lane.cards[-1].status) if lane.cards else "waits"
    return f"{words.duration(lane.cards[0].full_step * us / 1e6)} a step"


def _stands(shown: Race) -> str:
    if shown.over:
        return judge(shown.cards, shown.opponent).heading
    now = shown.underway
    if now is None:
        return "The race waits for what runs before it."
    if not now.begun:
        return f"The race waits for what runs before it. {_to_come(now.plan)}".strip()
    said = f"Round {now.rounds}, {words.duration(round(now.seconds))} so far."
    return said if now.gains else f"{said} {_to_come(now.plan)}".strip()


def _to_come(plan: RacePlan) -> str:
    """What a race is going to say, and when; nothing of a lane that runs alone."""
    first, *others = (lane.title for lane in plan.lanes)
    if not others:
        return ""
    sides = f"{' and '.join(others)} against {first}"
    if plan.rounds:
        return f"When each was trained, it says how many times as fast: {sides}."
    known = f"until that is known to {words.percent(WIDTH)}"
    return f"Each pair of runs tells how many times as fast: {sides}, {known}."


# --- two runs -------------------------------------------------------------------------------


def comparison() -> Screen:
    """The two runs that were being compared, else the latest two that finished."""
    cards = _compared()
    if len(cards) < 2:
        verdict = "Two finished runs appear here, the one against the other."
        return Screen("Nothing to compare yet", verdict, Place("compare"), call=_train)
    named = zip(cards, tables.labels(cards), strict=True)
    first, second = _faster_last(*(card.model_copy(update={"name": name}) for card, name in named))
    found = analysis.between(first, second)
    ratio, gain = found.speed.ratio, found.accuracy.difference
    figures = (
        ("Times as fast", words.times(ratio)),
        ("Accuracy", words.UNKNOWN if gain is None else f"{words.points(gain)} points"),
        ("Training", words.duration(second.timing.fit_seconds)),
    )
    return Screen(
        title=f"{second.name} against {first.name}",
        verdict=analysis.sentence(first, second, found),
        place=Place.of("compare", {RUNS: f"{first.run_id},{second.run_id}"}),
        figures=figures,
        chart=lambda: drawn.accuracy([(read(card), card.name) for card in (first, second)]),
        layers=_layers(second),
    )


def _faster_last(one: RunCard, other: RunCard) -> tuple[RunCard, RunCard]:
    """Two runs so that the figure is how many times as fast, as the sentence beside it says."""
    ratio = analysis.between(one, other).speed.ratio
    return (other, one) if ratio is not None and ratio < 1 else (one, other)


def _compared() -> list[RunCard]:
    """The earlier run first."""
    asked = [part for part in st.query_params.get(RUNS, "").split(",") if part][:2]
    if len(asked) < 2:
        asked = _latest_two()
    try:
        return [history().card(run_id, steps=False) for run_id in asked]
    except LabError:  # the link names one that was deleted meanwhile
        return []


def _latest_two() -> list[str]:
    """The newest run that has an earlier one on the same data, and that one first; else the newest
    two.
    """
    done = history().summaries(whole=True, limit=MOST_LOOKED_AT)
    pairs = combinations(done, 2)  # the newest first
    like = ((one, other) for one, other in pairs if one.spec.dataset == other.spec.dataset)
    return [run.run_id for run in reversed(next(like, done[:2]))]


# --- the audience ---------------------------------------------------------------------------


def visitors() -> Screen:
    """How to come in, and who is here."""
    here, where = audience.room(), address.address()
    book = here.bets.book()
    figures = (
        ("Visitors", words.count(here.audience.count())),
        ("Bets", words.count(len(book.bets) if book else 0)),
        ("Recipes proposed", words.count(len(here.proposals.proposed()))),
    )
    latest = run()
    return Screen(
        title="Come in: watch, bet, propose",
        verdict=where,
        place=latest.place,
        figures=figures,
        chart=lambda: drawn.code(where),
        live=True,
    )
