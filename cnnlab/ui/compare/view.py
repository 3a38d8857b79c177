"""Any number of runs against each other: who is faster, what came out, what differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import streamlit as st
from pandas.io.formats.style import Styler

from cnnlab import analysis, words
from cnnlab.analysis import Grade
from cnnlab.analysis.ranking import NAMES
from cnnlab.history import RunSummary
from cnnlab.spec import RunCard, label
from cnnlab.ui import live, tables
from cnnlab.ui.compare import charts as compare_charts
from cnnlab.ui.compare import files as compare_files
from cnnlab.ui.compare import front, ladder, networks
from cnnlab.ui.compare import speed as compare_speed
from cnnlab.ui.compare.choice import RUNS
from cnnlab.ui.lab import history
from cnnlab.ui.run import details
from cnnlab.ui.run.state import cards_of

REFRESH_SECONDS = 5.0  # while one of the runs still trains
MOST_BARS, MOST_FIELDS = 12, 25


def empty(*, any_runs: bool) -> None:
    """Say what will appear here, and offer what makes it appear."""
    with st.container(border=True):
        st.subheader("No runs chosen" if any_runs else "No runs yet", anchor=False)
        st.write(
            "The runs you choose are laid over each other here: loss, accuracy and step time, what "
            "differs between them, how much faster and how much better each is, and what that "
            "number is worth."
        )
        if any_runs:
            st.write("Choose some above, or tick them in the history.")
            st.page_link("pages/history.py", label="History", icon=":material/history:")
        st.page_link("pages/train.py", label="Train a run", icon=":material/play_arrow:")
        ladder.offer_example()
    compare_charts.learnt_by_heart([], [])


def show(runs: Sequence[RunSummary]) -> None:
    """Show the runs; while one of them trains, every few seconds anew."""
    pace = None if all(run.status.over for run in runs) else REFRESH_SECONDS
    live.every(pace, _body, tuple(run.run_id for run in runs), pace)


def _body(run_ids: Sequence[str], pace: float | None) -> None:
    by_id = {run.run_id: run for run in history().summaries(run_ids=run_ids)}
    runs = [by_id[run_id] for run_id in run_ids if run_id in by_id]
    cards = cards_of(runs)
    if pace and all(card.status.over for card in cards):
        st.rerun()
    names = tables.labels(cards)
    with st.container():
        if ladder.asked() and len(cards) > 1:
            ladder.show(cards)
        else:
            compare_speed.verdict(cards, names)
            if len(cards) == 2:
                ladder.offer(*cards)
                _inspect(run_ids)
    if len(cards) == 2:
        networks.show((cards[0], cards[1]), (names[0], names[1]))
    with st.container():
        compare_charts.curves(cards, names)
    front.show(cards, names)
    with st.container():
        _results(cards, names, [run.origin for run in runs])
    with st.container():
        _differences(cards, names)
    with st.container():
        compare_charts.learnt_by_heart(cards, names)
    if len(cards) <= MOST_BARS:
        st.subheader("Where the time went", anchor=False)
        details.ledger(*cards)
    compare_files.export(cards, {run.run_id: run.origin for run in runs if run.origin})


def _inspect(run_ids: Sequence[str]) -> None:
    st.page_link(
        "pages/inspect.py",
        label="What the two disagree on",
        icon=":material/visibility:",
        query_params={RUNS: ",".join(run_ids)},
    )


# --- what came out --------------------------------------------------------------------------

HEADINGS: dict[str, tuple[str, Callable[[float], str]]] = {
    "best_val_accuracy": ("Best val.", words.percent),
    "last_val_accuracy": ("Last val.", words.percent),
    "test_accuracy": ("Test", words.percent),
    "last_accuracy": ("Last training", words.percent),
    "gap": ("Gap", words.percent),
    "last_val_loss": ("Last val. loss", words.number),
    "reached_seconds": ("Reached after", words.duration),
    "fit_seconds": ("Whole fit", words.duration),
    "step_ms_median": ("Step (ms)", words.number),
    "images_per_second": ("Images/s", words.number),
    "joules": ("Energy (J)", words.number),
    "images_per_joule": ("Images/J", words.number),
    "parameters": ("Parameters", lambda value: words.count(int(value))),
}


def _results(cards: Sequence[RunCard], names: Sequence[str], origins: Sequence[str | None]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader("Results", anchor=False)
        wanted = st.number_input(
            "Time to a validation accuracy of (%)",
            min_value=1,
            max_value=100,
            value=_middle(cards),
            key="compare.accuracy",
            width=260,
        )
    frame = analysis.results(cards, wanted / 100)
    best = analysis.best_of(cards, frame)
    known = [name for name in HEADINGS if frame[name].notna().any()]
    shown = frame[known].rename(columns={name: HEADINGS[name][0] for name in known})
    devices = [tables.KINDS[tables.kind_of(card)] for card in cards]
    shown.insert(0, "Device", devices)
    shown.insert(0, "Run", list(names))
    if any(origins):
        shown["Origin"] = [origin or "measured here" for origin in origins]
    writers = {HEADINGS[name][0]: _starred(HEADINGS[name][1], best.get(name)) for name in known}
    st.dataframe(
        Styler(shown.reset_index(drop=True)).format(writers, na_rep=words.UNKNOWN),
        hide_index=True,
        height="auto" if len(cards) <= 10 else 400,
        placeholder=words.UNKNOWN,
        column_config={
            "Run": st.column_config.TextColumn(pinned=True),
            "Step (ms)": st.column_config.Column(help="The median step, without warm-up."),
            "Images/s": st.column_config.Column(help="Over the mean step, without warm-up."),
        },
        alt="What each run came to, a row each; a star marks the best of a column.",
    )
    if len(cards) > 1:
        st.caption(_what_stars_mean(cards, known, analysis.rank(cards, names)))


def _what_stars_mean(
    cards: Sequence[RunCard], known: Sequence[str], standing: analysis.Standing
) -> str:
    """What a star is worth, and where there is none."""
    said = ["★ the best of its column.", standing.left_out]
    if not standing.left_out and len({len(card.epochs) for card in cards}) > 1:
        said.append("Whole fits bear none, for they were not of equally many epochs.")
    grades = sorted({grade.value for grade in standing.grades.values()} - {Grade.NOTHING.value})
    if grades:
        said.append(f"Times against the first run: {', '.join(grades)}.")
    if "joules" in known:
        said.append("Energy of whole fits.")
    said += [f"{NAMES[x.quality]}: {x.note}." for x in standing.rankings if x.note]
    return " ".join(filter(None, said))


def _middle(cards: Sequence[RunCard]) -> int:
    """A validation accuracy in per cent that every run with epochs reached, or nearly."""
    return min(max(int(100 * analysis.reached_by_all(cards)), 1), 100)


def _starred(write: Callable[[float], str], best: float | None) -> Callable[[float], str]:
    return lambda value: f"{write(value)} ★" if value == best else write(value)


def _differences(cards: Sequence[RunCard], names: Sequence[str]) -> None:
    if len(cards) < 2:
        return
    st.subheader("What differs", anchor=False)
    frame = analysis.differences(cards)
    same = analysis.agreements(cards[0], frame)
    frame = frame.set_axis(names, axis="columns").set_axis(map(label, frame.index))
    if frame.empty:
        st.caption("Nothing: the runs are repeats of each other.")
    else:
        tall: Literal["content", "auto"] = "content" if len(frame) <= MOST_FIELDS else "auto"
        field = {"Field": st.column_config.TextColumn(pinned=True)}
        rows = frame.reset_index(names="Field")
        st.dataframe(rows, hide_index=True, height=tall, column_config=field)
    with st.expander(f"The same in all ({words.count(len(same))})", icon=":material/equal:"):
        fields = list(map(label, same))
        st.dataframe({"Field": fields, "Value": list(same.values())}, hide_index=True)
