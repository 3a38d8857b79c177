"""The runs that were made: find them, look into them, put them side by side, tidy up."""

import streamlit as st

from cnnlab.ui import keeping, top
from cnnlab.ui.compare import choice as compare_choice
from cnnlab.ui.compare import speed as compare_speed
from cnnlab.ui.history import board, choice, groups, waiting
from cnnlab.ui.history import view as history_view
from cnnlab.ui.run import view as run_view

top.require_app()

with st.container(horizontal=True, vertical_alignment="center"):
    scores = history_view.board_asked()
    chosen = None if scores else choice.choose()
if chosen is None:
    board.show()
else:
    history_view.undo_bar()
    opened = history_view.opened()
    waiting.show()
    if chosen.total:
        history_view.table(chosen, opened)
    else:
        history_view.empty(chosen.within)
    if opened:
        st.divider()
        history_view.toolbar(opened)
        groups.say(opened)
    match opened:
        case [run_id]:
            run_view.show(run_id)
        case [_, _, *_]:
            compare_speed.of_runs(opened)
            compare_choice.link(opened, f"Compare these {len(opened)} runs")
keeping.show()
