"""What pages say of runs, in words and rows: status, device, network, result, the table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from cnnlab import words
from cnnlab.analysis import DeviceKind, device_kind, flatten, history_frame, names_with_legs
from cnnlab.devices import OFF_SWITCHES
from cnnlab.history import RunSummary
from cnnlab.spec import RunCard, Status, label, network_name

# A sign and a word, so that no status is told by colour alone. The first is for tables, which show
# plain text; the second is Streamlit's icon.
SIGNS: dict[Status, tuple[str, str]] = {
    Status.QUEUED: ("…", ":material/hourglass_empty:"),
    Status.RUNNING: ("▶", ":material/play_circle:"),
    Status.FINISHED: ("✓", ":material/check_circle:"),
    Status.STOPPED: ("■", ":material/stop_circle:"),
    Status.FAILED: ("✕", ":material/error:"),
    Status.INTERRUPTED: ("⚡", ":material/power_off:"),
}
KINDS = {"cpu": "CPU", "accelerator": "Accelerator"}


def status_text(status: Status) -> str:
    """Sign and word, for a cell: "✓ finished"."""
    return f"{SIGNS[status][0]} {status}"


# --- in words -------------------------------------------------------------------------------


def kind_of(run: RunCard | RunSummary) -> DeviceKind:
    """What a run trains on; before its device is known, what was asked for."""
    return device_kind(run.device.used if run.device else run.spec.device)


def plain(text: str) -> str:
    """Somebody's text, so that Markdown takes no sign in it for its own."""
    return re.sub(r"([\\`*_{}\[\]<>#$~:|])", r"\\\1", text)


def device_text(used: str, name: str | None) -> str:
    """Kind and name of a device: "CPU: AMD EPYC"."""
    kind = "Automatic" if used == "auto" else KINDS[device_kind(used)]
    return f"{kind}: {name}" if name else kind


def asked_and_used(card: RunCard) -> str:
    """Which device was asked for, and which was used."""
    way = OFF_SWITCHES.get(card.spec.gpu_off)
    off = f", GPU switched off: {way.title[0].lower()}{way.title[1:]}" if way else ""
    asked = {"auto": "any device", "cpu": "the CPU"}.get(card.spec.device, card.spec.device)
    if card.device is None:
        return f"Asked for {asked}{off}; none was used" + ("" if card.status.over else " yet")
    used = "the CPU" if card.device.used == "cpu" else card.device.used
    there = f", on {card.machine.name}" if card.machine else ""
    return f"Asked for {asked}{off}; used {used}, {card.device.name}{there}"


def outcome(card: RunCard) -> str:
    """How a run that is over went, in one sentence."""
    began = {Status.FINISHED: "Finished", Status.STOPPED: "Stopped", Status.FAILED: "Failed"}
    words_ = began.get(card.status, "Interrupted")
    there = f" ({card.machine.name})" if card.machine else ""
    where = f" on {card.device.name}{there}" if card.device else ""
    if not card.epochs:
        lost = "" if card.status is Status.FINISHED else ", so there is nothing to resume"
        return f"{words_}{where} before its first epoch ended{lost}."
    fit = card.timing.fit_seconds
    lasted = f" {'in' if card.status is Status.FINISHED else 'after'} {words.duration(fit)}"
    count, last = len(card.epochs), card.epochs[-1]
    result = (
        f"{words_}{lasted if fit is not None else ''}{where}: validation accuracy "
        f"{words.percent(last.val_accuracy)} after {count} {'epoch' if count == 1 else 'epochs'}"
    )
    if card.test:
        result += f", {words.percent(card.test.accuracy)} on the test set"
    pace = card.timing.step_ms_median
    return f"{result}, median step {words.number(pace)} ms." if pace is not None else f"{result}."


def disturbed(card: RunCard) -> str:
    """What disturbed a run's times, as sentences: what went on beside it, where it was resumed."""
    return " ".join(card.marks)


def diverged(card: RunCard) -> bool:
    """Whether the loss is no number any more, so that nothing is learnt from here on."""
    return bool(card.epochs) and not isfinite(card.epochs[-1].loss)


def about(seconds: float) -> str:
    """A guess at a duration, no finer than a guess is: "4 min 20 s", "1 h 12 min"."""
    step = 1 if seconds < 60 else 10 if seconds < 600 else 60
    return words.duration(max(1, round(seconds / step) * step))


# --- the history's table --------------------------------------------------------------------

COLUMNS = (
    "colour",
    "status",
    # Before the name, which is long: on a phone no more than these fit.
    "best_val_accuracy",
    "curve",
    "name",
    "epochs_done",
    "batch_size",
    "engine",
    "device",
    "machine",
    "fit_seconds",
    "step_ms_median",
    "disturbed",
    # Those above fit a small laptop; the table's own menu shows the others.
    "network",
    "dataset",
    "images_per_second",
    "last_val_accuracy",
    "test_accuracy",
    "parameters",
    "created_at",
    "session",
    "note",
    "origin",
)
HIDDEN = frozenset(COLUMNS[COLUMNS.index("network") :]) - {"dataset", "session", "origin"}
"""Columns that are there, and shown when they are asked for."""


def runs_table(runs: Sequence[RunSummary], timezone: str | None) -> pd.DataFrame:
    """The history's rows as a page shows them, indexed by run id, but for colour and curve.

    Args:
        timezone: the browser's, for the times of creation; None: UTC.
    """
    frame = history_frame(runs)
    frame["kind"] = [KINDS[device_kind(used)] for used in frame["device"]]
    frame["device"] = [
        device_text(used, name if isinstance(name, str) else None)
        for used, name in zip(frame["device"], frame["device_name"], strict=True)
    ]
    frame["machine"] = [run.machine.name if run.machine else None for run in runs]
    frame["network"] = [network_name(run.spec.model) for run in runs]
    frame["disturbed"] = ["≈" if _disturbed(run) else "" for run in runs]
    frame["state"] = frame["status"]
    frame["status"] = [status_text(run.status) for run in runs]
    frame["created_at"] = frame["created_at"].dt.tz_convert(timezone or "UTC").dt.tz_localize(None)
    accuracies = ("best_val_accuracy", "last_val_accuracy", "test_accuracy")
    for name in (*accuracies, "fit_seconds", "step_ms_median", "images_per_second"):
        frame[name] = [three_digits(value) for value in frame[name]]
    return frame.set_index("run_id")


def _disturbed(run: RunSummary) -> bool:
    """Whether something took the time of a run, or it was trained in parts."""
    seen = run.disturbances is not None and bool(run.disturbances.marks)
    return seen or bool(run.timing.resumed_after)


def three_digits(value: float) -> float:
    """A figure to three significant digits, still a number, so that a table can sort it."""
    return float(f"{value:.3g}")


def chosen(
    frame: pd.DataFrame, text: str, states: Sequence[str], kinds: Sequence[str]
) -> pd.DataFrame:
    """The rows of `runs_table` that hold every word of `text`, as an id or in a field, and are of
    the states and kinds.

    An empty choice leaves all in.
    """
    keep = pd.Series(True, index=frame.index)
    if states:
        keep &= frame["state"].isin(states)
    if kinds:
        keep &= frame["kind"].isin(kinds)
    if text.strip() and not frame.empty:
        fields = ["name", "device", "network", "dataset", "session", "note", "state"]
        whole = (frame[fields].agg(" ".join, axis=1) + " " + frame.index).str.casefold()
        for word in text.casefold().split():
            keep &= whole.str.contains(word, regex=False)
    return frame[keep]


def column_config() -> dict[str, ColumnConfig]:
    """Headings, units and number formats of `COLUMNS`."""
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    return {
        "colour": st.column_config.ImageColumn("", width=36),
        "status": text("Status", width="small"),
        "curve": st.column_config.LineChartColumn(
            "Learning",
            width="small",
            y_min=0,
            y_max=1,
            help="Validation accuracy by epoch.",
        ),
        "name": text("Name"),
        "epochs_done": number("Epochs", width=64),
        "batch_size": number("Batch", width=64),
        "engine": text("Engine", width=64),
        "disturbed": text(
            "≈", width=36, help="≈: something took its time, or it was trained in parts."
        ),
        "device": text("Machine"),
        "machine": text("Where", help="The machine that trained it; empty: the lab's own."),
        "network": text("Network"),
        "dataset": text("Data set"),
        "parameters": number("Parameters", format="localized", width="small"),
        "fit_seconds": number("Training (s)", format="localized", width="small"),
        "step_ms_median": number("Step (ms)", format="localized", width="small"),
        "images_per_second": number("Images/s", format="localized", width="small"),
        "best_val_accuracy": number(
            "Best val.", format="percent", width="small", help="Best validation accuracy."
        ),
        "last_val_accuracy": number(
            "Last val.",
            format="percent",
            width="small",
            help="Validation accuracy of the last epoch.",
        ),
        "test_accuracy": number(
            "Test",
            format="percent",
            width="small",
            help="Accuracy on the test set, where the data have one.",
        ),
        "created_at": st.column_config.DatetimeColumn("Created", format="D MMM YYYY, HH:mm"),
        "session": text("Session", width="small"),
        "note": text("Note"),
        "origin": text("Origin", help="Where a run comes from that was not measured here."),
    }


# --- fields and facts -----------------------------------------------------------------------


def facts_table(facts: Mapping[str, Any]) -> pd.DataFrame:
    """Plain data as two columns of text, field and value, each under its name in plain words."""
    rows = [(_plainly(name), words.value(value)) for name, value in flatten(facts).items()]
    return pd.DataFrame(rows, columns=["Field", "Value"])


def _plainly(name: str) -> str:
    """What a field or fact is called; one without a name of its own, in its own words."""
    known = label(name)
    if known != name:
        return known
    spaced = name.replace(".", ", ").replace("_", " ")
    return spaced[:1].upper() + spaced[1:]


DEVICES = frozenset({"CPU", "GPU", "any device"})
"""Parts of a name that are left out first."""
LONGEST_LABEL = 36
"""Of a run among others: a legend, a heading and a sentence hold it."""


def labels(cards: Sequence[RunCard]) -> list[str]:
    """A short name for each run, no two alike: what of its name the others do not share.

    Where that is the same for several, their kind of device stands before it, or their seed, or the
    end of an id.
    """
    short = _what_differs(names_with_legs(cards))
    ends = _ends([card.run_id for card in cards])
    ways = (
        short,
        [f"{KINDS[kind_of(card)]} · {name}" for card, name in zip(cards, short, strict=True)],
        [f"seed {card.spec.seed:,} · {name}" for card, name in zip(cards, short, strict=True)],
        by_id := [f"{end} · {name}" for end, name in zip(ends, short, strict=True)],
    )
    often = [Counter(way) for way in ways]
    found = [
        next((way[i] for way, count in zip(ways, often, strict=True) if count[way[i]] == 1), own)
        for i, own in enumerate(by_id)
    ]
    return found if len(set(found)) == len(found) else by_id


def _what_differs(names: Sequence[str]) -> list[str]:
    """Names such as "Tiny · batch 64 · CPU" without the parts that all of them have."""
    parts = [name.split(" · ") for name in names]
    common = set.intersection(*map(set, parts)) if len(parts) > 1 else set()
    short = [[part for part in each if part not in common] or each[:1] for each in parts]
    bare = [[part for part in each if part not in DEVICES] for each in short]
    often = Counter(map(tuple, bare))
    found = [
        without if without and often[tuple(without)] == 1 else _with_a_subject(own, each)
        for without, own, each in zip(bare, short, parts, strict=True)
    ]
    shared = Counter(part for name in found for part in name)
    return [_telling(name, shared) for name in found]


def _telling(parts: list[str], shared: Mapping[str, int]) -> str:
    """A name; one that is too long without what most others have too. Its subject stays."""
    kept = list(parts)
    while len(name := " · ".join(kept)) > LONGEST_LABEL and len(kept) > 2:
        kept.remove(max(kept[1:], key=lambda part: (shared[part], len(part))))
    return name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1].rstrip(' ·')}…"


def _with_a_subject(short: list[str], whole: list[str]) -> list[str]:
    """A device alone says nothing of a run: its recipe stands before it."""
    return [whole[0], *short] if set(short) <= DEVICES and whole[0] not in short else short


def apart(names: Mapping[str, str]) -> dict[str, str]:
    """What is offered by name, under its id; the end of that stands beside a name of several."""
    often, ends = Counter(names.values()), _ends(list(names))
    return {
        key: name if often[name] == 1 else f"{name} · {end}"
        for (key, name), end in zip(names.items(), ends, strict=True)
    }


def _ends(ids: Sequence[str]) -> list[str]:
    """The last signs of ids, as few as tell them apart."""
    for length in range(4, max(map(len, ids), default=0)):
        if len({run_id[-length:] for run_id in ids}) == len(ids):
            return [run_id[-length:] for run_id in ids]
    return list(ids)
