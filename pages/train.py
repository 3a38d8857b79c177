"""Train: the recipe on the left; on the right the network it makes, or the run it became."""

from __future__ import annotations

import streamlit as st

from cnnlab.ui import lab, link, top
from cnnlab.ui.run import view as run_view
from cnnlab.ui.train import form, gains, plan, recipe

top.require_app()

run_id = st.query_params.get("run")
if run_id:
    recipe.arrive_at_run(run_id, lab.history())
else:
    recipe.arrive(st.query_params.to_dict())
filled = recipe.current(lab.check)

left, right = st.container(key="halves").columns([1, 2], gap="large")
with left:
    form.show(filled, gains.offered(filled.raw))
with right:
    if run_id:
        st.button(
            "Back to the network",
            icon=":material/arrow_back:",
            type="tertiary",
            on_click=st.query_params.clear,
        )
        run_view.show(run_id)
    else:
        plan.show(filled)
    plan.show_queue()

if run_id:
    recipe.depart({"run": run_id})
elif filled.spec:
    recipe.depart(link.encode(filled.spec))
