"""`machines`: what the cluster has, and whether runs can go there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from cnnlab import cluster, words
from cnnlab.cluster import MachineFacts, spoken
from cnnlab.commands.shared import emit_json, err, out
from cnnlab.spec import LabError


@click.group("machines")
def machines() -> None:
    """The machines of the cluster that CNNLAB_CLUSTER names."""


@machines.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def list_machines(as_json: bool) -> int:
    """Say what every machine has, and whether it is free."""
    return _show(_look(check=False), as_json)


@machines.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def check_machines(as_json: bool) -> int:
    """Say whether a run can go to each machine, and how long a call takes; 1 where one cannot."""
    found = _look(check=True)
    _show(found, as_json)
    return 1 if not found or any(machine.problem for machine in found) else 0


def _look(*, check: bool) -> list[MachineFacts]:
    address = cluster.named()
    if address is None:
        raise LabError(
            "No cluster is named: set CNNLAB_CLUSTER to ray://HOST:10001, or to auto on a computer "
            "that is part of one."
        )
    with err.status(f"Asking {address}"):
        return cluster.look(check=check)


def _show(found: list[MachineFacts], as_json: bool) -> int:
    if as_json:
        emit_json({"cluster": cluster.named(), "machines": [_document(each) for each in found]})
        return 0
    table = Table("machine", "state", "device", "cores", "CNN Lab", "torch", "Keras", "call")
    for each in found:
        versions = each.hardware.versions if each.hardware else {}
        table.add_row(
            escape(each.name),
            _state(each),
            escape(spoken(each)),
            words.number(each.hardware.cpu.usable_cores) if each.hardware else words.UNKNOWN,
            *(versions.get(name) or words.UNKNOWN for name in ("cnnlab", "torch", "keras")),
            "" if each.round_trip_ms is None else f"{words.number(each.round_trip_ms)} ms",
        )
    out.print(table)
    for each in found:
        if each.problem:
            err.print(each.problem, markup=False, soft_wrap=True)
    return 0


def _state(machine: MachineFacts) -> str:
    if machine.problem:
        return "cannot be used"
    return {True: "busy", False: "free", None: "unknown"}[machine.busy]


def _document(machine: MachineFacts) -> dict[str, Any]:
    """A machine with what is asked most at hand, and all that is known of its hardware."""
    found = machine.hardware
    return {
        "name": machine.name,
        "node": machine.node,
        "host": machine.host,
        "address": machine.address,
        "state": _state(machine),
        "busy": machine.busy,
        "problem": machine.problem,
        "cpu": found and found.cpu.name,
        "cores": found and found.cpu.usable_cores,
        "accelerators": [card.name for card in found.accelerators] if found else None,
        "versions": found and found.versions,
        "free_disk_mb": machine.free_disk_mb,
        "round_trip_ms": machine.round_trip_ms,
        "hardware": found and found.model_dump(mode="json"),
    }


def devices_on(machine: str, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """The devices of a machine of the cluster that are to be measured.

    Raises:
        LabError: it cannot be used, or has them not.
    """
    facts = cluster.one_called(machine)
    if facts.problem or facts.hardware is None:
        raise LabError(facts.problem or f"{machine} could not tell what it has; try again.")
    there = ("cpu", *(card.key for card in facts.hardware.accelerators))
    if missing := [device for device in wanted or () if device not in there]:
        raise LabError(f"There is no {missing[0]} on {machine}; choose {', '.join(there)}.")
    return tuple(wanted or there[:2])
