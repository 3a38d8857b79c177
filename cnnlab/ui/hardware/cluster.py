"""The machines of the cluster on a page: what each has, whether it is free, and why it is not."""

from __future__ import annotations

import streamlit as st

from cnnlab import words
from cnnlab.cluster import MachineFacts, spoken
from cnnlab.ui import lab, live, machines, rights, tables

POLL_SECONDS = 1.1


def show() -> None:
    """A box for each machine; nothing where the lab has no cluster."""
    address = machines.address()
    if address is None:
        return
    st.subheader("Machines", anchor=False)
    machines.known()  # which looks for them, the first time
    looking = machines.outlook().looking
    live.every(POLL_SECONDS if looking else None, _boxes, address, looking)


def _boxes(address: str, looking: bool) -> None:
    seen = machines.outlook()
    if looking and not seen.looking:
        live.anew()  # the clock of this part stops
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(tables.plain(f"The cluster {address}."), width="stretch")
        pressed = st.button(
            "Look again", key="look-again", icon=":material/refresh:", **rights.limits(seen.looking)
        )
    if pressed and rights.attempt(lab.look_again):
        st.rerun()
    if seen.looking:
        st.info("Asking every machine what it has.", icon=":material/hourglass_empty:")
    elif seen.wrong:
        st.error(tables.plain(seen.wrong), icon=":material/error:")
    elif not seen.machines:
        st.info("The cluster has no machine yet; start Ray on one.", icon=":material/dns:")
    training = lab.lab().training()
    columns = st.columns(max(2, min(len(seen.machines), 3)))
    for number, machine in enumerate(seen.machines):
        with columns[number % len(columns)]:
            _box(machine, training.get(machine.name))


def _box(machine: MachineFacts, run_id: str | None) -> None:
    with st.container(border=True):
        word, icon = _state(machine, run_id)
        st.badge(word, icon=icon, color="gray")
        st.subheader(tables.plain(machine.name), anchor=False)
        if machine.hardware:
            _hardware(machine)
        if machine.problem:
            st.error(tables.plain(machine.problem), icon=":material/error:")
        disk = words.size(machine.free_disk_mb and machine.free_disk_mb * 1e6)
        where = f"Host {machine.host}, {machine.address}; {disk} of disk free."
        st.caption(tables.plain(where))


def _state(machine: MachineFacts, run_id: str | None) -> tuple[str, str]:
    """Its badge: word, icon."""
    if machine.problem:
        return "Cannot be used", ":material/error:"
    if run_id or machine.busy:
        return ("Trains for this lab" if run_id else "Busy"), ":material/play_circle:"
    if machine.busy is None:
        return "Unknown", ":material/help:"
    return "Free", ":material/check_circle:"


def _hardware(machine: MachineFacts) -> None:
    found = machine.hardware
    assert found
    st.write(tables.plain(spoken(machine)))
    with st.container(horizontal=True):
        st.metric("Usable cores", words.number(found.cpu.usable_cores), width="content")
        st.metric("Memory", words.size(found.cpu.memory_mb * 1e6), width="content")
        st.metric("Accelerators", words.count(len(found.accelerators)), width="content")
    named = {"cnnlab": "CNN Lab", "torch": "torch", "keras": "Keras", "python": "Python"}
    versions = (f"{called} {found.versions.get(key)}" for key, called in named.items())
    st.caption(tables.plain(", ".join(versions)))
