"""Which sweep a reader looks at: the address keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

import streamlit as st

SWEEP = "sweep"


class Titled(Protocol):
    """What has a title to be chosen by."""

    @property
    def title(self) -> str: ...


Known = TypeVar("Known", bound=Titled)


def choose(known: Mapping[str, Known]) -> Known:
    """Let the reader choose of some sweeps, by id; at first the one that the address names."""
    linked, names = st.query_params.get(SWEEP, ""), list(known)
    place = names.index(linked) if linked in names else 0
    # Not bound by a key alone: a sweep that was just started is chosen by its address.
    found = st.selectbox(
        "Sweep",
        names,
        index=place,
        format_func=lambda key: f"{known[key].title} ({key})",
    )
    st.query_params[SWEEP] = found
    return known[found]
