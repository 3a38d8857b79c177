"""The curves of any number of runs in one chart a quantity, and what was learnt by heart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import get_args

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cnnlab import analysis, charts, words
from cnnlab.analysis import Line, Measure, Progress
from cnnlab.published import REFERENCES, Point, Reference
from cnnlab.spec import PRESETS, RunCard
from cnnlab.ui import front, tables
from cnnlab.ui.colours import inked, palette
from cnnlab.ui.run.state import kept_series, read

AXES: dict[Progress, str] = {
    "epoch": "Epoch",
    "step": "Step",
    "seconds": "Wall clock",
    "images": "Images seen",
    "joules": "Energy",
}
MEASURES: dict[Measure, str] = {
    "accuracy": "Accuracy",
    "loss": "Loss",
    "step_ms": "Step time",
    "gap": "Gap",
}
MOST_BY_STEP = 8  # runs whose single steps are read; each may have tens of thousands
MOST_SMALL = 24
# Of the article's data set, for the places of its epochs on other axes.
ARTICLE_IMAGES = 42_500
ARTICLE_STEPS = -(-ARTICLE_IMAGES // PRESETS["article"].spec.batch_size)


@dataclass(frozen=True)
class Look:
    """How the reader wants the curves."""

    axis: Progress
    measures: tuple[Measure, ...]
    smoothing: float
    training: bool
    log: bool
    small: bool
    published: bool


def curves(cards: Sequence[RunCard], names: Sequence[str]) -> None:
    """Accuracy against time, then the curves, with what they can be drawn against above them."""
    look = _look(cards)
    with_epochs = [(card, name) for card, name in zip(cards, names, strict=True) if card.epochs]
    shown = [(card, name) for card, name in with_epochs if _on(card, look.axis)]
    _say_left_out(look, len(cards), len(with_epochs), len(shown))
    scattered = front.worth_drawing(cards)
    first, *places = _places(look, scattered=scattered)
    if scattered:
        with first:
            front.show(cards, names)
    if not shown:
        return
    runs = _colours(cards, names, shown)
    by_step = look.axis == "step" and len(shown) <= MOST_BY_STEP
    if look.axis == "step" and not by_step:
        st.caption(f"Of more than {MOST_BY_STEP} runs, whole epochs are drawn, not each step.")
    for place, measure in zip(places, look.measures, strict=True):
        with place:
            found = [
                line for card, name in shown for line in _lines(card, name, measure, look, by_step)
            ]
            _measure(found, measure, look, runs)
    st.caption(_hint(len(runs), look))


def _measure(found: list[Line], measure: Measure, look: Look, runs: dict[str, str]) -> None:
    st.markdown(f"**{MEASURES[measure]}**")
    if look.small:
        _small(found, measure, look, runs)
    else:
        _one(found, measure, look, runs)


def _places(look: Look, *, scattered: bool) -> list[DeltaGenerator]:
    """The scatter's place, then one for each quantity: two beside each other; small charts take
    the whole width."""
    count = len(look.measures) + scattered
    if look.small or count == 1:
        places = [st.container() for _ in range(count)]
    else:
        rows = [st.columns(2) for _ in range(0, count, 2)]
        places = [column for row in rows for column in row][:count]
    return places if scattered else [st.container(), *places]


def _hint(runs: int, look: Look) -> str:
    said = [charts.ZOOM_HINT]
    if look.training:
        said.append("Training thin, validation strong.")
    if runs > charts.NAMED_RUNS and not look.small:
        said.append(f"{words.count(runs)} runs are too many to read at once: point at a line.")
    elif not look.small:
        what = " (training / validation)" if look.training else ""
        said.append(f"Point anywhere to read every run there{what}.")
    if look.smoothing:
        said.append("Curves and figures in them are smoothed; the table below is not.")
    return " ".join(said)


def _look(cards: Sequence[RunCard]) -> Look:
    measured = any(_on(card, "joules") for card in cards)
    axes = [name for name in AXES if name != "joules" or measured]
    if st.session_state.get("compare.axis") not in axes:
        st.session_state.pop("compare.axis", None)  # of runs that were shown before
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        axis = st.segmented_control(
            "Against",
            options=axes,
            default="epoch",
            required=True,
            format_func=AXES.__getitem__,
            key="compare.axis",
            label_visibility="collapsed",
        )
        measures = st.pills(
            "Show",
            options=list(MEASURES),
            default=["accuracy"],
            selection_mode="multi",
            format_func=MEASURES.__getitem__,
            key="compare.measures",
            label_visibility="collapsed",
        )
        with st.popover("Look", icon=":material/tune:"):
            smoothing = st.slider("Smoothing", 0.0, 0.95, 0.0, 0.05, key="compare.smoothing")
            training = st.toggle("Training curves too", key="compare.training")
            log = st.toggle("Log scale for loss and step time", key="compare.log")
            small = st.toggle("A small chart for each run", key="compare.small")
            published = st.toggle(
                "The article's published runs",
                key="compare.published",
                help="In grey, from the published figures; nothing of them was measured here.",
            )
    chosen = tuple(measure for measure in get_args(Measure) if measure in measures)
    return Look(axis or "epoch", chosen, smoothing, training, log, small, published)


def _on(card: RunCard, axis: Progress) -> bool:
    return analysis.epoch_ends(card, axis) is not None


def _say_left_out(look: Look, chosen: int, begun: int, shown: int) -> None:
    if not look.measures:
        st.caption("Choose above what is to be drawn.")
    if begun < chosen:
        left = chosen - begun
        said = "1 run has" if left == 1 else f"{words.count(left)} runs have"
        st.caption(f"{said} no finished epoch yet and no curve.")
    if shown < begun:
        left = begun - shown
        said = "of 1 run" if left == 1 else f"of {words.count(left)} runs"
        what = "Energy" if look.axis == "joules" else AXES[look.axis]
        st.info(f"{what} was not measured {said}, left out here.", icon=":material/block:")


def _colours(
    cards: Sequence[RunCard], names: Sequence[str], shown: Sequence[tuple[RunCard, str]]
) -> dict[str, str]:
    """A colour for each label."""
    colours = palette().of_runs(cards)
    return {name: colours[card.run_id] for card, name in shown}


def _lines(card: RunCard, name: str, measure: Measure, look: Look, by_step: bool) -> list[Line]:
    """The lines of a run: of what is learnt, validation alone unless the reader wants training."""
    if by_step:
        series = kept_series(card) if card.status.over else read(card).series
        found = analysis.step_lines(card, name, measure, series)
    else:
        found = analysis.lines(card, name, measure, look.axis)
    return found if look.training else _leading(found)


def _leading(found: list[Line]) -> list[Line]:
    """The validation curves, or whatever there is of a quantity that has none."""
    return [line for line in found if line.split == "validation"] or found


# --- charts ---------------------------------------------------------------------------------


def _one(found: list[Line], measure: Measure, look: Look, runs: dict[str, str]) -> None:
    if look.published:
        every = (_published(ref, measure, look.axis) for ref in REFERENCES.values())
        grey = [line for each in every for line in (each if look.training else _leading(each))]
        shades = dict(zip(dict.fromkeys(line.run for line in grey), cycle(charts.REFERENCES)))
        found, runs = found + grey, runs | shades
    _draw(found, measure, look, runs, f"compare-{measure}", charts.TALLEST)


def _small(found: Sequence[Line], measure: Measure, look: Look, runs: dict[str, str]) -> None:
    """A chart a run, all with the same axis upwards."""
    values = [line.y[np.isfinite(line.y)] for line in found]
    whole = np.concatenate(values) if values else np.zeros(0)
    positive = whole[whole > 0] if _log(measure, look) else whole
    domain = (float(positive.min()), float(positive.max())) if len(positive) else None
    if measure in ("accuracy", "gap") and domain:
        domain = (min(domain[0], 0.0), domain[1])
    with st.grid(3, min_column_width=280, key=f"small-{measure}"):
        for place, (name, colour) in enumerate(list(runs.items())[:MOST_SMALL]):
            with st.container():
                st.caption(tables.plain(name))
                mine = [line for line in found if line.run == name]
                key = f"small-{measure}-{place}"
                _draw(mine, measure, look, {name: colour}, key, 200, domain)
    if len(runs) > MOST_SMALL:
        st.caption(f"The first {MOST_SMALL} of {words.count(len(runs))} runs.")


def _log(measure: Measure, look: Look) -> bool:
    return look.log and measure in ("loss", "step_ms")


def _draw(
    found: Sequence[Line],
    measure: Measure,
    look: Look,
    runs: dict[str, str],
    key: str,
    height: int,
    domain: tuple[float, float] | None = None,
) -> None:
    pairs = tuple((line_run, runs[line_run]) for line_run in dict.fromkeys(x.run for x in found))
    log = _log(measure, look)
    frame = analysis.line_frame(found, smoothing=look.smoothing, log=log)
    spec = charts.comparison_spec(measure, look.axis, pairs, height, log=log, domain=domain)
    data = {"source": charts.packed(frame)}
    if len(pairs) <= charts.NAMED_RUNS:
        told = analysis.hover_frame(found, WRITTEN[measure], smoothing=look.smoothing)
        data["hover"] = charts.packed(told)
    # All by name: with one named table beside the chart's own data, Streamlit confuses the two.
    spec = spec | {"datasets": data}
    alt = charts.alt_text(f"compare_{measure}")
    st.vega_lite_chart(None, inked(spec), key=key, alt=alt, **charts.KEEP_ZOOM)


WRITTEN: dict[Measure, Callable[[float], str]] = {
    "accuracy": words.percent,
    "gap": words.percent,
    "loss": words.number,
    "step_ms": lambda value: f"{words.number(value)} ms",
}


# --- the published runs ---------------------------------------------------------------------


def _published(ref: Reference, measure: Measure, axis: Progress) -> list[Line]:
    """Single points with gaps between them: what lies between was not published."""
    if measure == "step_ms" or axis == "joules":
        return []
    each = {
        "epoch": 1.0,
        "step": float(ARTICLE_STEPS),
        "images": float(ARTICLE_IMAGES),
        "seconds": ref.fit_seconds / ref.epochs,
    }[axis]
    fields = ("gap",) if measure == "gap" else (measure, f"val_{measure}")
    lines = []
    for split, field in zip(get_args(analysis.Split), fields, strict=False):
        known = [(point.epoch * each, _value(point, field)) for point in ref.points]
        apart = [pair for x, y in known if y is not None for pair in ((x, y), (x, np.nan))]
        if apart:
            x, y = np.array(apart, dtype=np.float64).T
            lines.append(Line(published_name(ref), split, x, y))
    return lines


def _value(point: Point, field: str) -> float | None:
    if field == "gap":
        return point.accuracy - point.val_accuracy
    value: float | None = getattr(point, field)
    return value


def published_name(ref: Reference) -> str:
    """How a published run is called beside measured ones."""
    return f"Published: {ref.title}"


# --- learnt by heart ------------------------------------------------------------------------


def learnt_by_heart(cards: Sequence[RunCard], names: Sequence[str]) -> None:
    """One run's gap between training and validation accuracy, drawn and in words."""
    measured = {card.run_id: (card, name) for card, name in zip(cards, names, strict=True)}
    measured = {run_id: found for run_id, found in measured.items() if found[0].epochs}
    refs = {ref.key: ref for ref in REFERENCES.values()}
    options = [*sorted(measured, key=lambda run_id: -_gap(measured[run_id][0])), *refs]
    st.subheader("Learnt, or learnt by heart?", anchor=False)
    if not measured:
        what = "Choose a run that has finished an epoch" if cards else "Train or choose a run"
        st.write(
            f"{what}: its accuracy in training is drawn here against that in validation. "
            f"{tables.plain(_example())}"
        )
        return
    chosen = st.selectbox(
        "Run",
        options=options,
        format_func=lambda key: published_name(refs[key]) if key in refs else measured[key][1],
        key="compare.gap",
        label_visibility="collapsed",
        width=480,
    )
    if chosen in refs:
        ref = refs[chosen]
        rows = [(p.epoch, p.accuracy, p.val_accuracy) for p in ref.points]
        between = "; what lies between was not" if len(rows) > 1 else ", of this epoch alone"
        _gap_chart(rows, charts.REFERENCE, f"As published{between}.")
    else:
        card = measured[chosen][0]
        rows = [(row.epoch, row.accuracy, row.val_accuracy) for row in card.epochs]
        _gap_chart(rows, palette().of_run(card), analysis.past_its_best(card))


def _example() -> str:
    """The article's own."""
    ref = REFERENCES["article-gpu-50"]
    last = ref.points[-1]
    said = analysis.by_heart(last.accuracy, last.val_accuracy)
    return f"The article's run after {ref.epochs} epochs: {said}."


def _gap(card: RunCard) -> float:
    gap = card.epochs[-1].accuracy - card.epochs[-1].val_accuracy
    return gap if np.isfinite(gap) else -1.0


def _gap_chart(rows: Sequence[tuple[int, float, float]], colour: str, more: str) -> None:
    said = analysis.by_heart(*rows[-1][1:])
    text = f"After epoch {rows[-1][0]}: {said}."
    st.markdown(f"**{tables.plain(text)}** {tables.plain(more)}")
    if len(rows) < 2:
        return  # of one epoch the sentence says all
    frame = pd.DataFrame(rows, columns=["epoch", "accuracy", "val_accuracy"])
    st.vega_lite_chart(
        charts.packed(frame),
        inked(charts.gap_spec(colour)),
        key="compare-gap-chart",
        alt=charts.alt_text("gap"),
        **charts.KEEP_ZOOM,
    )
