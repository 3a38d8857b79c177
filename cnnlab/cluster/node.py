"""What stands on a node: the holder of one training process, and a look around.

This module is sent to the node by value and imports nothing but the standard library: a node that
has another version of the lab, or none, can still say so. Its calls are ordinary ones that may be
repeated: lines are numbered both ways, so that a connection that breaks loses and doubles none.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

LEASE_SECONDS = 20.0
"""How long a training process outlives its lab's last word. Shorter than the lab's own patience, so
that a run which the lab gives up for lost has ended."""
LINES_AT_ONCE = 500
RUN_FOLDERS = ("checkpoints", "learned")
"""Below the home: what a run leaves behind, in a folder of its id each."""
LEFTOVER_SECONDS = 7 * 24 * 3600
SURVEY_SECONDS = 90.0
RAYS_OWN = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
"""Ray sets these for an actor as it likes; a run's process has what the node's owner has set."""


class Holder:
    """Holds one training process: an actor, whose calls may come at the same time."""

    def __init__(self, machine: str, node: str, leave: Callable[[], object]) -> None:
        """
        Args:
            leave: ends this process, once nobody will come for what it holds.
        """
        self._home, self._leave = home_of(machine), leave
        self._node = node
        self._changed = threading.Condition()
        self._lines: deque[str] = deque()
        self._first = 0  # the number of the oldest line that is kept
        self._heard = 0
        self._code: int | None = None
        self._why = ""
        self._called_at = time.monotonic()
        self._seat: IO[str] | None = None
        self._process: subprocess.Popen[str] | None = None
        self._reading = threading.Lock()
        self._held: dict[str, IO[bytes]] = {}  # what a run left, as it was when last told of

    def begin(self, gpu_off: str, variables: dict[str, str]) -> str:
        """Start the training process; why it cannot be, or nothing."""
        with self._changed:
            self._called_at = time.monotonic()
            if self._process:
                return ""
            root = lab_root()
            if root is None:
                return NO_LAB
            drop_leftovers(self._home)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cnnlab.worker", gpu_off],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                env=own_environment(root) | {"CNNLAB_HOME": str(self._home)} | variables,
                start_new_session=True,
            )
        for work in (self._read, self._watch):
            threading.Thread(target=work, daemon=True).start()
        return ""

    # --- lines ------------------------------------------------------------------------------

    def said(self, after: int, wait_seconds: float) -> tuple[list[str], int | None, str]:
        """The lines from number `after` on, as soon as there is one; earlier ones are forgotten.

        Returns:
            The lines; and once all are told and the process is no more, its exit code and why it
            was ended here, if it was.
        """
        with self._changed:
            self._called_at = time.monotonic()
            while self._lines and self._first < after:
                self._lines.popleft()
                self._first += 1
            self._changed.wait_for(lambda: self._lines or self._code is not None, wait_seconds)
            self._called_at = time.monotonic()
            told = [self._lines[place] for place in range(min(len(self._lines), LINES_AT_ONCE))]
            over = self._code if len(told) == len(self._lines) else None
            return told, over, self._why

    def hear(self, number: int, line: str | None) -> None:
        """Hand the process its next line, unless it has it; None closes its stdin."""
        with self._changed:
            if number < self._heard or self._process is None:
                return
            self._heard = number + 1
            stdin = self._process.stdin
            assert stdin
            try:
                if line is None:
                    stdin.close()
                else:
                    stdin.write(line + "\n")
                    stdin.flush()
            except (OSError, ValueError):
                return  # it is gone, as whoever reads its lines finds out

    def occupy(self) -> bool:
        """Take the machine for something that is timed; False while another lab has it."""
        with self._changed:
            self._seat = self._seat or take_seat(self._node)
            return self._seat is not None

    def vacate(self) -> None:
        """Let the machine go."""
        with self._changed:
            seat, self._seat = self._seat, None
            if seat:
                seat.close()

    def kill(self, why: str = "") -> None:
        """End the process at once."""
        with self._changed:
            if self._process and self._code is None:
                self._why = self._why or why
                with contextlib.suppress(ProcessLookupError):  # it ended in this moment
                    os.killpg(self._process.pid, signal.SIGKILL)

    def _read(self) -> None:
        assert self._process
        assert self._process.stdout
        for line in self._process.stdout:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()
        code = self._process.wait()
        with self._changed:
            self._code = code
            self._changed.notify_all()
        self.vacate()

    def _watch(self) -> None:
        """End the process when its lab says nothing any more, and leave when that lasts."""
        while (silent := time.monotonic() - self._called_at) <= 2 * LEASE_SECONDS:
            time.sleep(min(1.0, LEASE_SECONDS))
            if silent > LEASE_SECONDS:
                self.kill("lease")
        self._leave()

    # --- files ------------------------------------------------------------------------------

    def left(self, run_id: str) -> list[tuple[str, int, int]]:
        """What a run has left so far: names below the home, sizes, and times of writing (ns).

        A file may be removed, or another put in its place, within an epoch, which may be less than
        a call takes: each is held open, and can be read as it is now until this is asked again.
        They are some ten, and the frames of a film, 200 at most.
        """
        self._called_at = time.monotonic()
        found: list[tuple[str, int, int]] = []
        held: dict[str, IO[bytes]] = {}
        for path in self._files_of(run_id):
            name = path.relative_to(self._home).as_posix()
            with contextlib.suppress(FileNotFoundError):  # outdated since it was listed
                held[name] = path.open("rb")
                facts = os.fstat(held[name].fileno())
                found.append((name, facts.st_size, facts.st_mtime_ns))
        self._hold(held)
        return found

    def _hold(self, files: dict[str, IO[bytes]]) -> None:
        with self._reading:
            before, self._held = self._held, files
        for file in before.values():
            file.close()

    def _files_of(self, run_id: str) -> Iterator[Path]:
        for folder in RUN_FOLDERS:  # a walk passes over what goes while it is under way
            for place, _, names in os.walk(self._home / folder / Path(run_id).name):
                yield from (
                    Path(place, name) for name in sorted(names) if not name.endswith(".part")
                )

    def read(self, name: str, offset: int, count: int) -> bytes | None:
        """A piece of a file that a run left, as `left` last told of it; None where it did not."""
        self._called_at = time.monotonic()
        with self._reading:
            file = self._held.get(name)
            if file is None:
                return None
            file.seek(offset)
            return file.read(count)

    def forget(self, run_id: str) -> None:
        """Remove what a run left here."""
        self._hold({})
        for folder in RUN_FOLDERS:
            shutil.rmtree(self._home / folder / Path(run_id).name, ignore_errors=True)

    def has(self, key: str) -> bool:
        """Whether a prepared data set is here."""
        return (self._home / "datasets" / ".prepared" / Path(key).name / "meta.json").is_file()

    def put(self, name: str, offset: int, data: bytes) -> None:
        """Write a piece of a file below the home. An OSError where the disk cannot take it."""
        target = self._within(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            file.write(data)

    def settle(self, draft: str, place: str, digest: str) -> bool:
        """Move a folder that was put here to its place; False where its content is not `digest`."""
        here, there = self._within(draft), self._within(place)
        if there.is_dir():
            shutil.rmtree(here, ignore_errors=True)
            return True
        right = content_hash(here) == digest
        if right:
            there.parent.mkdir(parents=True, exist_ok=True)
            here.replace(there)
        else:
            shutil.rmtree(here, ignore_errors=True)
        return right

    def _within(self, name: str) -> Path:
        path = (self._home / name).resolve()
        if not path.is_relative_to(self._home.resolve()):
            raise ValueError(f"{name} is not below the lab's home on this node")
        return path


NO_LAB = (
    "has no CNN Lab that Python finds: start Ray there in the lab's folder with PYTHONPATH=$PWD, "
    "and with the Python of its environment"
)


def home_of(machine: str) -> Path:
    """The home of the training processes here, apart from that of a lab that is used here."""
    named = os.environ.get("CNNLAB_HOME")
    return Path(named or "~/.cnnlab").expanduser() / "cluster" / Path(machine).name


def lab_root() -> Path | None:
    """The folder that holds the lab's package here."""
    found = importlib.util.find_spec("cnnlab")
    return Path(found.origin).parents[1] if found and found.origin else None


def own_environment(root: Path) -> dict[str, str]:
    """What the node's owner gave to Ray, without what Ray made of it for this process."""
    mine, before = dict(os.environ), given_to(os.getppid())
    for name in RAYS_OWN:
        mine.pop(name, None)
        if name in before:
            mine[name] = before[name]
    paths = [str(root), *filter(None, [mine.get("PYTHONPATH")])]
    return mine | {"PYTHONPATH": os.pathsep.join(paths), "KERAS_BACKEND": "torch"}


def given_to(pid: int) -> dict[str, str]:
    """The variables that a process began with; empty where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "replace")
    except OSError:
        return {}
    return dict(pair.split("=", 1) for pair in text.split("\0") if "=" in pair)


def take_seat(node: str) -> IO[str] | None:
    """Hold the one place for timed work on this node, until it is closed or this process ends."""
    file = (Path(tempfile.gettempdir()) / f"cnnlab-{os.getuid()}-{node}.seat").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def content_hash(folder: Path) -> str:
    """A hash of the names and contents of a folder's files."""
    whole = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            part = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{path.name} {part}\n".encode())
    return whole.hexdigest()


def drop_leftovers(home: Path) -> None:
    """Remove what runs left whose lab never came back for it."""
    for folder in RUN_FOLDERS:
        for place in (home / folder).glob("*"):
            if time.time() - place.stat().st_mtime > LEFTOVER_SECONDS:
                shutil.rmtree(place, ignore_errors=True)


def survey(machine: str, node: str) -> dict[str, Any]:
    """What the lab on this node says of its hardware, whether it is free, and its disk."""
    facts: dict[str, Any] = {"host": socket.gethostname(), "hardware": None, "problem": None}
    seat = take_seat(node)
    facts["busy"] = seat is None
    if seat:
        seat.close()
    home = home_of(machine)
    above = next(path for path in (home, *home.parents) if path.is_dir())
    facts["free_disk_mb"] = shutil.disk_usage(above).free / 1e6
    told = home / "hardware.json"
    if facts["busy"] and told.is_file():  # to ask again would take of the cores that are timed
        return facts | {"hardware": json.loads(told.read_text())}
    root = lab_root()
    if root is None:
        return facts | {"problem": NO_LAB}
    command = [sys.executable, "-m", "cnnlab", "devices", "--json"]
    try:
        done = subprocess.run(
            command,
            env=own_environment(root),
            capture_output=True,
            text=True,
            timeout=SURVEY_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return facts | {"problem": f"did not answer within {SURVEY_SECONDS:.0f} s; look again"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        return facts | {"problem": f"has a CNN Lab that does not start ({last[:200]}); mend it"}
    home.mkdir(parents=True, exist_ok=True)
    told.write_text(done.stdout)
    return facts | {"hardware": json.loads(done.stdout)}
