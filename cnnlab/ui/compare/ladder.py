"""The ladder on a page: a click that queues it, and the waterfall of what each change brought."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlab import charts, ladder, words
from cnnlab.spec import ExperimentSpec, LabError, RunCard
from cnnlab.ui import lab, rights, tables
from cnnlab.ui.colours import inked
from cnnlab.ui.compare import choice


def offer(first: RunCard, second: RunCard) -> None:
    """A button that queues the runs between two, where more than one thing differs."""
    try:
        specs = ladder.between(first, second)
    except LabError:
        return  # other data, or no change that a rung could make: the verdict has said so
    if len(specs) > 2:
        _button(
            "Climb from one to the other",
            specs,
            f"Trains {len(specs)} short runs, one change at a time, and shows what each brought.",
        )


def offer_example() -> None:
    """A button for the built-in ladder, once it is known what this machine has."""
    here = lab.hardware()
    if here is None:
        return
    keys = [card.key for card in here.accelerators]
    specs = ladder.example(keys, here.cpu.instruction_sets)
    _button(
        "Climb from the article's recipe to the fastest here",
        specs,
        f"Trains {len(specs)} short runs, one change at a time: what does each one bring?",
    )


def _button(label: str, specs: Sequence[ExperimentSpec], help_: str) -> None:
    st.button(
        label,
        icon=":material/stairs:",
        on_click=_climb,
        args=(specs,),
        key=f"compare.ladder.{label}",
        **rights.limits(help=help_),
    )


def _climb(specs: Sequence[ExperimentSpec]) -> None:
    def climb() -> None:
        choice.put(lab.climb(specs))
        st.query_params[choice.LADDER] = "1"

    rights.attempt(climb)


def asked() -> bool:
    """Whether the address calls the runs rungs of a ladder."""
    return choice.LADDER in st.query_params


def show(cards: Sequence[RunCard]) -> None:
    """The waterfall, as far as it has been climbed."""
    waiting = sum(not card.status.over for card in cards)
    found = ladder.climb(cards)
    st.subheader("The ladder: what each change brought", anchor=False)
    if waiting:
        what = "1 rung is" if waiting == 1 else f"{words.count(waiting)} rungs are"
        st.caption(f"{what} not trained yet; the ladder grows as they are.")
    if found:
        _draw(cards, found)
    for lost in found.lost if found else ():
        st.warning(tables.plain(f"No figure for {lost}"), icon=":material/error:")


def _draw(cards: Sequence[RunCard], found: ladder.Ladder) -> None:
    st.header(tables.plain(ladder.sentence(found)), anchor=False)
    frame = ladder.frame(cards, found)
    left, right = st.columns([3, 2])
    data = charts.packed(frame)
    with left:
        spec = charts.waterfall_spec(len(frame))
        alt = charts.alt_text("waterfall")
        st.vega_lite_chart(data, inked(spec), key="ladder-waterfall", alt=alt)
    with right:
        spec, alt = charts.rungs_spec(len(frame)), charts.alt_text("rungs")
        st.vega_lite_chart(data, inked(spec), key="ladder-rungs", alt=alt)
    st.caption(
        "Each rung is trained anew, short and as long as the others. The factors multiply to the "
        "last bar; thin lines are how far epochs of one run varied. On so few epochs accuracies "
        "are those of a beginning."
    )
