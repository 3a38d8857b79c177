"""Inspect: what a network learned, of one run or of two side by side."""

import streamlit as st

from cnnlab.ui import top
from cnnlab.ui.inspect import choice
from cnnlab.ui.inspect import view as inspect_view
from cnnlab.ui.lab import history

top.require_app()

runs = history().summaries(cells=False, limit=choice.MOST_LOOKED_AT)
left, right = st.columns([3, 2], gap="large")
with left:
    chosen = choice.choose(runs)
looked_into = choice.subjects(chosen)
if looked_into:
    with right:
        epoch = choice.epoch(looked_into)
        part = choice.part(looked_into)
    inspect_view.show(looked_into, epoch, part)
elif not chosen:
    inspect_view.empty(runs)
