"""Learn: five questions, each answered by runs on this machine."""

import streamlit as st

from cnnlab.ui import top
from cnnlab.ui.learn import view

top.require_app()

left, right = st.columns([1, 3], gap="large")
with left:
    chosen = view.choose()
with right:
    trained = view.show(chosen)
with left:
    view.answered()
if trained:
    view.watch(trained)
