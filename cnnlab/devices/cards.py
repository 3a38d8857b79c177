"""Accelerators: what torch can compute on, and what NVIDIA's management library says of a card."""

from __future__ import annotations

import logging
import os
import time
from typing import Any, Literal, get_args

from cnnlab.spec import Frozen

log = logging.getLogger(__name__)

Kind = Literal["cuda", "mps", "xpu"]


NOTABLE_USE_PERCENT = 5
"""Of a card's processors: a desktop that draws nothing new uses less."""


class Accelerator(Frozen):
    """One device beside the CPU. Readings are of the moment, null where they cannot be had."""

    key: str
    """torch's name of it, e.g. `cuda:0`."""
    name: str
    kind: Kind
    memory_mb: float | None = None
    """MB (10^6 bytes); on Apple chips what Metal recommends at most of the shared memory."""
    driver: str | None = None
    compute_capability: str | None = None
    clock_mhz: float | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    """Cards of one name differ in it, laptops' above all, and so in speed."""
    temperature_c: float | None = None
    unreadable: str | None = None
    """Why there are no readings, where there are none."""


class Unreadable(Exception):
    """A sensor that cannot be read; the message says why."""


class Card:
    """One NVIDIA card as NVML sees it.

    Found by its UUID: torch counts only the visible cards, in its own order; NVML counts all.

    Raises:
        Unreadable: there is no driver, or NVML does not know the card.
    """

    def __init__(self, device: str) -> None:
        import pynvml
        import torch

        uuid = str(torch.cuda.get_device_properties(device).uuid)
        try:
            pynvml.nvmlInit()
            self._handle = _handle(uuid)
            self.driver: str = pynvml.nvmlSystemGetDriverVersion()
            self._asked = int(time.time() * 1e6)  # NVML stamps its samples in microseconds
        except pynvml.NVMLError as error:
            raise Unreadable(f"NVML answers: {error}") from error

    def ask(self, question: str, *arguments: Any) -> Any:
        """Call one of NVML's `nvmlDeviceGet...` functions, named without that beginning.

        Raises:
            Unreadable: the card or the driver does not answer it.
        """
        import pynvml

        try:
            return getattr(pynvml, f"nvmlDeviceGet{question}")(self._handle, *arguments)
        except pynvml.NVMLError as error:
            raise Unreadable(f"NVML answers {question} with: {error}") from error

    def slowed(self) -> bool:
        """The card holds its own clock down: it is too hot, or its power supply asks for it.

        The power *limit* is not counted: most cards run at it under full load, and by design.

        Raises:
            Unreadable: the driver does not say.
        """
        import pynvml

        try:
            reasons = self.ask("CurrentClocksEventReasons")
        except Unreadable:  # older drivers know it by its older name only
            reasons = self.ask("CurrentClocksThrottleReasons")
        slow = (
            pynvml.nvmlClocksEventReasonHwSlowdown
            | pynvml.nvmlClocksEventReasonSwThermalSlowdown
            | pynvml.nvmlClocksEventReasonHwThermalSlowdown
            | pynvml.nvmlClocksEventReasonHwPowerBrakeSlowdown
        )
        return bool(reasons & slow)

    def others(self) -> frozenset[int] | None:
        """Numbers of the other processes that hold a compute context on the card; null where this
        one, which holds one, is not among those listed: in a container they may go by other names.

        Raises:
            Unreadable: the driver does not list them.
        """
        here = {process.pid for process in self.ask("ComputeRunningProcesses")}
        return frozenset(here - {os.getpid()}) if os.getpid() in here else None

    def used_by_others(self) -> bool | None:
        """Whether other processes computed or drew on the card since this was last asked; null
        where that cannot be told. Where a driver tells no process's use, as of a slice of a card
        (MIG), one that holds a context is taken to use it.

        Raises:
            Unreadable: the driver does not list processes.
        """
        import pynvml

        others = self.others()
        if others is None:
            return None
        try:
            samples = self.ask("ProcessUtilization", self._asked)
        except Unreadable as error:
            nothing_new = isinstance(error.__cause__, pynvml.NVMLError_NotFound)
            return False if nothing_new else bool(others)
        self._asked = max([self._asked, *(sample.timeStamp for sample in samples)])
        theirs = (sample.smUtil for sample in samples if sample.pid != os.getpid())
        return max(theirs, default=0) >= NOTABLE_USE_PERCENT


def _handle(uuid: str) -> Any:
    """NVML's handle of the card, or of the slice of a card (MIG), with torch's UUID."""
    import pynvml

    try:
        return pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    except pynvml.NVMLError_NotFound:
        return pynvml.nvmlDeviceGetHandleByUUID(f"MIG-{uuid}")


def shared(device: str) -> bool | None:
    """Whether other processes hold a context on an NVIDIA card; null where that is not known, and
    of other devices.
    """
    if not device.startswith("cuda"):
        return None
    try:
        others = Card(device).others()
    except Unreadable:
        log.warning("who else uses %s cannot be read", device, exc_info=True)
        return None
    return None if others is None else bool(others)


def count(kind: str) -> int:
    """How many devices of a kind torch offers, asked as Keras asks: through `is_available`."""
    import torch

    asked = torch.backends.mps if kind == "mps" else getattr(torch, kind)
    return getattr(torch, kind).device_count() if asked.is_available() else 0


def keys() -> list[str]:
    """The accelerators here, best first.

    CUDA first because a machine with a discrete card may have an Intel one built in; within CUDA
    the driver already puts the fastest card first.
    """
    return [f"{kind}:{index}" for kind in get_args(Kind) for index in range(count(kind))]


def accelerators() -> tuple[Accelerator, ...]:
    """Every accelerator that torch offers in this process."""
    return tuple(accelerator(key) for key in keys())


def accelerator(key: str) -> Accelerator:
    """Facts and present readings of one accelerator, e.g. `cuda:0`."""
    kind = key.partition(":")[0]
    return {"cuda": _cuda, "mps": _mps, "xpu": _xpu}[kind](key)


def _cuda(key: str) -> Accelerator:
    import torch

    properties = torch.cuda.get_device_properties(key)
    return Accelerator(
        key=key,
        name=properties.name,
        kind="cuda",
        memory_mb=properties.total_memory / 1e6,
        compute_capability=f"{properties.major}.{properties.minor}",
        **_readings(key),
    )


def _readings(key: str) -> dict[str, Any]:
    """NVML's readings as fields of `Accelerator`."""
    import pynvml

    try:
        card = Card(key)
    except Unreadable as error:
        return {"unreadable": str(error)}
    questions: dict[str, tuple[float, str, tuple[int, ...]]] = {
        "clock_mhz": (1, "ClockInfo", (pynvml.NVML_CLOCK_SM,)),
        "power_w": (1e-3, "PowerUsage", ()),
        "power_limit_w": (1e-3, "EnforcedPowerLimit", ()),
        "temperature_c": (1, "Temperature", (pynvml.NVML_TEMPERATURE_GPU,)),
    }
    fields: dict[str, Any] = {"driver": card.driver}
    missing = []
    for field, (scale, question, arguments) in questions.items():
        try:
            fields[field] = card.ask(question, *arguments) * scale
        except Unreadable as error:
            missing.append(str(error))
    return fields | {"unreadable": "; ".join(missing) or None}


def _mps(key: str) -> Accelerator:
    import torch

    return Accelerator(
        key=key,
        name=torch.backends.mps.get_name(),
        kind="mps",
        memory_mb=torch.mps.recommended_max_memory() / 1e6,
        unreadable="macOS shows clock, power and temperature to root alone",
    )


def _xpu(key: str) -> Accelerator:
    import torch

    properties = torch.xpu.get_device_properties(key)
    return Accelerator(
        key=key,
        name=properties.name,
        kind="xpu",
        memory_mb=properties.total_memory / 1e6,
        driver=properties.driver_version,
        unreadable="no clock, power or temperature is read from Intel GPUs",
    )
