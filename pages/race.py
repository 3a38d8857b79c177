"""Race: one spec on the CPU and on the accelerator, one after the other, and who is faster."""

import streamlit as st

from cnnlab.ui import race_view, top

top.require_app()

st.title("Race", anchor=False)
if run_ids := race_view.in_the_link():
    race_view.show(run_ids)
else:
    race_view.offer()
