"""What is known of a machine of the cluster, and whether a run may go there."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path

from cnnlab.devices import Hardware
from cnnlab.spec import Frozen, LabError
from cnnlab.version import VERSION

VARIABLE = "CNNLAB_CLUSTER"
MUST_MATCH = ("cnnlab", "keras", "torch")
"""Whatever speaks the lab's lines, or computes: in another version it might do either otherwise."""


class MachineFacts(Frozen):
    """One node of the cluster."""

    name: str
    """What `--machine` and the form call it: the node's name in Ray, or its host's."""
    node: str
    """Ray's id of the node, another one after each start of it."""
    host: str
    address: str
    hardware: Hardware | None = None
    """Null where the lab there could not tell; `problem` says why."""
    busy: bool | None = None
    """Whether something is timed on it; null where it is not known."""
    free_disk_mb: float | None = None
    round_trip_ms: float | None = None
    """Of a call to the node and back; null where nobody measured it."""
    problem: str | None = None
    """Why no run can go there, in a sentence with the cure; null: one can."""


def named() -> str | None:
    """The cluster that the owner named, such as `ray://host:10001` or `auto`; None: there is none.

    Raises:
        LabError: it is no address of a cluster.
    """
    address = os.environ.get(VARIABLE, "").strip()
    if not address:
        return None
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address != "auto" and not (host and port.isdecimal()):
        raise LabError(
            f"{VARIABLE} is {address!r}, but it must be ray://HOST:10001, HOST:6379, or auto for a "
            "cluster that this computer is part of."
        )
    return address


def surroundings() -> dict[str, str]:
    """Variables of a process that is to import Ray: a token is used wherever there is one, and
    nobody is told of the use."""
    token = Path("~/.ray/auth_token").expanduser()
    given = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys() or token.is_file()
    mode = {"RAY_AUTH_MODE": "token"} if given and "RAY_AUTH_MODE" not in os.environ else {}
    return {"RAY_USAGE_STATS_ENABLED": "0", **mode}


def here() -> dict[str, str]:
    """The versions that must be the same there."""
    return {"cnnlab": VERSION, **{name: metadata.version(name) for name in MUST_MATCH[1:]}}


def mismatch(name: str, found: dict[str, str | None]) -> str | None:
    """Why the versions on a machine forbid a run there, in a sentence with the cure.

    A local part, such as `+cu128`, names a build of the same version.
    """
    for package, wanted in here().items():
        other = found.get(package)
        if other is None or other.partition("+")[0] != wanted.partition("+")[0]:
            called = {"cnnlab": "CNN Lab"}.get(package, package)
            return (
                f"{name} has {called} {other or 'not at all'}, but this lab has {wanted}: install "
                f"the same there (requirements.txt pins it) and start Ray there again."
            )
    return None


def spoken(machine: MachineFacts) -> str:
    """What a machine is, in a few words: its best device."""
    if machine.hardware is None:
        return "unknown"
    cards = [card.name for card in machine.hardware.accelerators]
    return cards[0] if cards else machine.hardware.cpu.name


def python_version() -> str:
    """Major and minor: Ray wants the same everywhere."""
    return ".".join(platform.python_version_tuple()[:2])
