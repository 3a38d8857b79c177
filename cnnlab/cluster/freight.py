"""What travels between the lab and a node: prepared data there, what a run left back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import ray

from cnnlab import datasets
from cnnlab.cluster.node import RUN_FOLDERS, content_hash
from cnnlab.spec import ExperimentSpec, LabError, home

PIECE = 2**20
"""Bytes that travel at once: large beside what a call costs, and so small that a line of 1 Mbit/s
brings them well within the lease of the process that waits meanwhile."""

SETTLE_SECONDS = 1800.0
"""For the node to read what it was given: the largest data from a slow disk."""

Call = Callable[..., Any]
"""Calls a method of the holder by name, and waits for its answer."""
Progress = Callable[[float], None]


def send_data(spec: ExperimentSpec, call: Call, progress: Progress) -> str | None:
    """Make sure that the node has what a run learns from.

    Sets that are drawn are drawn there; published ones that are not prepared here are downloaded
    there. Anything else goes there from the store of this lab, once: it is kept under the hash of
    its content, and no path that is named here is opened there.

    Returns:
        The key in the node's store that the name of the data set stands for; null: its own.

    Raises:
        LabError: it cannot be had here, or did not arrive whole.
    """
    entry = datasets.REGISTRY.get(spec.dataset)
    if entry and entry.draw:
        return None
    if entry is None:
        datasets.fetch(spec.dataset)
    here = datasets.prepared(spec.dataset)
    if here is None or (entry and call("has", here.name)):
        return None
    digest = content_hash(here)
    key = f"shipped-{digest[:32]}"
    if not call("has", key):
        _ship(here, key, digest, call, progress)
    return key


def _ship(here: Path, key: str, digest: str, call: Call, progress: Progress) -> None:
    draft = f"datasets/.prepared/.draft-{uuid4().hex}"
    files = sorted(path for path in here.iterdir() if path.is_file())
    total, sent = sum(path.stat().st_size for path in files) or 1, 0
    for path in files:
        with path.open("rb") as file:
            offset = 0
            while (data := file.read(PIECE)) or not offset:
                call("put", f"{draft}/{path.name}", offset, ray.put(data))
                offset += len(data)
                sent += len(data)
                progress(sent / total)
                if not data:
                    break
    if not call("settle", draft, f"datasets/.prepared/{key}", digest, seconds=SETTLE_SECONDS):
        raise LabError("The data set did not arrive whole on the machine; start the run again.")


def send_run(run_id: str, call: Call) -> None:
    """Put what a run left here where it is to go on."""
    call("forget", run_id)
    for folder in RUN_FOLDERS:
        for path in sorted((home() / folder / run_id).rglob("*")):
            if path.is_file():
                _send(path, path.relative_to(home()).as_posix(), call)


def _send(path: Path, name: str, call: Call) -> None:
    with path.open("rb") as file:
        offset = 0
        while data := file.read(PIECE):
            call("put", name, offset, ray.put(data))
            offset += len(data)


class Returns:
    """Brings back what a run leaves on the node, each file once it is there in a new state."""

    def __init__(self, run_id: str, call: Call) -> None:
        self._run_id, self._call = run_id, call
        self._have: dict[str, tuple[int, int]] = {}

    def bring(self) -> None:
        """Fetch what is new; what is outdated there, and gone, goes here as well.

        Raises:
            OSError: the disk here cannot take it.
        """
        left = {name: (size, written) for name, size, written in self._call("left", self._run_id)}
        for name, state in left.items():
            if self._have.get(name) != state and self._fetch(name, state[0]):
                self._have[name] = state
        for folder in RUN_FOLDERS:
            there = {name for name in left if name.startswith(f"{folder}/")}
            if any(self._have.get(name) == left[name] for name in there):  # never the last one here
                self._drop_others(home() / folder / self._run_id, there)

    def _drop_others(self, place: Path, there: set[str]) -> None:
        for path in list(place.rglob("*")):
            name = path.relative_to(home()).as_posix()
            if name not in there and path.suffix != ".part" and path.is_file():
                path.unlink(missing_ok=True)
                self._have.pop(name, None)

    def _fetch(self, name: str, size: int) -> bool:
        target = home() / name
        if not target.resolve().is_relative_to(home().resolve()):
            raise LabError(f"The machine named a file outside the lab's home, {name}: look at it.")
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.part")
        with part.open("wb") as file:
            while file.tell() < size and (data := self._call("read", name, file.tell(), PIECE)):
                file.write(data)
            whole = file.tell() >= size
        if whole:
            part.replace(target)
        else:  # it was outdated meanwhile
            part.unlink()
        return whole
