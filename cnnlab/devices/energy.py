"""Energy of a run: the counters of NVIDIA's cards and of Intel's and AMD's processors."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Literal, Protocol

from cnnlab.devices.cards import Card, Unreadable
from cnnlab.spec import Energy

POWERCAP = Path("/sys/class/powercap")


class Source(Protocol):
    """Something that adds up joules whenever it is polled."""

    name: str
    scope: Literal["package", "card"]
    interval: float
    """Seconds between polls, at most."""
    joules: float

    def poll(self) -> None:
        """Add what was used since the last poll or skip. Raises Unreadable."""

    def skip(self) -> None:
        """Add nothing of what was used since the last poll. Raises Unreadable."""


class EnergyMeter:
    """Energy between `start` and `stop`, or the reason why there is none; never 0 for unknown."""

    def __init__(self) -> None:
        self._source: Source | None = None
        self._failure: Unreadable | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._polling = threading.Lock()
        self._holds = False
        self._host: EnergyMeter | None = None
        """Beside a card: what feeds it."""

    def start(self, device: str) -> None:
        """Begin to measure `device`; where that is impossible, `stop` will say why."""
        if device != "cpu":
            self._host = EnergyMeter()
            self._host.start("cpu")
        try:
            self._source = source_for(device)
        except Unreadable as error:
            self._failure = error
            return
        self._thread = threading.Thread(target=self._run, name="energy", daemon=True)
        self._thread.start()

    def hold(self) -> None:
        """What is used from now on is others'."""
        if self._host:
            self._host.hold()
        self._poll()
        self._holds = True

    def go_on(self) -> None:
        """What is used from now on is the run's again."""
        if self._host:
            self._host.go_on()
        self._poll()
        self._holds = False

    def stop(self) -> Energy:
        """End the measurement.

        Raises:
            RuntimeError: it was never started.
        """
        if self._source is None and self._failure is None:
            raise RuntimeError("EnergyMeter.stop was called before start")
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._poll()  # here, so that the last moments count
        host = self._host.stop().joules if self._host else None
        return self._result().model_copy(update={"host_joules": host})

    def _run(self) -> None:
        assert self._source is not None
        while self._failure is None and not self._stop.wait(self._source.interval):
            self._poll()

    def _poll(self) -> None:
        with self._polling:
            if self._source is None or self._failure is not None:
                return
            try:
                self._source.skip() if self._holds else self._source.poll()
            except Unreadable as error:
                self._failure = error

    def _result(self) -> Energy:
        if self._failure is not None:
            return Energy(source=f"not measurable: {self._failure}")
        assert self._source is not None
        if self._source.joules <= 0:
            return Energy(
                source="not measurable: the run ended before the counter moved "
                f"({self._source.name})"
            )
        return Energy(
            joules=self._source.joules, source=self._source.name, scope=self._source.scope
        )


def source_for(device: str) -> Source:
    """The best energy source for a device, polled once so that it counts from now.

    Raises:
        Unreadable: there is none, and why.
    """
    kind = device.partition(":")[0]
    if kind == "cpu":
        return Rapl()
    if kind != "cuda":
        raise Unreadable(f"no energy counter is read for {kind} devices")
    card = Card(device)
    try:
        return NvmlCounter(card)
    except Unreadable:  # cards before Volta have no counter, but most tell their power
        return NvmlPower(card)


class NvmlCounter:
    """NVML's energy counter: millijoules of the whole card since the driver was loaded."""

    name = "NVML energy counter: the whole card, without CPU and memory of the host"
    scope: Literal["package", "card"] = "card"
    interval = 60.0

    def __init__(self, card: Card) -> None:
        self._card = card
        self._last = self._read()
        self.joules = 0.0

    def poll(self) -> None:
        before = self._last
        self.skip()
        self.joules += (self._last - before) / 1e3

    def skip(self) -> None:
        self._last = self._read()

    def _read(self) -> int:
        return self._card.ask("TotalEnergyConsumption")


class NvmlPower:
    """NVML's power reading, sampled ten times a second and joined by straight lines."""

    name = "NVML power, sampled: the whole card, without CPU and memory of the host"
    scope: Literal["package", "card"] = "card"
    interval = 0.1

    def __init__(self, card: Card) -> None:
        self._card = card
        self.joules = 0.0
        self._last = self._read()

    def poll(self) -> None:
        before = self._last
        self.skip()
        now = self._last
        self.joules += (now[0] - before[0]) * (now[1] + before[1]) / 2

    def skip(self) -> None:
        self._last = self._read()

    def _read(self) -> tuple[float, float]:
        """Seconds and watts."""
        return time.monotonic(), self._card.ask("PowerUsage") / 1e3


class Rapl:
    """RAPL, the processor's own counters: microjoules of each package since they last wrapped.

    Linux shows Intel's and AMD's under the same name (kernel documentation, "Power Capping
    Framework"). A counter wraps at `max_energy_range_uj`, in minutes on a large server, so it is
    polled often enough to miss no turn.
    """

    name = "RAPL: the whole CPU package and everything that ran on it, without memory"
    scope: Literal["package", "card"] = "package"
    interval = 10.0

    def __init__(self) -> None:
        self._zones = _packages()
        self._ranges = [_microjoules(zone / "max_energy_range_uj") for zone in self._zones]
        self._last = self._read()
        self.joules = 0.0

    def poll(self) -> None:
        then = self._last
        self.skip()
        for before, after, full in zip(then, self._last, self._ranges, strict=True):
            turn = full if after < before else 0
            self.joules += (after - before + turn) / 1e6

    def skip(self) -> None:
        self._last = self._read()

    def _read(self) -> list[int]:
        return [_microjoules(zone / "energy_uj") for zone in self._zones]


def _packages() -> list[Path]:
    """The RAPL zones that are whole packages.

    Zones inside a package, the platform's sum (psys) and the second view of the same counters
    (intel-rapl-mmio) would count energy twice.
    """
    zones = [
        zone
        for zone in sorted(POWERCAP.glob("intel-rapl:*"))
        if (zone / "name").is_file() and (zone / "name").read_text().startswith("package")
    ]
    if zones:
        return zones
    if sys.platform == "linux":
        raise Unreadable(
            f"there are no RAPL counters under {POWERCAP}, as in most virtual machines"
        )
    name = {"darwin": "macOS", "win32": "Windows"}.get(sys.platform, sys.platform)
    raise Unreadable(f"{name} shows the CPU's energy counters to privileged programs only")


def _microjoules(path: Path) -> int:
    try:
        return int(path.read_text())
    except PermissionError as error:
        raise Unreadable(
            f"{path} may be read by root only (since CVE-2020-8694); "
            "make it readable for the lab's user to see energy"
        ) from error
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path} cannot be read ({error})") from error
