"""Before a race: what it is, what it would run here, and Start."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlab import datasets, race, words
from cnnlab.models import Layer, parameters
from cnnlab.published import REFERENCES, Reference
from cnnlab.race import Opponent
from cnnlab.spec import PRESETS, ExperimentSpec, LabError, SpecError, Status
from cnnlab.ui import lab, link, rights, tables
from cnnlab.ui.race.entrants import AGAINST, RUNS, card_of, withdraw
from cnnlab.ui.train import estimates

RECORDED = 50
"""Finished runs that are offered as opponents, the newest first."""


def offer() -> None:
    """What a race is, what it would run here, and Start."""
    known = lab.hardware() is not None
    st.markdown(_lede(alone=known and not _accelerators()))
    spec, layers = _recipe()
    chosen = _choose_opponent()
    devices, opponent = _sides(chosen)
    if not known:
        st.info("Looking for devices, which takes some seconds.", icon=":material/hourglass_empty:")
    elif opponent:
        _say_recorded(opponent, spec)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        repeats = st.number_input(
            "Runs on each device",
            1,
            race.MOST_REPEATS,
            1,
            key="race-repeats",
            width=200,
            help="Interleaved, A B A B. With more than one the verdict has a spread.",
        )
        ready = st.button(
            "Start the race",
            key="race-start",
            icon=":material/flag:",
            type="primary",
            **rights.limits(disabled=not known),
        )
    if layers:
        estimates.say_data(spec.dataset, "race")
        estimates.say_times(spec, layers, devices, runs=int(repeats))
    if ready:
        _start(spec, devices, int(repeats), chosen if opponent else "")


def _lede(alone: bool) -> str:
    """What a race is, where the CPU is alone and where it is not."""
    if alone:
        return (
            "The network runs on the CPU here; beside it stands a run on record or a published one."
        )
    return (
        "The same network, from the same weights, over the same batches: once on the CPU, once on "
        "the accelerator, one after the other, so that neither disturbs the other."
    )


def _accelerators() -> dict[str, str]:
    """The accelerators here, each under its name."""
    return {key: name for key, name in lab.device_labels().items() if key not in ("auto", "cpu")}


def _choose_opponent() -> str:
    """Who races the CPU: an accelerator here, a published run, or one of the history."""
    options = {
        **_accelerators(),
        **{key: f"Published: {item.title}" for key, item in REFERENCES.items()},
        **{
            run.run_id: f"Recorded: {run.name}, {run.device.name} ({run.run_id})"
            for run in lab.history().summaries()
            if run.status is Status.FINISHED and run.device and run.epochs_done
        },
    }
    names = list(options)[: len(_accelerators()) + len(REFERENCES) + RECORDED]
    asked = st.query_params.get(AGAINST)
    usual = names[0]  # an accelerator, else the published run on one
    return st.selectbox(
        "Opponent",
        names,
        index=names.index(asked if asked in names else usual),
        format_func=lambda name: options.get(name, name),
        key="race-opponent",
        help="What was published or recorded before is not measured again: it stands beside.",
    )


def _sides(chosen: str) -> tuple[list[str], Opponent | None]:
    """What is driven here, and who stands beside it from a record."""
    if chosen in _accelerators():
        return ["cpu", chosen], None
    opponent = race.opponent_named(chosen, card_of)
    return race.driven(list(_accelerators()), opponent), opponent


def _say_recorded(opponent: Opponent, spec: ExperimentSpec) -> None:
    none = "" if _accelerators() else "There is no accelerator here. "
    said = tables.plain(race.described(opponent))
    if isinstance(opponent, Reference):
        theirs, title = PRESETS["article"].spec, PRESETS["article"].title
    else:
        theirs, title = opponent.spec, f"“{opponent.name}”"
    other = ""
    if theirs.model != spec.model:
        other = (
            " It trained another network: race with the recipe of "
            f"{tables.plain(title)} to have the same one in both lanes."
        )
    st.info(f"{none}The opponent stands beside: {said}.{other}", icon=":material/info:")


def _recipe() -> tuple[ExperimentSpec, list[Layer]]:
    """The spec of the link, or of the preset that is chosen; its layers, none if it cannot work."""
    given = {n: text for n, text in st.query_params.items() if n not in (RUNS, AGAINST)}
    spec = _linked(given) if given else _preset()
    layers: list[Layer] = []
    try:
        layers = lab.check(spec)
        count = words.count(parameters(layers))
        what = f"{count} parameters, {spec.epochs} epochs, batches of {spec.batch_size}"
        st.markdown(f"**{tables.plain(datasets.run_name(spec))}**: {what}.")
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")
    st.page_link(
        "pages/train.py",
        label="Look at this recipe, or change it",
        icon=":material/tune:",
        query_params=link.encode(spec),
    )
    return spec, layers


def _linked(given: dict[str, str]) -> ExperimentSpec:
    try:
        return link.decode(given)
    except SpecError as error:
        st.warning(tables.plain(" ".join(map(link.sentence, error.problems))))
        return link.preset_of(given)


def _preset() -> ExperimentSpec:
    name = st.pills(
        "Race with",
        list(PRESETS),
        default="tiny",
        required=True,
        format_func=lambda key: PRESETS[key].title,
        key="race-preset",
    )
    st.caption(PRESETS[name or "tiny"].shows)
    return PRESETS[name or "tiny"].spec


def _start(spec: ExperimentSpec, devices: Sequence[str], repeats: int, against: str) -> None:
    """Queue all runs, or none."""
    name = datasets.run_name(spec, "Race")
    runs: list[str] = []
    try:
        for entry in race.entries(spec, devices, repeats):
            runs.append(lab.start(entry, name))
    except LabError as error:
        withdraw(runs)
        st.error(tables.plain(str(error)), icon=":material/error:")
        return
    found = {RUNS: ",".join(runs)} | ({AGAINST: against} if against else {})
    st.query_params.from_dict(found)
    st.rerun()
