"""What there is to train on: the lab's own computer, and the machines of its cluster.

The cluster is asked in a thread, when a page first wants to know and when somebody wishes it: that
takes seconds, and a page does not wait. Without a cluster nothing here does anything.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from functools import cache

from cnnlab import cluster
from cnnlab.cluster import MachineFacts
from cnnlab.devices import NO_COMPILER, Accelerator, Hardware, compiler
from cnnlab.devices.cpu import cpu_name as read_cpu_name
from cnnlab.spec import HERE, ExperimentSpec, LabError, Problem, quoted
from cnnlab.ui.held import Held

log = logging.getLogger(__name__)


class Outlook:
    """The machines as they were when somebody last looked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.machines: tuple[MachineFacts, ...] = ()
        self.looked = False
        self.wrong: str | None = None
        """Why the last look failed."""

    @property
    def looking(self) -> bool:
        """Whether somebody looks right now."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def look(self) -> None:
        """Ask the cluster, unless somebody does already."""
        with self._lock:
            if not self.looking:
                self._thread = threading.Thread(target=self._look, name="cnnlab-look", daemon=True)
                self._thread.start()

    def _look(self) -> None:
        try:
            self.machines, self.wrong = tuple(cluster.look()), None
        except LabError as error:
            self.wrong = str(error)
        self.looked = True


outlook = Held(Outlook, lambda _: None)


def address() -> str | None:
    """The cluster that is named; None where there is none, or its address is no good."""
    try:
        return cluster.named()
    except LabError:
        log.warning("CNNLAB_CLUSTER names no cluster", exc_info=True)
        return None


def known() -> tuple[MachineFacts, ...]:
    """The machines of the cluster; none before the first look is done, or without a cluster."""
    if address() is None:
        return ()
    found = outlook()
    if not found.looked:
        found.look()
    return found.machines


def names() -> list[str]:
    """What `machine` may be: here, and each machine that can take a run."""
    return [HERE, *(machine.name for machine in known() if machine.problem is None)]


def hardware_of(name: str) -> Hardware | None:
    """What a machine of the cluster has; None where it is not known."""
    return next((each.hardware for each in known() if each.name == name), None)


def labels() -> dict[str, str]:
    """`names`, each with what it has."""
    facts = {machine.name: cluster.spoken(machine) for machine in known()}
    return {name: f"{name}: {facts[name]}" if name in facts else "Here" for name in names()}


def devices_of(found: Hardware | None) -> list[str]:
    """What `device` may be on a machine: auto, cpu, and each accelerator once it is known."""
    return ["auto", "cpu", *(card.key for card in (found.accelerators if found else ()))]


def device_labels_of(found: Hardware | None, cpu: str) -> dict[str, str]:
    """`devices_of`, each under its real name."""
    cards = found.accelerators if found else ()
    return {
        "auto": "Automatic",
        "cpu": f"CPU: {cpu}",
        **{card.key: f"GPU: {card.name}" + _ordinal(card, cards) for card in cards},
    }


@cache
def cpu_here() -> str:
    """Read once: some systems start a program to tell it."""
    return read_cpu_name()


def _ordinal(card: Accelerator, cards: Sequence[Accelerator]) -> str:
    """Tells cards of one name apart."""
    return f" ({card.key})" if [other.name for other in cards].count(card.name) > 1 else ""


def problems(spec: ExperimentSpec, found: Hardware | None) -> list[Problem]:
    """Why a spec cannot run where it is to.

    Args:
        found: what its machine has; null: not known yet, so that the worker is left to refuse.
    """
    wrong = []
    if why := _no_machine(spec.machine):
        wrong.append(Problem(field="machine", value=quoted(spec.machine), allowed=why))
    whole = spec.device if spec.device in ("auto", "cpu") or ":" in spec.device else None
    wanted = whole or f"{spec.device}:0"
    there = devices_of(found)
    if found is not None and not {spec.device, wanted} & {
        *there,
        *(key.partition(":")[0] for key in there),
    }:
        where = "here" if spec.machine == HERE else f"on {spec.machine}"
        allowed = f"only {', '.join(there)} are {where}"
        wrong.append(Problem(field="device", value=quoted(spec.device), allowed=allowed))
    if spec.compile and spec.machine == HERE and compiler() is None:
        wrong.append(Problem(field="compile", value="on", allowed=NO_COMPILER))
    if spec.gpu_off != "none" and spec.device not in ("auto", "cpu"):
        allowed = f"it switches off the device, {spec.device}; choose none, or the device auto"
        wrong.append(Problem(field="gpu_off", value=quoted(spec.gpu_off), allowed=allowed))
    return wrong


def _no_machine(name: str) -> str | None:
    """Why no run can go to a machine, as far as that is known."""
    if name == HERE:
        return None
    if address() is None:
        return "this lab has no cluster: it must be here, or CNNLAB_CLUSTER must name one"
    found = known()
    if not outlook().looked:
        return None
    if wrong := outlook().wrong:
        return f"the cluster cannot be asked: {wrong.rstrip('.')}"
    machine = next((each for each in found if each.name == name), None)
    if machine is None:
        return f"there are only {', '.join(names())}"
    return machine.problem and f"it can take no run: {machine.problem.rstrip('.')}"
