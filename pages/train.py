"""Train: a recipe beside the network that it makes; or the run that one became, across the page."""

from __future__ import annotations

import streamlit as st

from cnnlab.ui import lab, link, top
from cnnlab.ui.run import view as run_view
from cnnlab.ui.train import form, offer, plan, recipe, start

top.require_app()
if not start.pressed():
    top.follow()

run_id = st.query_params.get("run")
if run_id:
    recipe.arrive_at_run(run_id, lab.history())
    plan.folded(run_id)
    run_view.show(run_id)
    plan.show_queue()
    recipe.depart({"run": run_id})
else:
    recipe.arrive(st.query_params.to_dict())
    filled = recipe.current(lab.check)
    # The network with Start comes first, so that it is near for who goes from field to field.
    wide, narrow = st.container(key="halves").columns([2, 1], gap="large")
    with wide:
        plan.show(filled)
        plan.show_queue()
    with narrow:
        form.show(filled, offer.offered(filled))
    if filled.spec:
        recipe.depart(link.encode(filled.spec))
