"""The machine on a page: processor, accelerators, software, and the off-switches."""

from __future__ import annotations

import streamlit as st

from cnnlab import words
from cnnlab.devices import OFF_SWITCHES, Accelerator, Cpu, Hardware
from cnnlab.spec import GpuOff, LabError
from cnnlab.ui import lead, live, rights, tables
from cnnlab.ui.lab import hardware, lab, try_switch

POLL_SECONDS = 1.0
ICON_NONE = ":material/developer_board_off:"


def machine() -> None:
    """What is here; until the first worker has looked, an honest wait."""
    found = hardware()
    if found is None:
        live.every(POLL_SECONDS, _wait)
        return
    lead.figure(*_leading(found))
    left, right = st.columns(2)
    with left:
        _cpu(found.cpu)
    with right:
        for card in found.accelerators:
            _accelerator(card)
        if not found.accelerators:
            _no_accelerator()
    with st.expander("Software", icon=":material/deployed_code:"):
        versions = found.versions | {"system": found.platform}
        st.dataframe(tables.facts_table(versions), hide_index=True)


def _leading(found: Hardware) -> tuple[str, str]:
    """The accelerators and the cores beside them, or the cores alone."""
    cores = words.number(found.cpu.usable_cores)
    unit = "core" if found.cpu.usable_cores == 1 else "cores"
    if not found.accelerators:
        return f"{cores} {unit}", "to train on, and no accelerator"
    count = len(found.accelerators)
    cards = "accelerator" if count == 1 else "accelerators"
    return f"{count} {cards}", f"to train on, and {cores} {unit} of a CPU"


def _wait() -> None:
    if hardware() is not None:
        live.anew()
    st.info(
        "Looking around: the first training process is starting and will tell what it sees. That "
        "takes some seconds, because it loads torch and Keras.",
        icon=":material/hourglass_empty:",
    )


def _cpu(cpu: Cpu) -> None:
    with st.container(border=True, height="stretch"):
        st.badge("CPU", icon=":material/memory:", color="blue")
        st.subheader(tables.plain(cpu.name), anchor=False)
        with st.container(horizontal=True):
            st.metric("Usable cores", words.number(cpu.usable_cores), width="content")
            st.metric("Memory", words.size(cpu.memory_mb * 1e6), width="content")
            st.metric("Threads per operation", words.count(cpu.threads), width="content")
        cores = f"{words.count(cpu.physical_cores)} cores, {cpu.logical_cores} logical"
        sets = ", ".join(cpu.instruction_sets) or "none of note"
        st.caption(f"The machine has {cores}. Instruction sets: {sets}.")


def _accelerator(card: Accelerator) -> None:
    with st.container(border=True, height="stretch"):
        st.badge(f"Accelerator {card.key}", icon=":material/developer_board:", color="orange")
        st.subheader(tables.plain(card.name), anchor=False)
        with st.container(horizontal=True):
            memory = card.memory_mb and card.memory_mb * 1e6
            st.metric("Memory", words.size(memory), width="content")
            st.metric("Power limit", _unit(card.power_limit_w, "W"), width="content")
            st.metric("Clock", _unit(card.clock_mhz, "MHz"), width="content")
        facts = [
            f"Driver {card.driver or 'unknown'}",
            f"compute capability {card.compute_capability}" if card.compute_capability else "",
            f"drawing {_unit(card.power_w, 'W')} when looked at" if card.power_w else "",
        ]
        st.caption(", ".join(filter(None, facts)) + ".")


def _unit(value: float | None, unit: str) -> str:
    return words.UNKNOWN if value is None else f"{words.number(value)} {unit}"


def _no_accelerator() -> None:
    with st.container(border=True, height="stretch"):
        st.badge("No accelerator", icon=ICON_NONE, color="gray")
        st.write("Torch can use none here, so everything trains on the CPU.")
        st.caption(
            "An NVIDIA card needs its driver and torch's CUDA build, an Apple chip macOS 12.3."
        )


def off_switches() -> None:
    """The ways to keep a run off the GPU: what each does, and its code."""
    grid = st.grid(len(OFF_SWITCHES), min_column_width=280)
    for way, switch in OFF_SWITCHES.items():
        with grid.cell(), st.container(border=True, height="stretch"):
            st.markdown(f"**{switch.title}**")
            st.write(switch.explanation)
            st.code(switch.code, language="python", wrap_lines=True)
            _try_it(way)


def _try_it(way: GpuOff) -> None:
    """Throw the switch in a process made for it, unless that would disturb a timed run."""
    busy = lab().busy()
    asked = st.button(
        "Try it",
        key=f"try-{way}",
        icon=":material/science:",
        **rights.limits(busy, "Something is being timed; try it afterwards." if busy else None),
    )
    if not asked:
        return
    try:
        with st.spinner("A fresh process loads torch and Keras …"):
            seen = try_switch(way)
    except LabError as error:
        st.error(tables.plain(str(error)))
        return
    layer = "new_layer_in_cpu_scope" if way == "device" else "new_layer"
    lies = f"A new layer's weights lie on: {seen['keras'][layer]}"
    found = hardware()
    if found and not found.accelerators:
        st.info(f"There is no GPU here to hide. {lies}, as without the switch.", icon=ICON_NONE)
    else:
        st.success(f"{lies}.", icon=":material/check:")
    st.dataframe(tables.facts_table(seen), hide_index=True)
