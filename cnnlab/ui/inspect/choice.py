"""Which runs are looked into, one or two, after which epoch, and by which part of their data: the
URL keeps it all.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import streamlit as st

from cnnlab import learned
from cnnlab.history import RunSummary
from cnnlab.spec import HeldOut, LabError, RunCard, Status
from cnnlab.ui import lab, standing, tables
from cnnlab.ui.colours import palette
from cnnlab.ui.compare.choice import RUNS, asked, resolve
from cnnlab.ui.inspect.asking import Subject, kept

EPOCH, SLIDER, CHIPS = "epoch", "inspect.epoch", "inspect.runs"
PART, PART_CHOICE = "part", "inspect.part"
PARTS: dict[HeldOut, str] = {"validation": "Validation", "test": "Test set"}
MOST_DIGITS = 9
"""Of an epoch in a link."""
MOST = 2
MOST_OFFERED, MOST_LOOKED_AT = 200, 1000
"""Of the newest runs."""


def choose(runs: Sequence[RunSummary]) -> list[RunSummary]:
    """Let the reader choose one run or two; where none is named, the newest that tells most.

    Args:
        runs: those to choose from, the newest first; a link may name any other.
    """
    named, missing = resolve(asked())
    if missing:
        names = tables.plain(", ".join(run_id[:40] for run_id in missing[:5]))
        st.warning(f"The history does not know {names}.", icon=":material/search_off:")
    kept_something = (run for run in runs if not run.sweep and learned.kept(run.run_id))
    newest = list(islice(kept_something, MOST_OFFERED))
    chosen = named[:MOST] or _by_itself(newest)
    offered = {run.run_id: run for run in (*newest, *chosen)}
    if not offered:
        return []
    labels = tables.apart({run_id: _called(run) for run_id, run in offered.items()})
    ids = [run.run_id for run in chosen]
    st.multiselect(
        "One run, or two beside each other",
        options=list(offered),
        default=ids,
        format_func=labels.__getitem__,
        key=standing.key_at(CHIPS, ids),
        on_change=_chips_changed,
        max_selections=MOST,
        placeholder="Choose a run",
    )
    return chosen


def _by_itself(newest: Sequence[RunSummary]) -> list[RunSummary]:
    """The newest that finished, which answered all of its data; else the newest."""
    finished = (run for run in newest if run.status is Status.FINISHED)
    return [found] if (found := next(finished, None)) else list(newest[:1])


def _called(run: RunSummary) -> str:
    """Its name, and that it is not over where it is not."""
    return run.name if run.status.over else f"{run.name} · {run.status}"


def _chips_changed() -> None:
    ids = standing.chosen(CHIPS)
    if ids:
        st.query_params[RUNS] = ",".join(ids)
    elif ids is not None:
        st.query_params.pop(RUNS, None)


def subjects(chosen: Sequence[RunSummary]) -> list[Subject]:
    """What is kept of the runs; of those of which nothing is, that is said."""
    cards = [lab.history().card(run.run_id, steps=False) for run in chosen]
    colours, found = palette().of_runs(cards), []
    listed = lab.dataset_names() if any(run.origin for run in chosen) else []
    for run, card, name in zip(chosen, cards, tables.labels(cards), strict=True):
        known = run.origin is None or card.spec.dataset in listed
        try:
            found.append(Subject(card, name, colours[card.run_id], kept(card.run_id), known))
        except LabError as error:
            why = _why_none(card) or str(error)
            said = f"{name}: {why}" if len(cards) > 1 else why
            st.warning(tables.plain(said), icon=":material/inventory_2:")
    return found


def _why_none(card: RunCard) -> str:
    """Why nothing was ever to be kept of a run; empty where something may have been."""
    part = card.part
    if part is None or part.kind != "race":
        return ""
    if part.cut_seconds:
        return (
            "It was a short leg of a race, which keeps nothing, so that nothing disturbs its time: "
            "race whole trainings, or train its recipe alone, to look into it."
        )
    if part.turn:
        return "It repeats its lane's first run in the race, which kept what the lane learns."
    return ""


def epoch(looked_into: Sequence[Subject]) -> int:
    """The epoch that all of the page is about: a slider where there are several to choose from."""
    frames = sorted({frame for subject in looked_into for frame in subject.kept.frames})
    linked = st.query_params.get(EPOCH, "")
    is_number = linked.isascii() and linked.isdecimal() and len(linked) <= MOST_DIGITS
    wanted = int(linked) if is_number else frames[-1]
    at = min(frames, key=lambda frame: (abs(frame - wanted), frame))
    if len(frames) == 1:
        return at
    key = standing.key_at(SLIDER, at)
    st.select_slider("After epoch", options=frames, value=at, key=key, on_change=_moved)
    return at


def _moved() -> None:
    if chosen := standing.chosen(SLIDER):
        st.query_params[EPOCH] = str(chosen)


def part(looked_into: Sequence[Subject]) -> HeldOut:
    """The part of the data whose answers the page is about: a choice where all have both."""
    try:
        if not all(set(subject.kept.parts) == set(PARTS) for subject in looked_into):
            return "validation"
    except LabError:
        return "validation"  # damaged, which is said in the place of the answers
    linked = st.query_params.get(PART, "")
    at: HeldOut = next((part for part in PARTS if part == linked), "validation")
    st.segmented_control(
        "Answers to",
        list(PARTS),
        default=at,
        required=True,
        format_func=PARTS.__getitem__,
        key=standing.key_at(PART_CHOICE, at),
        on_change=_part_chosen,
    )
    return at


def _part_chosen() -> None:
    if chosen := standing.chosen(PART_CHOICE):
        st.query_params[PART] = chosen
