"""Race: two to four lanes that take turns on this machine, and who is faster."""

import streamlit as st

from cnnlab.ui import top
from cnnlab.ui.race import entrants, offer, view

top.require_app()

st.title("Race", anchor=False)
if entrants.named():
    view.show()
else:
    offer.offer()
