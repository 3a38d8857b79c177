"""How much faster one device is, where runs differ in it alone; else why nobody can say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from cnnlab import analysis, words
from cnnlab.analysis import Pairing
from cnnlab.history import RunSummary
from cnnlab.spec import LabError, RunCard, network_name
from cnnlab.ui import tables
from cnnlab.ui.lab import history
from cnnlab.ui.run.state import cards_of

MOST_UNFOLDED, MOST_RUNS_SAID = 8, 30


def verdict(cards: Sequence[RunCard], names: Sequence[str]) -> None:
    """How much faster, where runs differ in their device alone; else the reasons for no number."""
    if len(cards) == 2:
        _pair(cards[0], cards[1])
    elif len(cards) > 2:
        _groups(cards, names)


def of_runs(run_ids: Sequence[str]) -> None:
    """The verdict on runs that are known by their ids, as a page beside this one shows it."""
    try:
        cards = [history().card(run_id, steps=False) for run_id in run_ids]
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/search_off:")
        return
    verdict(cards, tables.labels(cards))


def _pair(first: RunCard, second: RunCard) -> None:
    reasons = analysis.comparability(first, second)
    if not reasons:
        st.header(tables.plain(analysis.verdict(first, second)), anchor=False)
        return
    bullets = "\n".join(f"- {tables.plain(reason)}" for reason in reasons)
    st.warning(f"**No fair verdict on speed, because:**\n{bullets}", icon=":material/balance:")


def _groups(cards: Sequence[RunCard], names: Sequence[str]) -> None:
    newest = sorted(cards, key=lambda card: card.created_at, reverse=True)
    found = analysis.pairings(newest)
    fair = [pairing for pairing in found if pairing.gain]
    if len(fair) == 1:
        st.header(tables.plain(speed_up_text(fair[0])), anchor=False)
    elif fair:
        _pairs_table(fair)
    elif len({tables.kind_of(card) for card in cards}) == 1:
        _on_one_kind(cards, names)
    _unfair(
        analysis.unpaired(newest, found), dict(zip((c.run_id for c in cards), names, strict=True))
    )


def _on_one_kind(cards: Sequence[RunCard], names: Sequence[str]) -> None:
    """What the report and the command line say of runs whose devices are of one kind."""
    st.caption(
        "All of these ran on one kind of device, so there is no speed-up of one over another."
    )
    said = analysis.verdicts(cards, names)
    with st.expander(
        f"Each of them against {tables.plain(names[0])}",
        icon=":material/balance:",
        expanded=len(said) <= MOST_UNFOLDED,
    ):
        _listed([f"- {tables.plain(text)}" for text in said])


def _listed(lines: Sequence[str]) -> None:
    st.markdown("\n".join(lines[:MOST_RUNS_SAID]))
    if len(lines) > MOST_RUNS_SAID:
        st.caption(f"And {words.count(len(lines) - MOST_RUNS_SAID)} more.")


def _unfair(reasons: Mapping[str, list[str]], names: Mapping[str, str]) -> None:
    if not reasons:
        return
    lines = [
        f"- {tables.plain(names[run_id])}: {tables.plain('; '.join(why[:4]))}"
        + (f"; and {len(why) - 4} more" if len(why) > 4 else "")
        for run_id, why in reasons.items()
    ]
    with st.expander(
        f"No fair speed-up for {words.count(len(lines))} of these runs, and why",
        icon=":material/balance:",
        expanded=len(lines) <= MOST_UNFOLDED,
    ):
        _listed(lines)


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
    return f"The {faster} is {words.number(ratio)} times as fast{spread}: {repeats(pairing)}{warm}."


def _range(one: float, other: float) -> str:
    return f"{words.number(min(one, other))} to {words.number(max(one, other))}"


def repeats(pairing: Pairing) -> str:
    """How many runs a speed-up rests on."""
    cpu, accelerator = len(pairing.cpu_runs), len(pairing.accelerator_runs)
    return f"{cpu} {'run' if cpu == 1 else 'runs'} on the CPU, {accelerator} on the GPU"


def _pairs_table(found: Sequence[Pairing]) -> None:
    frame = pd.DataFrame([_pair_row(pairing) for pairing in found])
    if not any(pairing.reasons for pairing in found):
        frame = frame.drop(columns="Why withheld")
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
        "Speed-up": f"{words.number(gain.ratio)} times" if gain else "withheld",
        "Lowest to highest": _range(gain.least, gain.most) if gain else words.UNKNOWN,
        "Runs": f"{len(pairing.cpu_runs)} CPU, {len(pairing.accelerator_runs)} GPU",
        "CPU": pairing.cpu,
        "Accelerator": pairing.accelerator,
        "Batch": spec.batch_size,
        "Precision": spec.precision,
        "Engine": spec.engine,
        "Why withheld": "; ".join(pairing.reasons),
    }


def pairs_of_history(runs: Sequence[RunSummary]) -> None:
    """Every spec that the history knows on both kinds of device; computed when it is opened."""
    by_id = {run.run_id: run for run in runs}
    wanted = analysis.worth_pairing(runs)
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
                "Seconds of an epoch on the CPU over those on the accelerator: the median of all "
                "fair pairs of runs, of the newest 20 on each device. Of the fields that decide "
                "speed, only the device differs."
            )
