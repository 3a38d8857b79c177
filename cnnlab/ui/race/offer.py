"""Before a race: who races, and Start."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlab import datasets, race, recorded, words
from cnnlab.models import Layer, parameters
from cnnlab.published import REFERENCES
from cnnlab.race import BUDGET_SECONDS, LEG_SECONDS, WAYS, Here
from cnnlab.room import Place
from cnnlab.spec import (
    MOST_ROUNDS,
    PRESETS,
    ExperimentSpec,
    LabError,
    Lane,
    RacePlan,
    RunCard,
    SpecError,
    Status,
    change,
)
from cnnlab.ui import lab, lead, link, machines, orders, rights, tables
from cnnlab.ui.compare import networks
from cnnlab.ui.race import bets, own
from cnnlab.ui.race import lanes as race_lanes
from cnnlab.ui.race.entrants import AGAINST, OF_A_RACE, RACE, card_of
from cnnlab.ui.train import estimates

OWN, RECORDED = "own", "recorded"
FURTHER = {OWN: "Lanes of my own", RECORDED: "One lane against a recorded run"}
MOST_RECORDED = 50
"""Finished runs that are offered as opponents, the newest first."""
MOST_LOOKED_AT = 4 * MOST_RECORDED


def offer() -> None:
    """Start with its question, who stands at the start, and beneath what may be chosen.

    Start stands first, where who has no pointer comes soon, though it is drawn when all is known.
    """
    head = st.container(horizontal=True, vertical_alignment="center", key="race-lead")
    track = st.container()
    bets.announced()
    here = _here()
    if here is None:
        st.info("Looking for devices, which takes some seconds.", icon=":material/hourglass_empty:")
    way = _choose_way(here or Here((), 1))
    spec, layers = _recipe()
    against = _choose_opponent(spec) if way == RECORDED else ""
    entered = _lanes(way, spec, here or Here((), 1), against) if layers else ()
    if len(entered) == 2:
        _show_networks(*entered)
    plan = _plan(entered, here or Here((), 1))
    if layers:
        estimates.say_data(spec.dataset, "race")
    with head:
        ready = _question(entered, against, startable=here is not None and plan is not None)
    if entered:
        with track:
            _show_lanes(entered, spec, against)
    if ready and plan:
        _start(plan, datasets.run_name(spec, "Race"), against)
    bets.take(entered)
    if here and not here.accelerators and way != RECORDED:
        _beside(spec)


def _here() -> Here | None:
    found = lab.hardware()
    if found is None:
        return None
    keys = tuple(card.key for card in found.accelerators)
    return Here(keys, max(int(found.cpu.usable_cores), 1), tuple(machines.names()[1:]))


def _choose_way(here: Here) -> str:
    """Which of the usual races, or one's own; one that cannot be run here is not offered."""
    options = {key: way.title for key, way in WAYS.items() if way.missing(here) is None} | FURTHER
    asked = RECORDED if st.query_params.get(AGAINST) else race.usual_way(here)
    chosen = st.pills(
        "What to race",
        list(options),
        default=asked,
        required=True,
        format_func=options.__getitem__,
        key="race-way",
    )
    if chosen in WAYS:
        st.caption(WAYS[chosen].shows)
    return chosen or asked


def _lanes(way: str, spec: ExperimentSpec, here: Here, against: str) -> tuple[Lane, ...]:
    """Who drives; nobody, and why, where it cannot be."""
    try:
        if way == OWN:
            return own.lanes(spec, here)
        if way == RECORDED:
            kind = race.kind(race.opponent_named(against, card_of))
            device = here.accelerators[0] if kind == "cpu" and here.accelerators else "cpu"
            return race.titled([change(spec, device=device, gpu_off="none")])
        return race.lanes_of(way, spec, here)
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")
        return ()


def _question(entered: Sequence[Lane], against: str, *, startable: bool) -> bool:
    """What the race is to tell, and Start beside it; whether that was pressed."""
    titles = [lane.title for lane in entered]
    if against:
        titles.append(race.described(race.opponent_named(against, card_of)))
    if len(titles) > 1:
        first, *others = titles
        lead.figure("?×", f"as fast: {' or '.join(others)} against {first}")
    return st.button(
        "Start the race",
        key="race-start",
        icon=":material/flag:",
        type="primary",
        shortcut="Mod+Enter",
        **rights.limits(disabled=not startable),
    )


def _show_lanes(entered: Sequence[Lane], spec: ExperimentSpec, against: str) -> None:
    race_lanes.stand(entered)
    if against:
        opponent = race.opponent_named(against, card_of)
        with st.container(border=True):
            race_lanes.recorded(opponent)
            if isinstance(opponent, RunCard):
                _same_recipe(spec, opponent.spec, against)


def _same_recipe(spec: ExperimentSpec, theirs: ExperimentSpec, against: str) -> None:
    """A way to race what the opponent trained, where another recipe is chosen."""
    anywhere = change(theirs, device=spec.device, gpu_off=spec.gpu_off, machine=spec.machine)
    if anywhere != spec:
        st.page_link(
            "pages/race.py",
            label="Race the recipe that it trained",
            icon=":material/content_copy:",
            query_params=link.encode(anywhere) | {AGAINST: against},
        )


def _show_networks(one: Lane, other: Lane) -> None:
    """What is raced against what, before it begins, where the networks are not the same."""
    if one.spec.model == other.spec.model:
        return
    try:
        layers = lab.check(one.spec), lab.check(other.spec)
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")
        return
    networks.show_layers(*layers, (one.title, other.title))


def _plan(entered: Sequence[Lane], here: Here) -> RacePlan | None:
    """Short pairs until the ratio is sure, or so many whole trainings."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        whole = st.toggle(
            "Train to the end",
            key="race-whole",
            help="Whole trainings also show what accuracy each lane comes to.",
        )
        amount = _rounds() if whole else _budget(entered, here)
    if not entered:
        return None
    if whole:
        return RacePlan(lanes=tuple(entered), rounds=int(amount))
    return RacePlan(lanes=tuple(entered), leg_seconds=LEG_SECONDS, budget_seconds=amount)


def _rounds() -> float:
    return st.number_input(
        "Trainings of each lane",
        1,
        MOST_ROUNDS,
        1,
        key="race-rounds",
        width=200,
        help="In turns, A B B A. With more than one the ratio has a spread.",
    )


def _budget(entered: Sequence[Lane], here: Here) -> float:
    seconds = st.number_input(
        "Budget (s)",
        10,
        3600,
        int(BUDGET_SECONDS),
        10,
        key="race-budget",
        width=140,
        help="When it is spent no further pair begins.",
    )
    runs = race.short_runs([lane.spec for lane in entered], len(here.accelerators))
    st.caption(
        f"{runs.capitalize()}: at least {race.LEAST_PAIRS} pairs, and as many as it takes until "
        f"the ratio is known to ±{words.percent(race.WIDTH)} or the budget is spent."
    )
    return float(seconds)


def _choose_opponent(spec: ExperimentSpec) -> str:
    """A run that came with the lab, those of the same network first, a published one, or one of the
    history."""
    kept = {
        run.run_id: f"Recorded: {run.name}, {run.device.name}"
        for run in lab.history().summaries(statuses=[Status.FINISHED], limit=MOST_LOOKED_AT)
        if run.device and run.epochs_done
    }
    published = {key: f"Published: {item.title}" for key, item in REFERENCES.items()}
    alike = {key: f"Recorded: {recorded.OPPONENTS[key]}" for key in _of_its_network(spec)}
    other = {key: f"Recorded: {title}" for key, title in recorded.OPPONENTS.items()}
    shipped = alike | published | other
    options = shipped | tables.apart(kept)
    names = list(options)[: len(shipped) + MOST_RECORDED]
    asked = st.query_params.get(AGAINST)
    return st.selectbox(
        "Opponent",
        names,
        index=names.index(asked) if asked in names else 0,
        format_func=lambda name: options.get(name, name),
        key="race-opponent",
        help="What was published or recorded before is not measured again: it stands beside.",
    )


def _of_its_network(spec: ExperimentSpec) -> list[str]:
    """The keys of the runs that came with the lab and trained the network of a spec."""
    return [key for key in recorded.OPPONENTS if recorded.opponent(key).spec.model == spec.model]


def _beside(spec: ExperimentSpec) -> None:
    """What was recorded elsewhere, for whom no accelerator is here."""
    st.markdown("##### On record: what a GPU came to")
    alike = _of_its_network(spec)
    runs = "runs of this network elsewhere, and the" if alike else "the"
    st.caption(f"No accelerator is here. These are {runs} published runs of the article's recipe.")
    places = st.grid(2, min_column_width=320)
    for key in (*alike, "article-cpu-20", "article-gpu-20"):
        with places.cell(), st.container(border=True, height="stretch"):
            race_lanes.recorded(race.opponent_named(key, card_of))


def _recipe() -> tuple[ExperimentSpec, list[Layer]]:
    """The spec of the link, or of the preset that is chosen; its layers, none if it cannot work."""
    given = {n: text for n, text in st.query_params.items() if n not in OF_A_RACE}
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


def _start(plan: RacePlan, name: str, against: str) -> None:
    def deed() -> Place:
        beside = {AGAINST: against} if against else {}
        return Place.of("race", {RACE: lab.start_race(plan, name)} | beside)

    try:
        orders.begin(deed)
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")
