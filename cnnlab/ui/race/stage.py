"""The track on a page: a lane across it for each runner, with its clock and what it came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from cnnlab import words
from cnnlab.race import track
from cnnlab.race.track import Runner


@dataclass(frozen=True)
class Entry:
    """A lane as it is drawn."""

    runner: Runner
    device: str
    colour: str
    things: str
    """What it counts: pictures or sequences."""
    facts: tuple[str, ...] = ()
    """What stands beneath, a few words each."""
    without_clock: str = "waits"
    """A word in the place of the clock of who has not come anywhere."""


@dataclass(frozen=True)
class Moment:
    """When the lanes are drawn, by their common clock."""

    seconds: float
    since_seconds: float = 0.0
    """How far the clock has gone since they were drawn before."""
    glide_seconds: float = 0.0
    """In which the runners glide from where they were then."""


def show(entries: Sequence[Entry], length: float, moment: Moment) -> None:
    """Draw all lanes; `length` is in pictures, from the start to the end of the track."""
    rows = "".join(_lane(entry, length, moment) for entry in entries)
    st.html(f'<ol class="lanes">{rows}</ol>')


def _lane(entry: Entry, length: float, moment: Moment) -> str:
    runner, seconds = entry.runner, moment.seconds
    now = min(runner.at(seconds) / length, 1.0)
    was = min(runner.at(max(seconds - moment.since_seconds, 0.0)) / length, now)
    glide = f"--was:{was:.4f};--now:{now:.4f};--glide:{moment.glide_seconds:g}s"
    style = f"{glide};--ink:{entry.colour}"
    done = f"{words.count(round(runner.at(seconds)))} {entry.things}"
    facts = " · ".join(map(escape, (*((done,) if runner.trail else ()), *entry.facts)))
    return (
        f'<li class="lane lane-{runner.part}" style="{style}">'
        f'<div class="lane-who"><b>{escape(runner.title)}</b><span>{escape(entry.device)}</span>'
        f"</div>{_clock(entry, seconds)}"
        f'<div class="lane-track"><i></i></div><div class="lane-facts">{facts}</div></li>'
    )


def _clock(entry: Entry, seconds: float) -> str:
    runner = entry.runner
    shown = words.duration(runner.clock(seconds)) if runner.trail else entry.without_clock
    return f'<div class="lane-clock">{escape(shown)}</div>'


def gap_of(entries: Sequence[Entry], seconds: float) -> tuple[str, str] | None:
    """How far the first is ahead, as a figure and what it is of."""
    found = track.gap([entry.runner for entry in entries], seconds)
    if found is None:
        return None
    ahead = words.count(round(found.pictures))
    return ahead, f"{entries[0].things} ahead: {found.title}"
