"""The whole machine at a glance, and the flat facts that are stored with each run."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import platform
from pathlib import Path
from typing import Any

from cnnlab.devices import cards, tf32
from cnnlab.devices.cards import Accelerator
from cnnlab.devices.compiler import compiler
from cnnlab.devices.cpu import Cpu, cpu_name, default_threads, describe_cpu, text_of
from cnnlab.spec import Frozen
from cnnlab.version import VERSION

log = logging.getLogger(__name__)

GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


class Hardware(Frozen):
    """What this process can compute on, and with which software."""

    cpu: Cpu
    accelerators: tuple[Accelerator, ...]
    versions: dict[str, str | None]
    platform: str
    """Operating system and kernel."""


def describe() -> Hardware:
    """Describe the machine as this process sees it. Loads torch: not for the pages' process."""
    return Hardware(
        cpu=describe_cpu(threads=default_threads()),
        accelerators=cards.accelerators(),
        versions=versions(),
        platform=platform.platform(),
    )


def versions() -> dict[str, str | None]:
    """Version of everything that decides speed or results; null where it is not installed."""
    import torch

    found: dict[str, str | None] = {"cnnlab": VERSION, "python": platform.python_version()}
    for package in ("torch", "keras", "numpy", "streamlit"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found | {
        "cuda": torch.version.cuda,
        "rocm": torch.version.hip,
        "cudnn": _cudnn_version(),
    }


def _cudnn_version() -> str | None:
    import torch

    try:
        version = torch.backends.cudnn.version()
    except RuntimeError:  # torch checks it against the cards first, and some are too old for it
        log.warning("the version of cuDNN cannot be read", exc_info=True)
        return None
    return None if version is None else str(version)


def device_name(device: str) -> str:
    """The real name of the CPU or card behind a device that `resolve` gave."""
    return cpu_name() if device == "cpu" else cards.accelerator(device).name


def environment(device: str) -> dict[str, Any]:
    """Flat facts about this process and its machine, stored with a run on `device`.

    Plain JSON values; null where a fact cannot be read. Call it when training is about to start:
    threads, TF32 settings and load are those of the moment.
    """
    import torch

    hardware = describe()
    cpu = hardware.cpu
    facts: dict[str, Any] = {
        "cpu": cpu.name,
        "cpu_physical_cores": cpu.physical_cores,
        "cpu_logical_cores": cpu.logical_cores,
        "cpu_usable_cores": cpu.usable_cores,
        "cpu_instruction_sets": list(cpu.instruction_sets),
        "cpu_governor": text_of(GOVERNOR),
        "memory_mb": cpu.memory_mb,
        "threads": torch.get_num_threads(),
        "openmp_wait": _openmp_wait(),
        "cxx_compiler": compiler(),
        "platform": hardware.platform,
        "power_source": _power_source(),
        # To the two decimals that the kernel's own file has.
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }
    used = next((card for card in hardware.accelerators if card.key == device), None)
    shared = {"card_shared": cards.shared(device)}
    return facts | hardware.versions | tf32.facts() | _accelerator_facts(used) | shared


def _openmp_wait() -> str:
    """How the threads of a step wait for each other, by what decides it (`choice.WAITING`)."""
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
    chosen = [f"{name}={os.environ[name]}" for name in names if name in os.environ]
    return ", ".join(chosen) or "as OpenMP has it"


def _accelerator_facts(used: Accelerator | None) -> dict[str, Any]:
    fields = ("name", "memory_mb", "driver", "compute_capability", "power_limit_w")
    facts = {f"accelerator_{field}": getattr(used, field, None) for field in fields}
    return {"accelerator": facts.pop("accelerator_name")} | facts


def _power_source() -> str | None:
    """`mains` or `battery`, on which laptops slow down; null where there is no battery."""
    import psutil

    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    if battery is None or battery.power_plugged is None:
        return None
    return "mains" if battery.power_plugged else "battery"
