"""Where the time of a run's step goes, what bounds it, and what makes it faster; on its page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from cnnlab import charts, words
from cnnlab.analysis import anatomy, cures, diagnosis
from cnnlab.models import layer_table
from cnnlab.spec import RunCard
from cnnlab.ui import lab, live, network, rights, tables
from cnnlab.ui.run import gate

POLL_SECONDS = 1.0
MOST_PROFILED = 200
"""Of the runs that were taken apart, the newest are looked through for ones to stand beside."""
TAKES = "It takes about half a minute, in a process of its own, when nothing else is timed here."


def show(card: RunCard) -> None:
    """The step of a run that is over, taken apart; or the button that does it."""
    if card.dataset is None:
        return
    st.markdown("##### Where a step's time goes")
    card = lab.history().card(card.run_id, steps=False)
    under_way = bool(lab.errands().open_for(card.run_id))
    live.every(POLL_SECONDS if under_way else None, _under_way, card.run_id, under_way)
    if card.profile:
        _profile(card, under_way)
    else:
        _offer(card, under_way)


def _under_way(run_id: str, before: bool) -> None:
    """What is being measured about the run, or why the last measurement came to nothing."""
    open_ = lab.errands().open_for(run_id)
    if bool(open_) != before:
        live.anew()  # what was found is part of the page
    if failed := lab.errands().failed(run_id):
        st.error(tables.plain(failed), icon=":material/error:")
    if open_:
        more = f", {len(open_) - 1} more to come" if open_[1:] else ""
        with st.container(horizontal=True, vertical_alignment="center"):
            st.info(tables.plain(f"{open_[0].what}{more} …"), icon=":material/hourglass_top:")
            st.button(
                "Cancel",
                key=f"call-off-{run_id}",
                icon=":material/stop_circle:",
                on_click=_call_off,
                args=(run_id,),
                **rights.limits(),
            )


def _call_off(run_id: str) -> None:
    rights.attempt(gate.call_off, run_id)


def _offer(card: RunCard, under_way: bool) -> None:
    if not gate.can_take_apart(card):
        st.caption("It was measured elsewhere and brought no profile.")
        return
    st.caption(
        "Forward and backward time of each layer, optimizer, data and framework; what bounds them, "
        "and what would make them faster."
    )
    _apart_button(card, "Take a step apart", under_way)


def _apart_button(card: RunCard, label: str, under_way: bool) -> None:
    st.button(
        label,
        key=f"apart-{card.run_id}",
        icon=":material/account_tree:",
        on_click=_take_apart,
        args=(card.run_id,),
        **rights.limits(under_way, help=TAKES),
    )


def _take_apart(run_id: str) -> None:
    rights.attempt(gate.take_apart, run_id)


def _profile(card: RunCard, under_way: bool) -> None:
    assert card.profile
    one = cures.patient(card, diagnosis.step_bound(card))
    st.markdown(f"**{tables.plain(diagnosis.sentence(one))}**")
    for said in diagnosis.caveats(card.profile):
        st.caption(tables.plain(said))
    _networks(card)
    parts, roofs = st.columns(2)
    with parts:
        frames = {"source": anatomy.parts_frame(card.profile)}
        _draw("step_parts", frames, charts.step_parts_spec(), card.run_id)
    with roofs:
        _roofline(card, one)
    st.dataframe(_table(card, one), hide_index=True)
    st.caption(diagnosis.host_words(one.found))
    looked = words.percent(card.profile.looking_ms / card.profile.step_ms)
    st.caption(
        f"Timed apart from the run over {words.count(card.profile.steps)} steps. The marks added "
        f"{words.number(card.profile.looking_ms)} ms to a step ({looked}), which is taken off."
    )
    if gate.can_take_apart(card):
        _apart_button(card, "Take it apart again", under_way)
    _cures(card, one, under_way)


def _draw(name: str, frames: Mapping[str, pd.DataFrame], spec: charts.Spec, run_id: str) -> None:
    data = {key: charts.packed(frame) for key, frame in frames.items()}
    alt = charts.alt_text(name)
    st.vega_lite_chart(None, spec | {"datasets": data}, key=f"{name}-{run_id}", alt=alt)


def _roofline(card: RunCard, one: cures.Patient) -> None:
    assert card.profile
    ceilings = card.profile.ceilings
    roofs = anatomy.roofs_frame(ceilings, one.found) if ceilings else pd.DataFrame()
    if roofs.empty:
        return
    frames = {"source": anatomy.points_frame(one.found), charts.ROOFS.name: roofs}
    _draw("roofline", frames, charts.roofline_spec(), card.run_id)


# --- on the network itself ------------------------------------------------------------------


def _networks(card: RunCard) -> None:
    """The network coloured by time, beside another run's of the same network where there is one."""
    shown = [card, *_beside(card)]
    most = max(layer.ms for one in shown if one.profile for layer in one.profile.layers)
    for place, one in zip(st.columns(len(shown)), shown, strict=True):
        with place:
            _network(one, most, beside=len(shown) > 1)


def _beside(card: RunCard) -> list[RunCard]:
    """The run that was chosen to stand beside this one; none where none was or can be."""
    others = {other.run_id: other for other in _others(card)}
    if not others:
        return []
    chosen = st.selectbox(
        "Beside it",
        options=list(others),
        index=None,
        format_func=lambda run_id: _label(others[run_id]),
        placeholder="Another run of this network that was taken apart",
        key=f"beside-{card.run_id}",
    )
    return [others[chosen]] if chosen in others else []


def _network(card: RunCard, most_ms: float, beside: bool) -> None:
    assert card.profile
    assert card.dataset
    if beside:
        step = words.number(card.profile.step_ms)
        st.caption(tables.plain(f"{_label(card)}: {step} ms a step"))
    layers = layer_table(card.spec.model, card.dataset.image_shape, card.dataset.classes)
    ms = [layer.ms for layer in card.profile.layers]
    frame = charts.packed(network.timed_frame(layers, ms, most_ms))
    alt = f"{network.alt_text(layers)} The stronger its colour, the more time a block takes."
    st.vega_lite_chart(frame, network.timed_chart(), key=f"timed-{card.run_id}", alt=alt)


def _others(card: RunCard) -> list[RunCard]:
    """Runs of the same network on the same shape of data that were taken apart too."""
    found = [
        lab.history().card(run.run_id, steps=False)
        for run in lab.history().summaries(profiled=True, limit=MOST_PROFILED)
        if run.run_id != card.run_id and run.spec.model == card.spec.model
    ]
    return [other for other in found if _shape(other) == _shape(card)]


def _shape(card: RunCard) -> tuple[tuple[int, ...], int] | None:
    return (card.dataset.image_shape, card.dataset.classes) if card.dataset else None


def _label(card: RunCard) -> str:
    used = card.device.used if card.device else card.spec.device
    return f"{card.name} ({used}, {card.spec.engine}, batch size {card.spec.batch_size})"


# --- figures and cures ----------------------------------------------------------------------


def _table(card: RunCard, one: cures.Patient) -> pd.DataFrame:
    assert card.profile
    step_ms = one.found.step_ms
    rows = [
        (
            f"{row.kind} {row.detail}".strip(),
            words.number(time.forward_ms),
            words.number(time.backward_ms),
            words.percent(row.share),
            diagnosis.layer_words(row),
        )
        for time, row in zip(card.profile.layers, one.found.layers, strict=True)
    ]
    for name, ms in diagnosis.rest(card.profile):
        rows.append((name, words.number(ms), "", words.percent(ms / step_ms), ""))
    rows.append(("the whole step", words.number(step_ms), "", "100 %", one.found.bound))
    columns = ["Part", "Forward (ms)", "Backward (ms)", "Share", "Held up by"]
    return pd.DataFrame(rows, columns=columns)


def _cures(card: RunCard, one: cures.Patient, under_way: bool) -> None:
    offered = cures.cures(one)
    st.markdown("##### What would make it faster")
    if not offered:
        st.caption("Nothing that the lab can change promises to make this step faster.")
    for number, cure in enumerate(offered):
        _cure(card, cure, number, under_way)
    _tried_before(card, offered)


def _cure(card: RunCard, cure: cures.Cure, number: int, under_way: bool) -> None:
    tried = cures.newest(card.trials, cure.change)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Try again" if tried else "Try it",
            key=f"cure-{card.run_id}-{number}",
            icon=":material/science:",
            on_click=_try,
            args=(card.run_id, cure),
            **rights.limits(under_way or not gate.can_take_apart(card)),
        )
        with st.container():
            title = tables.plain(cures.sentence_case(cure.title))
            st.markdown(f"**{title}**: {tables.plain(cure.promise)}")
            st.caption(tables.plain(f"{cure.why} {cure.price}"))
            if tried:
                st.write(tables.plain(cures.told(tried)))


def _try(run_id: str, cure: cures.Cure) -> None:
    rights.attempt(gate.try_cure, run_id, cure.change)


def _tried_before(card: RunCard, offered: Sequence[cures.Cure]) -> None:
    """Trials of what a newer profile no longer proposes."""
    now = [cure.change for cure in offered]
    for trial in card.trials:
        if trial.change not in now:
            st.caption(tables.plain(cures.told(trial)))
