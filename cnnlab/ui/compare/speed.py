"""Verdicts on a page: who is faster, who is better, what that is worth, which one to take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd
import streamlit as st

from cnnlab import analysis, learned, words
from cnnlab.analysis import Grade, Pairing
from cnnlab.spec import LabError, RunCard, network_name
from cnnlab.ui import tables
from cnnlab.ui.lab import history
from cnnlab.ui.run.state import cards_of

MOST_RUNS_SAID = 30
MOST_PAIRED = 1000


def verdict(cards: Sequence[RunCard], names: Sequence[str]) -> None:
    """Of two runs the one against the other; of more, which one to take, and each against the
    first."""
    if len(cards) == 2:
        _pair(cards[0], cards[1])
    elif len(cards) > 2:
        _several(cards, names)


def of_runs(run_ids: Sequence[str]) -> None:
    """The verdict on runs that are known by their ids, as a page beside this one shows it."""
    try:
        cards = [history().card(run_id, steps=False) for run_id in run_ids]
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/search_off:")
        return
    verdict(cards, tables.labels(cards))


def _pair(first: RunCard, second: RunCard) -> None:
    found = analysis.between(first, second, learned.paired(first, second))
    said = tables.plain(analysis.sentence(first, second, found))
    if found.speed.ratio is None:
        st.warning(said, icon=":material/balance:")
        return
    with st.container(key="verdict"):
        st.header(said, anchor=False)
    grade_badge(found.speed.grade)


def grade_badge(grade: Grade) -> None:
    """What a number is worth, as a chip that looks the same on every page."""
    icon, colour, help_ = BADGES[grade]
    st.badge(grade.value.capitalize(), icon=icon, color=colour, help=help_)


BADGES: dict[Grade, tuple[str, Literal["green", "blue", "orange", "gray"], str]] = {
    Grade.NOTHING: (
        ":material/equal:",
        "gray",
        "How far repeats of one thing lie apart.",
    ),
    Grade.ONE: (":material/check:", "green", "The number is this one thing's."),
    Grade.SEVERAL: (":material/layers:", "blue", "The number is theirs together."),
    Grade.MACHINES: (":material/devices:", "blue", "The number is the machines' or versions' too."),
    Grade.DISTURBED: (":material/warning:", "orange", "The number is about right at best."),
    Grade.OTHER_WORK: (":material/block:", "gray", "A ratio would mean nothing."),
}
"""Icon, colour and meaning of each grade."""


def _several(cards: Sequence[RunCard], names: Sequence[str]) -> None:
    newest = sorted(cards, key=lambda card: card.created_at, reverse=True)
    found = [pairing for pairing in analysis.pairings(newest) if pairing.gain]
    choice, *each = analysis.verdicts(cards, names, learned.paired)
    if len(found) == 1:
        st.header(tables.plain(speed_up_text(found[0])), anchor=False)
        grade_badge(found[0].grade)
    elif found:
        _pairs_table(found)
    st.markdown(f"**{tables.plain(choice)}**")
    with st.expander(
        f"Each of them against {tables.plain(names[0])}",
        icon=":material/balance:",
    ):
        _listed([f"- {tables.plain(text)}" for text in each])


def _listed(lines: Sequence[str]) -> None:
    st.markdown("\n".join(lines[:MOST_RUNS_SAID]))
    if len(lines) > MOST_RUNS_SAID:
        st.caption(f"And {words.count(len(lines) - MOST_RUNS_SAID)} more.")


def speed_up_text(pairing: Pairing) -> str:
    """A speed-up with its spread over repeats, in one sentence."""
    gain = pairing.gain
    assert gain
    warm = "" if gain.warm else "; some first epochs with their warm-up"
    if gain.level:
        ends = f", {_range(gain.least, gain.most)} from pair to pair" if gain.pairs > 1 else ""
        return (
            f"About equally fast: the GPU at {words.number(gain.ratio)} times the CPU's pace"
            f"{ends}; {repeats(pairing)}{warm}."
        )
    faster, (ratio, *around) = "GPU", (gain.ratio, gain.least, gain.most)
    if ratio < 1:
        faster, (ratio, *around) = "CPU", (1 / gain.ratio, 1 / gain.least, 1 / gain.most)
    spread = f" ({_range(*around)})" if gain.pairs > 1 else ""
    return (
        f"The {faster} ran {words.number(ratio)} times as fast{spread}: {repeats(pairing)}{warm}."
    )


def _range(one: float, other: float) -> str:
    return f"{words.number(min(one, other))} to {words.number(max(one, other))}"


def repeats(pairing: Pairing) -> str:
    """How many runs a speed-up rests on."""
    cpu, accelerator = len(pairing.cpu_runs), len(pairing.accelerator_runs)
    return f"{cpu} {'run' if cpu == 1 else 'runs'} on the CPU, {accelerator} on the GPU"


def _pairs_table(found: Sequence[Pairing]) -> None:
    frame = pd.DataFrame([_pair_row(pairing) for pairing in found])
    if not any(pairing.reasons for pairing in found):
        frame = frame.drop(columns="What else bears on it")
    st.dataframe(
        frame,
        hide_index=True,
        height="auto" if len(frame) <= 10 else 400,
        alt="How much faster the accelerator is, a row for each spec and pair of devices.",
    )


def _pair_row(pairing: Pairing) -> dict[str, str | int]:
    spec, gain = pairing.spec, pairing.gain
    return {
        "Network": network_name(spec.model),
        "Data set": spec.dataset,
        "Speed-up": f"{words.number(gain.ratio)} times" if gain else "not measured",
        "Lowest to highest": _range(gain.least, gain.most) if gain else words.UNKNOWN,
        "Runs": f"{len(pairing.cpu_runs)} CPU, {len(pairing.accelerator_runs)} GPU",
        "CPU": pairing.cpu,
        "Accelerator": pairing.accelerator,
        "Batch": spec.batch_size,
        "Precision": spec.precision,
        "Engine": spec.engine,
        "Worth": pairing.grade.value,
        "What else bears on it": "; ".join(pairing.reasons),
    }


def pairs_of_history() -> None:
    """Every spec that ran on both kinds of device of late; computed when it is opened."""
    by_id = {run.run_id: run for run in history().summaries(limit=MOST_PAIRED)}
    wanted = analysis.worth_pairing(by_id.values())
    if not wanted:
        return
    folded = st.expander(
        "Every pair in the history: the same spec on CPU and accelerator",
        icon=":material/speed:",
        key="compare.pairs",
        on_change="rerun",
    )
    if folded.open:
        with folded:
            _pairs_table(analysis.pairings(cards_of([by_id[run_id] for run_id in wanted])))
            st.caption(
                "Seconds of an epoch on the CPU over those on the accelerator: the median of the "
                "pairs of runs that differ in least beside the device, of the newest 20 on each. "
                f"The newest {words.count(MOST_PAIRED)} runs are looked through."
            )
