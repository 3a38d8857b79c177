"""What a report tells of one or several runs, before it is laid out as a page or as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import pandas as pd

from cnnlab import analysis, charts, learned, words
from cnnlab.published import REFERENCES, Reference
from cnnlab.spec import PRESETS, RunCard, label

KINDS: dict[analysis.DeviceKind, str] = {"cpu": "CPU", "accelerator": "GPU"}
DIGITS = 6  # after the point: finer than a chart shows, and a third of the bytes of all digits
AXES: dict[analysis.Axis, str] = {"epoch": "epochs", "seconds": "wall time"}


@dataclass(frozen=True)
class Table:
    """Headings and rows of text; the first column names the row."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Chart:
    """A Vega-Lite spec with its data, and the same in words."""

    key: str
    title: str
    alt: str
    spec: charts.Spec


@dataclass(frozen=True)
class Part:
    """One run."""

    label: str
    outcome: str
    origin: str | None
    note: str
    disturbances: tuple[str, ...]
    spec: Table
    facts: Table
    epochs: Table


@dataclass(frozen=True)
class Story:
    """A report: the sentences first, then the figures behind them."""

    title: str
    verdicts: tuple[str, ...]
    results: Table
    charts: tuple[Chart, ...]
    ledger: Table
    differences: Table | None
    """Null for a single run."""
    published: Table | None
    """Null where no run has the network of the published experiment."""
    parts: tuple[Part, ...]


def tell(cards: Sequence[RunCard], origins: Mapping[str, str] | None = None) -> Story:
    """Gather a report.

    Args:
        cards: one or more runs, steps included, in the order in which they are to stand.
        origins: by run id, where imported runs come from.
    """
    names = labels(cards)
    known = origins or {}
    article = PRESETS["article"].spec.model
    return Story(
        title=names[0] if len(cards) == 1 else _title(cards),
        verdicts=verdicts(cards),
        results=_results(cards, names),
        charts=tuple(_charts(cards, names)),
        ledger=_ledger(cards, names),
        differences=_differences(cards, names) if len(cards) > 1 else None,
        published=_published() if any(card.spec.model == article for card in cards) else None,
        parts=tuple(
            _part(card, name, known.get(card.run_id))
            for card, name in zip(cards, names, strict=True)
        ),
    )


def _title(cards: Sequence[RunCard]) -> str:
    """What a report of several runs is called: the race is told here alone."""
    race = analysis.race_of(cards)
    return f"{race}: {len(cards)} legs compared" if race else f"{len(cards)} runs compared"


def labels(cards: Sequence[RunCard]) -> list[str]:
    """A name for each run: its own, or its place in its race; after its id where several share it,
    so that no legend cuts off what tells them apart."""
    names = analysis.names_with_legs(cards)
    often, pairs = Counter(names), zip(cards, names, strict=True)
    return [name if often[name] == 1 else f"{card.run_id} · {name}" for card, name in pairs]


def kind_of(card: RunCard) -> analysis.DeviceKind:
    """What a run trains on; before its device is known, what was asked for."""
    return analysis.device_kind(card.device.used if card.device else card.spec.device)


def verdicts(cards: Sequence[RunCard]) -> tuple[str, ...]:
    """How a single run went; of several, each against the first."""
    if len(cards) == 1:
        return (outcome(cards[0]),)
    return tuple(analysis.verdicts(cards, labels(cards), learned.paired))


def outcome(card: RunCard) -> str:
    """How a run went, in a sentence."""
    where = f" on {card.device.name}" if card.device else ""
    if card.error:
        return f"{card.status.capitalize()}{where}: {card.error}"
    if not card.epochs:
        return f"{card.status.capitalize()}{where} before its first epoch ended."
    count, last = len(card.epochs), card.epochs[-1]
    tested = f", {words.percent(card.test.accuracy)} on the test set" if card.test else ""
    return (
        f"{card.status.capitalize()}{where}: validation accuracy "
        f"{words.percent(last.val_accuracy)} after {count} {'epoch' if count == 1 else 'epochs'}"
        f"{_lasted(card.timing.fit_seconds)}{tested}."
    )


def _lasted(fit_seconds: float | None) -> str:
    """Empty where it is not known: of a run that was resumed."""
    return "" if fit_seconds is None else f" in {words.duration(fit_seconds)}"


# --- tables ---------------------------------------------------------------------------------


def _results(cards: Sequence[RunCard], names: Sequence[str]) -> Table:
    head = ("Run", "Device", "Status", "Parameters", "Epochs", "Whole fit", "Step (ms)")
    figures = ("Images/s", "Best val. accuracy", "Last val. accuracy", "Last val. loss")
    rows = [(name, *_result(card)) for card, name in zip(cards, names, strict=True)]
    return Table((*head, *figures, "Test accuracy"), tuple(rows))


def _result(card: RunCard) -> tuple[str, ...]:
    timing, last = card.timing, card.epochs[-1] if card.epochs else None
    known = [row.val_accuracy for row in card.epochs if isfinite(row.val_accuracy)]
    return (
        f"{KINDS[kind_of(card)]}: {card.device.name if card.device else words.UNKNOWN}",
        str(card.status),
        words.count(card.model.parameters if card.model else None),
        words.of_all(len(card.epochs), card.spec.epochs),
        words.duration(timing.fit_seconds),
        words.number(timing.step_ms_median),
        words.number(timing.images_per_second),
        words.percent(max(known, default=None)),
        words.percent(last.val_accuracy if last else None),
        words.number(last.val_loss if last else None, 4),
        words.percent(card.test.accuracy if card.test else None),
    )


def _ledger(cards: Sequence[RunCard], names: Sequence[str]) -> Table:
    rows = [
        (phase, *(words.duration(getattr(card.timing, field)) for card in cards))
        for phase, field in {**analysis.phases_of(cards), "whole run": "total_seconds"}.items()
    ]
    return Table(("Phase", *names), tuple(rows))


def _differences(cards: Sequence[RunCard], names: Sequence[str]) -> Table:
    frame = analysis.differences(cards)
    columns = (frame.iloc[:, place] for place in range(len(cards)))
    rows = zip(map(label, frame.index), *columns, strict=True)
    return Table(("Field", *names), tuple(tuple(map(str, row)) for row in rows))


def _published() -> Table:
    head = ("Run", "Device", "Software", "Whole run", "Epoch", "Step", "Last accuracy / val.")
    return Table(head, tuple(_reference(reference) for reference in REFERENCES.values()))


def _reference(reference: Reference) -> tuple[str, ...]:
    last = reference.points[-1]
    return (
        reference.title,
        reference.device,
        reference.software,
        words.duration(reference.fit_seconds),
        f"{_span(reference.epoch_seconds)} s",
        f"{_span(reference.step_ms)} ms",
        f"{words.percent(last.accuracy)} / {words.percent(last.val_accuracy)}",
    )


def _span(ends: tuple[float, float]) -> str:
    return "–".join(dict.fromkeys(map(words.number, ends)))


def _part(card: RunCard, name: str, origin: str | None) -> Part:
    facts: dict[str, Any] = {"run_id": card.run_id, "created_at": card.created_at}
    for field in ("model", "dataset", "device", "timing", "memory", "energy"):
        record = getattr(card, field)
        if record:
            facts |= analysis.facts_of(record, field)
    facts |= analysis.flatten(card.environment, "environment")
    return Part(
        label=name,
        outcome=outcome(card),
        origin=origin,
        note=card.note,
        disturbances=card.marks,
        spec=_fields(analysis.flatten(card.spec.model_dump(mode="json")).items()),
        facts=_fields(facts.items()),
        epochs=_epochs(card),
    )


def _fields(items: Iterable[tuple[str, Any]]) -> Table:
    return Table(("Field", "Value"), tuple((name, _value(value)) for name, value in items))


def _value(value: Any) -> str:
    return words.number(value, 4) if isinstance(value, float) else words.value(value)


def _epochs(card: RunCard) -> Table:
    head = ("Epoch", "Loss", "Accuracy", "Val. loss", "Val. accuracy", "Seconds", "Step (ms)")
    rows = [
        (
            str(row.epoch),
            words.number(row.loss, 4),
            words.percent(row.accuracy),
            words.number(row.val_loss, 4),
            words.percent(row.val_accuracy),
            words.number(row.seconds),
            words.number(row.step_ms_mean),
        )
        for row in card.epochs
    ]
    return Table(head, tuple(rows))


# --- charts ---------------------------------------------------------------------------------


def _charts(cards: Sequence[RunCard], names: Sequence[str]) -> Iterable[Chart]:
    shown = {name: card for name, card in zip(names, cards, strict=True) if card.epochs}
    if len(shown) == 1:
        yield from _of_one(*shown.values())
    elif shown:
        yield from _of_many(shown)
    # Labels stand in for ids, which say nothing to a reader.
    readable = [card.model_copy(update={"run_id": n}) for card, n in zip(cards, names, strict=True)]
    ledger = analysis.ledger(readable)
    if len(ledger):
        spec = charts.ledger_spec(tuple(names), tuple(analysis.phases_of(readable)))
        yield _chart("ledger", "Where the time went", spec, ledger)


def _of_one(card: RunCard) -> Iterable[Chart]:
    series, colour = analysis.Series.of(card.steps), charts.IDENTITIES["light"][0]
    frame = _curves(card, "epoch")
    for metric in analysis.METRICS:
        spec = charts.curve_spec(metric, "epoch", colour)
        yield _chart(metric, metric.capitalize(), spec, analysis.only(frame, metric))
    if len(series):
        spec, times = charts.step_times_spec(colour), analysis.step_times(series)
        yield _chart("step_times", "Time of each step", spec, times)


def _of_many(shown: Mapping[str, RunCard]) -> Iterable[Chart]:
    by_age = sorted(shown, key=lambda name: shown[name].created_at)
    colours = charts.run_colours(by_age)
    runs = tuple((name, colours[name]) for name in shown)
    for axis, against in AXES.items():
        frames = {name: _curves(card, axis) for name, card in shown.items()}
        for metric in analysis.METRICS:
            whole = analysis.overlay({n: analysis.only(f, metric) for n, f in frames.items()})
            spec = charts.overlay_spec(metric, axis, runs)
            title = f"{metric.capitalize()} over {against}"
            yield _chart(f"overlay_{metric}", title, spec, whole, f"{metric}-{axis}")


def _curves(card: RunCard, axis: analysis.Axis) -> pd.DataFrame:
    images = card.dataset.train_images if card.dataset else 0
    # Without its data set's facts a run is drawn from its epochs alone.
    series = analysis.Series.of(card.steps if images else type(card.steps)())
    steps_per_epoch = -(-images // card.spec.batch_size) or 1
    return analysis.curves(series, card.epochs, steps_per_epoch, axis)


def _chart(
    alt: str, title: str, spec: charts.Spec, frame: pd.DataFrame, key: str | None = None
) -> Chart:
    short = frame.copy()
    for name in frame.select_dtypes("floating"):
        short[name] = frame[name].astype("float64").round(DIGITS)
    whole = charts.with_data(spec, short)
    return Chart(key or alt.replace("_", "-"), title, charts.alt_text(alt), whole)
