"""What each run came to, tinted by how it differs from the baseline, with its caveats beneath."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from cnnlab import analysis, charts, learned, words
from cnnlab.analysis import Beside, Grade
from cnnlab.analysis.ranking import NAMES
from cnnlab.spec import RunCard
from cnnlab.ui import tables
from cnnlab.ui.colours import palette, tint

MOST_NOTES = 12
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
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


def show(
    cards: Sequence[RunCard],
    names: Sequence[str],
    origins: Sequence[str | None],
    standing: analysis.Standing,
) -> None:
    """The table and its footnotes.

    Args:
        cards: the baseline first.
        origins: where each was brought in from; None of one that was measured here.
        standing: theirs.
    """
    wanted = _heading(cards)
    frame = analysis.results(cards, wanted / 100)
    known = [name for name in HEADINGS if frame[name].notna().any()]
    notes = _notes(cards, origins)
    st.dataframe(
        _styled(cards, frame, known, _marked(cards, names, notes)),
        hide_index=True,
        height="auto" if len(cards) <= 10 else 400,
        placeholder=words.UNKNOWN,
        column_config={
            "Colour": st.column_config.ImageColumn("", width=36, pinned=True),
            "Run": st.column_config.TextColumn(pinned=True),
            "Step (ms)": st.column_config.Column(help="The median step, without warm-up."),
            "Images/s": st.column_config.Column(help="Over the mean step, without warm-up."),
        },
        alt="What each run came to, a row each, the baseline first; a star marks the best of a "
        "column.",
    )
    _footnotes(cards, known, standing, notes)


def _heading(cards: Sequence[RunCard]) -> int:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.subheader("Results", anchor=False)
        return st.number_input(
            "Time to a validation accuracy of (%)",
            min_value=1,
            max_value=100,
            value=_middle(cards),
            key="compare.accuracy",
            width=260,
        )


def _middle(cards: Sequence[RunCard]) -> int:
    """A validation accuracy in per cent that every run with epochs reached, or nearly."""
    return min(max(int(100 * analysis.reached_by_all(cards)), 1), 100)


# --- the table ------------------------------------------------------------------------------


def _styled(
    cards: Sequence[RunCard], frame: pd.DataFrame, known: Sequence[str], names: Sequence[str]
) -> Styler:
    colours = palette().of_runs(cards)
    shown = frame[list(known)].rename(columns={name: HEADINGS[name][0] for name in known})
    shown.insert(0, "Device", [tables.KINDS[tables.kind_of(card)] for card in cards])
    shown.insert(0, "Run", list(names))
    shown.insert(0, "Colour", [charts.swatch(colours[card.run_id]) for card in cards])
    best = analysis.best_of(cards, frame)
    beside = analysis.against_baseline(cards, frame, learned.paired)
    writers = {
        HEADINGS[name][0]: _writer(
            HEADINGS[name][1], best.get(name), dict(zip(frame[name], beside[name], strict=True))
        )
        for name in known
    }
    tints = pd.DataFrame("", index=range(len(cards)), columns=shown.columns)
    for name in known:
        tints[HEADINGS[name][0]] = [_css(each) for each in beside[name]]
    styler = Styler(shown.reset_index(drop=True)).format(writers, na_rep=words.UNKNOWN)
    return styler.apply(lambda _: tints, axis=None)


def _writer(
    write: Callable[[float], str], best: float | None, beside: dict[float, Beside | None]
) -> Callable[[float], str]:
    """A figure, a star where it is the best, and how it lies to the baseline's."""

    def written(value: float) -> str:
        star = " ★" if value == best else ""
        other = beside.get(value)
        return f"{write(value)}{star}" + (f"  ({other.text})" if other else "")

    return written


def _css(beside: Beside | None) -> str:
    return f"background-color: {tint(beside.good)}" if beside and beside.good else ""


# --- footnotes ------------------------------------------------------------------------------


def _notes(cards: Sequence[RunCard], origins: Sequence[str | None]) -> dict[str, list[int]]:
    """Caveats in their order, each once, with the places of the runs that it is about."""
    found: dict[str, list[int]] = {}
    for place, (card, origin) in enumerate(zip(cards, origins, strict=True)):
        where = [f"Not measured here: {origin}."] if origin else []
        for text in (*card.marks, *where):
            found.setdefault(text, []).append(place)
    return dict(list(found.items())[:MOST_NOTES])


def _marked(
    cards: Sequence[RunCard], names: Sequence[str], notes: dict[str, list[int]]
) -> list[str]:
    """The names, each with the numbers of its footnotes."""
    marks = [
        ",".join(str(n) for n, about in enumerate(notes.values(), 1) if place in about)
        for place in range(len(cards))
    ]
    return [
        f"{name} {mark.translate(SUPERSCRIPTS)}".rstrip()
        for name, mark in zip(names, marks, strict=True)
    ]


def _footnotes(
    cards: Sequence[RunCard],
    known: Sequence[str],
    standing: analysis.Standing,
    notes: dict[str, list[int]],
) -> None:
    lines = [
        f"{str(number).translate(SUPERSCRIPTS)} {tables.plain(text)}"
        for number, text in enumerate(notes, 1)
    ]
    if len(cards) > 1:
        lines.append(tables.plain(_how_to_read(cards, known, standing)))
    if lines:
        st.caption("  \n".join(lines))


def _how_to_read(
    cards: Sequence[RunCard], known: Sequence[str], standing: analysis.Standing
) -> str:
    """What a star and a tint are worth, and where there is none."""
    said = [
        "★ the best of its column. In brackets, against the baseline: points, or so many times; "
        "tinted where that is more than chance or one run's epochs explain.",
        standing.left_out,
    ]
    if not standing.left_out and len({len(card.epochs) for card in cards}) > 1:
        said.append("Whole fits bear none, for they were not of equally many epochs.")
    grades = sorted({grade.value for grade in standing.grades.values()} - {Grade.NOTHING.value})
    if grades:
        said.append(f"Times against the baseline: {', '.join(grades)}.")
    if "joules" in known:
        said.append("Energy of whole fits.")
    said += [f"{NAMES[x.quality]}: {x.note}." for x in standing.rankings if x.note]
    return " ".join(filter(None, said))
