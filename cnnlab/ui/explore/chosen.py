"""Which sweep a reader looks at, which the address keeps, and where a new one is filled in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cnnlab.room import Place
from cnnlab.ui import tables

SWEEP, AGAINST = "sweep", "against"
"""In the address: the sweep that is looked at, and the one that is laid beside it."""


class Titled(Protocol):
    """What has a title to be chosen by."""

    @property
    def title(self) -> str: ...


Known = TypeVar("Known", bound=Titled)


def place(*sweep_ids: str) -> Place:
    """Where a sweep is looked at, or two beside each other."""
    return Place.of("explore", dict(zip((SWEEP, AGAINST), sweep_ids, strict=False)))


def choose(known: Mapping[str, Known], row: DeltaGenerator) -> Known:
    """Let the reader choose of some sweeps, by id; at first the one that the address names.

    Args:
        row: where the choice is to stand.
    """
    linked, names = st.query_params.get(SWEEP, ""), list(known)
    place = names.index(linked) if linked in names else 0
    labels = tables.apart({key: one.title for key, one in known.items()})
    # Not bound by a key alone: a sweep that was just started is chosen by its address.
    found = row.selectbox(
        "Sweep",
        names,
        index=place,
        format_func=labels.__getitem__,
        label_visibility="collapsed",
        width=520,
    )
    st.query_params[SWEEP] = found
    return known[found]


def new_sweep(label: str, *, folded: bool) -> DeltaGenerator:
    """Where a new sweep is filled in: in sight until there is one to be looked at."""
    if folded:
        return st.expander(label, icon=":material/add:")
    return st.container(border=True)
