"""A race on a page: to the start, two lanes while it runs, the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import streamlit as st

from cnnlab import analysis, datasets, race, words
from cnnlab.analysis.runs import epoch_seconds
from cnnlab.models import Layer, parameters
from cnnlab.published import REFERENCES, Reference
from cnnlab.race import Opponent
from cnnlab.spec import PRESETS, ExperimentSpec, LabError, RunCard, SpecError, Status
from cnnlab.ui import estimates, lab, link, live, race_curves, rights, run_view, tables
from cnnlab.ui.run_state import RunState, read

REFRESH_SECONDS = 1.0
RUNS, AGAINST = "runs", "against"
RECORDED = 50
"""Finished runs that are offered as opponents, the newest first."""


def in_the_link() -> list[str]:
    """The ids of the runs that the address names."""
    named = dict.fromkeys(st.query_params.get(RUNS, "").split(","))
    return [part for part in named if part][: 2 * race.MOST_REPEATS]


# --- to the start ---------------------------------------------------------------------------


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
    opponent = race.opponent_named(chosen, _card)
    return race.driven(list(_accelerators()), opponent), opponent


def _card(run_id: str) -> RunCard:
    return lab.history().card(run_id, steps=False)


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
        _withdraw(runs)
        st.error(tables.plain(str(error)), icon=":material/error:")
        return
    found = {RUNS: ",".join(runs)} | ({AGAINST: against} if against else {})
    st.query_params.from_dict(found)
    st.rerun()


def _withdraw(run_ids: Sequence[str]) -> None:
    """Stop runs, the waiting ones first, so that none of them begins meanwhile."""
    for run_id in reversed(run_ids):
        rights.attempt(lab.stop, run_id)


# --- on the way -----------------------------------------------------------------------------


def show(run_ids: Sequence[str]) -> None:
    """The race as it stands: lanes, and when all runs are over, the verdict and the replay."""
    try:
        cards = [_card(run_id) for run_id in run_ids]
        opponent = _opponent(cards)
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/search_off:")
        _another()
        return
    if all(card.status.over for card in cards):
        _decided([read(card) for card in cards], opponent)
    else:
        live.every(REFRESH_SECONDS, _underway, cards, opponent)


def _opponent(cards: Sequence[RunCard]) -> Opponent | None:
    """Who stands beside the runs: as the link says, else what was published."""
    if len({race.kind(card) for card in cards}) > 1:
        return None
    if asked := st.query_params.get(AGAINST):
        return race.opponent_named(asked, _card)
    return race.opponent_for([card.device.used if card.device else "cpu" for card in cards])


def _underway(cards: Sequence[RunCard], opponent: Opponent | None) -> None:
    states = [read(card) for card in cards]
    if all(state.card.status.over for state in states):
        st.rerun()  # the whole page, once: the race is decided
    _lanes(states, opponent)
    race_curves.show(states, opponent)
    ids = [card.run_id for card in cards]
    st.button(
        "Stop the race",
        key="race-stop",
        icon=":material/stop_circle:",
        on_click=_withdraw,
        args=(ids,),
        **rights.limits(),
    )


def _decided(states: Sequence[RunState], opponent: Opponent | None) -> None:
    if race_curves.replay(states, opponent):
        return  # the verdict comes when the room has seen it
    cards = [state.card for state in states]
    _verdict(cards, opponent)
    _lanes(states, opponent)
    race_curves.show(states, opponent)
    race_curves.reached(states, opponent)
    st.subheader("Where the time went", anchor=False)
    named = _named(states, opponent)
    run_view.ledger(*named)
    _links(named)


def _named(states: Sequence[RunState], opponent: Opponent | None) -> list[RunCard]:
    """The cards under the names that their lanes have on this page."""
    entrants = race_curves.entrants(states, opponent)
    return [state.card.model_copy(update={"name": name}) for name, state in entrants.items()]


def _verdict(cards: Sequence[RunCard], opponent: Opponent | None) -> None:
    result = race.judge(cards, opponent)
    if any(card.status is not Status.FINISHED for card in cards):
        st.warning(tables.plain(result.verdict), icon=":material/balance:")
        return
    st.header(tables.plain(result.heading), anchor=False)
    if result.where:
        st.markdown(tables.plain(result.where))
    if result.reasons:
        reasons = "".join(f"\n- {tables.plain(reason)}" for reason in result.reasons)
        st.caption(f"Why no number is claimed:\n{reasons}")
    if result.same_start and (len(cards) > 1 or isinstance(opponent, RunCard)):
        digest = next(card.model.weights_sha256 for card in cards if card.model) or ""
        st.caption(f"Every run began from the same weights (SHA-256 {digest[:12]}…).")
    if marks := " ".join(filter(None, map(tables.disturbed, cards))):
        st.warning(f"Times were disturbed. {tables.plain(marks)}", icon=":material/blur_on:")


# --- the lanes ------------------------------------------------------------------------------


def _lanes(states: Sequence[RunState], opponent: Opponent | None) -> None:
    """The CPU's lane on the left; who stands beside has the lane of its kind where it is free."""
    mine = {kind: [s for s in states if s.kind == kind] for kind in ("cpu", "accelerator")}
    left, right = st.columns(2)
    driven = [kind for kind in mine if mine[kind]]
    # Beside an opponent of its own kind a run stays on the left.
    places = {"cpu": left, "accelerator": right}
    if opponent and race.kind(opponent) in driven:
        places[driven[0]] = left
    for kind in driven:
        with places[kind], st.container(border=True, height="stretch"):
            _lane(kind, mine[kind])
    if opponent and driven:
        free = right if places[driven[0]] is left else left
        with free, st.container(border=True, height="stretch"):
            _recorded_lane(opponent)


def _lane(kind: str, states: Sequence[RunState]) -> None:
    icon = ":material/memory:"
    st.badge(race_curves.LANE_NAMES[kind], icon=icon, color="blue" if kind == "cpu" else "orange")
    card = states[0].card
    name = card.device.name if card.device else lab.device_labels().get(card.spec.device)
    st.subheader(tables.plain(name or card.spec.device), anchor=False)
    for share, text in map(_progress, states):
        if all(state.card.status.over for state in states):
            st.write(text)
        else:
            st.progress(share, text)
    each = words.duration(_epoch_seconds([state.card for state in states]))
    with st.container(horizontal=True):
        st.metric("An epoch", each)
        st.metric("Whole training", words.duration(_fit_seconds(states)))


def _epoch_seconds(cards: Sequence[RunCard]) -> float | None:
    """Median over the runs, each without its first epoch where it has more."""
    found = [epoch_seconds(c.epochs, warm=len(c.epochs) > 1) for c in cards if c.epochs]
    return median(found) if found else None


def _fit_seconds(states: Sequence[RunState]) -> float | None:
    found = [t for state in states if (t := state.card.timing.fit_seconds) is not None]
    return median(found) if found else None


def _progress(state: RunState) -> tuple[float, str]:
    """Share of all epochs that is done, and where the run stands in words."""
    card, done = state.card, len(state.card.epochs)
    if card.status is Status.QUEUED:
        return 0.0, f"{tables.status_text(card.status)}: waits for its turn"
    best = words.percent(card.epochs[-1].val_accuracy) if done else words.UNKNOWN
    said = f"epoch {done} of {card.spec.epochs}, validation accuracy {best}"
    share = done / card.spec.epochs
    if not card.status.over and state.steps_per_epoch and len(state.series):
        share = analysis.progress(state.series, state.steps_per_epoch, card.spec.epochs)
    return min(share, 1.0), f"{tables.status_text(card.status)}: {said}"


def _recorded_lane(opponent: Opponent) -> None:
    if isinstance(opponent, Reference):
        _published_lane(opponent)
        return
    st.badge("Recorded, not in this race", icon=":material/history:", color="gray")
    device = opponent.device.name if opponent.device else opponent.spec.device
    st.subheader(tables.plain(device), anchor=False)
    st.caption(tables.plain(f"{race.described(opponent)}."))
    last = opponent.epochs[-1]
    with st.container(horizontal=True):
        st.metric("An epoch", words.duration(_epoch_seconds([opponent])))
        st.metric("Whole training", words.duration(opponent.timing.fit_seconds))
        st.metric(f"Val. accuracy, epoch {last.epoch}", words.percent(last.val_accuracy))


def _published_lane(reference: Reference) -> None:
    st.badge("Published, not measured here", icon=":material/menu_book:", color="gray")
    st.subheader(reference.device, anchor=False)
    st.caption(f"{reference.title}; {reference.software}.")
    low, high = (words.duration(value) for value in reference.epoch_seconds)
    last = reference.points[-1]
    with st.container(horizontal=True):
        st.metric("An epoch", low if low == high else f"{low} to {high}")
        st.metric("Whole training", words.duration(reference.fit_seconds))
        st.metric(f"Val. accuracy, epoch {last.epoch}", words.percent(last.val_accuracy))


# --- and then -------------------------------------------------------------------------------


def _links(cards: Sequence[RunCard]) -> None:
    with st.container(horizontal=True):
        for card in cards:
            st.page_link(
                "pages/history.py",
                label=tables.plain(card.name),
                icon=":material/link:",
                query_params={"run": card.run_id},
            )
        st.page_link(
            "pages/compare.py",
            label="Compare in detail",
            icon=":material/compare_arrows:",
            query_params={RUNS: ",".join(card.run_id for card in cards)},
        )
        st.page_link(
            "pages/race.py",
            label="Race this recipe again",
            icon=":material/replay:",
            query_params=link.encode(cards[0].spec),
        )
        _another()


def _another() -> None:
    st.page_link("pages/race.py", label="Start another race", icon=":material/flag:")
