"""After a run: what to try next, and the ways to other pages."""

from __future__ import annotations

import streamlit as st

from cnnlab import analysis
from cnnlab.spec import ExperimentSpec, LabError, RunCard
from cnnlab.ui import lab, link, orders, rights, tables
from cnnlab.ui.run import baseline, taking


def next_steps(card: RunCard) -> None:
    """The next experiments worth making, as buttons that run."""
    ideas = analysis.next_experiments(card)
    if ideas:
        with st.container(horizontal=True, vertical_alignment="center", key="next-runs"):
            st.markdown("**Try next**", width="content")
            for number, idea in enumerate(ideas):
                if st.button(
                    idea.label,
                    key=f"next-{number}-{card.run_id}",
                    icon=":material/play_arrow:",
                    type="primary" if number == 0 else "secondary",
                    **rights.limits(help=idea.why),
                ):
                    _start(idea.spec, f"{card.name} · {idea.label}"[:120])


def ways_on(card: RunCard) -> None:
    """The same run again, its recipe to edit, and other pages."""
    recipe, run_id = link.encode(card.spec), card.run_id
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            "Run again", key=f"again-{run_id}", icon=":material/replay:", **rights.limits()
        ):
            _start(card.spec, card.name)
        for page, label, icon, query in (
            ("train", "Edit recipe", "edit", recipe),
            ("compare", "Compare it", "compare_arrows", {"runs": run_id}),
            ("inspect", "What it learned", "visibility", {"runs": run_id}),
            ("race", "Race it", "flag", recipe),
            ("history", "Link to this run", "link", {"run": run_id}),
        ):
            icon = f":material/{icon}:"
            st.page_link(f"pages/{page}.py", label=label, icon=icon, query_params=query)
        baseline.pin_button(card)
        taking.show(card)


def _start(spec: ExperimentSpec, name: str) -> None:
    """Queue a run and go where it is shown."""
    try:
        orders.begin(lambda: orders.run(lab.start(spec, name)))
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")
