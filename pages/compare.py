"""Any number of runs against each other: curves, results, speed where it is fair, what differs."""

import streamlit as st

from cnnlab.ui import compare_choice, compare_files, compare_speed, compare_view, top
from cnnlab.ui.lab import history

top.require_app()

st.title("Compare", anchor=False)
runs = history().summaries()
chosen = compare_choice.choose(runs)
if chosen:
    compare_view.show(chosen)
else:
    compare_view.empty(any_runs=bool(runs))
compare_speed.pairs_of_history(runs)
compare_files.bring_in()
