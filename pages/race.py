"""Race: one spec on the CPU and on the accelerator, one after the other, and who is faster."""

import streamlit as st

from cnnlab.ui import top
from cnnlab.ui.race import entrants, offer
from cnnlab.ui.race import view as race_view

top.require_app()

st.title("Race", anchor=False)
if run_ids := entrants.in_the_link():
    race_view.show(run_ids)
else:
    offer.offer()
