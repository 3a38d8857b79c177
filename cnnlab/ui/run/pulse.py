"""The network in small beside a run's name: light goes through it at the end of each epoch."""

from __future__ import annotations

from functools import lru_cache

import streamlit as st

from cnnlab.models import layer_table
from cnnlab.spec import ModelSpec
from cnnlab.ui import network
from cnnlab.ui.run.state import RunState


def show(state: RunState) -> None:
    """Draw it; a browser lights it anew where the number of epochs is another one."""
    card = state.card
    if card.status.over or card.dataset is None:
        return
    done = len(card.epochs)
    lit = " lit" if done else ""
    blocks = _blocks(card.spec.model, card.dataset.image_shape, card.dataset.classes)
    st.html(f'<div class="pulse{lit}" data-epoch="{done}">{blocks}</div>', width="content")


@lru_cache(maxsize=16)
def _blocks(model: ModelSpec, shape: tuple[int, ...], classes: int) -> str:
    """A bar for each layer that has a block in the drawing, as high and in the same colour."""
    drawn = network.frame(layer_table(model, shape, classes))
    return "".join(
        f'<i style="--place:{place};height:{100 * top:.0f}%;background:{network.COLOURS[group]}">'
        "</i>"
        for place, (top, group) in enumerate(zip(drawn["top"], drawn["group"], strict=True))
    )
