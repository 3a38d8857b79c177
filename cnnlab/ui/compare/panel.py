"""The list of the runs that are compared, which is the legend of all charts beside it.

What is hidden and what the others are held against stand in the address, beside the runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from cnnlab import analysis, words
from cnnlab.spec import RunCard, changed_in_words
from cnnlab.ui import lab, rights, standing, tables
from cnnlab.ui.colours import mark, palette
from cnnlab.ui.compare import choice

BASE, HIDE = choice.BASE, choice.HIDE
MOST_ROWS = 20


def baseline_first(cards: Sequence[RunCard]) -> list[RunCard]:
    """The runs, the one that the others are held against before them: by default the first."""
    asked = st.query_params.get(BASE, "")
    return sorted(cards, key=lambda card: card.run_id != asked)


def hidden() -> set[str]:
    """Ids of the runs that the charts leave out."""
    return {part for part in st.query_params.get(HIDE, "").split(",") if part}


def show(cards: Sequence[RunCard], names: Sequence[str]) -> None:
    """A row for each run: eye, colour, name, what differs, and what it can be made.

    Args:
        cards: the baseline first.
    """
    colours = palette().of_runs(cards)
    race = analysis.race_of(cards)
    if race:
        st.caption(f"Legs of the race “{tables.plain(race)}”")
    with st.container(key="compare-runs", gap="xsmall"):
        for card, name in list(zip(cards, names, strict=True))[:MOST_ROWS]:
            with st.container(key=f"compare-run-{card.run_id}", gap=None):
                _row(card, name, colours[card.run_id], own=card is cards[0])
                st.caption(tables.plain(_placed(card, name, cards) if race else _said(card, cards)))
        if len(cards) > MOST_ROWS:
            left = words.count(len(cards) - MOST_ROWS)
            st.caption(f"And {left} more, which are drawn as well.")


def _row(card: RunCard, name: str, colour: str, *, own: bool) -> None:
    run_id = card.run_id
    seen = run_id not in hidden()
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False):
        _deed(
            f"{'Hide' if seen else 'Show'} {name}",
            "visibility" if seen else "visibility_off",
            f"eye-{run_id}",
            _toggle,
            run_id,
        )
        mark(colour, faint=not seen)
        _name(card)
        _deed(
            "The baseline" if own else f"Hold the others against {name}",
            "flag",
            f"base-{run_id}",
            _hold_against,
            run_id,
            disabled=own,
        )
        _deed(f"Take {name} away", "close", f"away-{run_id}", _take_away, run_id)


def _deed(
    label: str,
    icon: str,
    key: str,
    action: Callable[[str], None],
    run_id: str,
    *,
    disabled: bool = False,
) -> None:
    """A button that shows its icon; its label is heard, and seen beside the pointer."""
    st.button(
        tables.plain(label),
        icon=f":material/{icon}:",
        key=f"compare.{key}",
        help=tables.plain(label),
        type="tertiary",
        on_click=action,
        args=(run_id,),
        disabled=disabled,
    )


def _name(card: RunCard) -> None:
    """The run's name, to be written over in place."""
    name = f"compare.name-{card.run_id}"
    st.text_input(
        "Name of the run",
        value=card.name,
        # Another one where another browser named it, or the name was refused.
        key=standing.key_at(name, card.name),
        max_chars=120,
        label_visibility="collapsed",
        on_change=_rename,
        args=(card, name),
        **rights.limits(),
    )


def _placed(card: RunCard, name: str, cards: Sequence[RunCard]) -> str:
    """Which leg a run is: the field above it is too narrow for the end of its whole name."""
    return f"Baseline · {name}" if card is cards[0] else name


def _said(card: RunCard, cards: Sequence[RunCard]) -> str:
    """What differs from the baseline, in a few words; of the baseline, from any of the others."""
    first = cards[0]
    if card is not first:
        return " · ".join(_differing(card, first)) or "the same recipe"
    others = [word for other in cards[1:MOST_ROWS] for word in _differing(first, other)]
    return " · ".join(["Baseline", *dict.fromkeys(others)] if len(cards) > 1 else [])


def _differing(card: RunCard, other: RunCard) -> list[str]:
    name = card.spec.dataset
    data = [lab.dataset_labels().get(name, name)] if name != other.spec.dataset else []
    used = {each.device.name for each in (card, other) if each.device}
    machine = [card.device.name] if card.device and len(used) > 1 else []
    asked = card.spec.model_copy(update={"device": other.spec.device})  # what was used is said
    return [*data, *changed_in_words(asked, other.spec), *machine]


# --- what a row does ------------------------------------------------------------------------


def _toggle(run_id: str) -> None:
    left = hidden() ^ {run_id}
    if left:
        st.query_params[HIDE] = ",".join(sorted(left))
    else:
        st.query_params.pop(HIDE, None)


def _hold_against(run_id: str) -> None:
    st.query_params[BASE] = run_id


def _take_away(run_id: str) -> None:
    choice.put([other for other in choice.asked() if not run_id.startswith(other)])


def _rename(card: RunCard, name: str) -> None:
    if (written := standing.chosen(name)) is not None:
        rights.attempt(lab.describe, card.run_id, written, card.note)
