"""The processor: its name, cores, vector instructions and memory, without torch."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from cnnlab.spec import Frozen

PROC = Path("/proc")
SYS = Path("/sys")

# Name shown -> how Linux (/proc/cpuinfo) and macOS (sysctl hw.optional) call it. They are the sets
# that decide how fast convolutions and half precision run.
INSTRUCTION_SETS: dict[str, tuple[str, ...]] = {
    "AVX2": ("avx2", "avx2_0"),
    "AVX-512": ("avx512f",),
    "AVX512-VNNI": ("avx512_vnni", "avx512vnni"),
    "AVX512-BF16": ("avx512_bf16", "avx512bf16"),
    "AVX512-FP16": ("avx512_fp16",),
    "AMX": ("amx_tile",),
    "AMX-BF16": ("amx_bf16",),
    "NEON": ("asimd", "neon", "advsimd"),
    "BF16": ("bf16", "feat_bf16"),
    "SVE": ("sve", "feat_sve"),
    "SVE2": ("sve2", "feat_sve2"),
    "SME": ("sme", "feat_sme"),
}
# IsProcessorFeaturePresent numbers from winnt.h.
WINDOWS_FEATURES: dict[str, int] = {"AVX2": 40, "AVX-512": 41, "NEON": 19}


class Cpu(Frozen):
    """The processor and main memory, as far as this process may use them."""

    name: str
    """As the system says it; a virtual machine may hide the model."""
    physical_cores: int | None
    logical_cores: int
    usable_cores: float
    """What affinity and control groups leave to this process; a quota may be a fraction."""
    instruction_sets: tuple[str, ...]
    memory_mb: float
    """MB (10^6 bytes), or the control group's limit where that is lower."""
    threads: int | None = None
    """Threads inside one operation of torch by default; null where torch was not asked."""


def describe_cpu(threads: int | None = None) -> Cpu:
    """Read the processor; `threads` is the default, known only to who has loaded torch."""
    import psutil

    logical = psutil.cpu_count() or 1
    return Cpu(
        name=cpu_name(),
        physical_cores=psutil.cpu_count(logical=False),
        logical_cores=logical,
        usable_cores=usable_cores(logical),
        instruction_sets=instruction_sets(),
        memory_mb=memory_mb(),
        threads=threads,
    )


def text_of(path: Path) -> str | None:
    """The stripped text of a small system file, or null where it is absent or not ours to read."""
    try:
        return path.read_text(errors="replace").strip("\x00 \n")
    except OSError:
        return None


def _output(*command: str) -> str:
    """What a system command prints, or nothing where it is not installed or fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=10, env=os.environ | {"LC_ALL": "C"}
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def cpu_name() -> str:
    """The model's name; the architecture alone where the system says no more."""
    if sys.platform == "darwin":
        name = _output("sysctl", "-n", "machdep.cpu.brand_string")
    elif sys.platform == "win32":
        name = _windows_name()
    else:
        name = _linux_name()
    return " ".join(name.split()) or f"unnamed {platform.machine()} processor"


def _linux_name() -> str:
    """x86 writes `model name`, Arm boards `Model` or a device tree; lscpu knows Arm's parts."""
    cpuinfo = text_of(PROC / "cpuinfo") or ""
    said = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    if said:
        return said[1]
    if model := text_of(PROC / "device-tree/model"):
        return model
    listed = re.search(r"^Model name:\s*(.+)$", _output("lscpu"), re.MULTILINE)
    return listed[1] if listed else ""


def _windows_name() -> str:
    if sys.platform == "win32":
        import winreg

        key = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as opened:
            return str(winreg.QueryValueEx(opened, "ProcessorNameString")[0])
    return platform.processor()


def instruction_sets() -> tuple[str, ...]:
    """The vector instruction sets that are present and matter to a CNN."""
    if sys.platform == "win32":
        import ctypes

        present = ctypes.windll.kernel32.IsProcessorFeaturePresent
        return tuple(name for name, number in WINDOWS_FEATURES.items() if present(number))
    if sys.platform == "darwin":
        flags = macos_flags(_output("sysctl", "hw.optional"))
    else:
        flags = linux_flags(text_of(PROC / "cpuinfo") or "")
    return tuple(name for name, aliases in INSTRUCTION_SETS.items() if flags & set(aliases))


def linux_flags(cpuinfo: str) -> set[str]:
    """`flags` (x86) or `Features` (Arm) of the first processor in /proc/cpuinfo."""
    line = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return set(line[1].lower().split()) if line else set()


def macos_flags(sysctl: str) -> set[str]:
    """The last parts of the `hw.optional` names that sysctl lists as 1."""
    return {name.lower() for name in re.findall(r"([^.\s]+): 1$", sysctl, re.MULTILINE)}


def usable_cores(logical: int) -> float:
    """Cores left by the scheduler's affinity mask and by control group quotas (v1 and v2)."""
    allowed = float(len(os.sched_getaffinity(0)) if sys.platform == "linux" else logical)
    quotas = (_quota(folder) for folder in cgroup_folders("cpu"))
    return min([allowed, *(quota for quota in quotas if quota)])


def default_threads() -> int:
    """Threads of a step where nobody says how many: torch's own number, but no more than this
    process has cores.

    Torch heeds affinity and knows nothing of quotas: in a container with two of 64 cores it starts
    64 threads, which wait for each other and for their share of time. Of a fraction of a core
    nothing is gained, so 2.5 are two. To be asked before anybody sets torch's threads.
    """
    import psutil
    import torch

    usable = usable_cores(psutil.cpu_count() or 1)
    return max(min(torch.get_num_threads(), int(usable)), 1)


def _quota(folder: Path) -> float | None:
    """Cores that one control group allows: quota over period, both in microseconds."""
    text = text_of(folder / "cpu.max")
    if text is None:
        text = f"{text_of(folder / 'cpu.cfs_quota_us')} {text_of(folder / 'cpu.cfs_period_us')}"
    quota, _, period = text.partition(" ")
    # "max" (v2), "-1" (v1) and a missing file all mean no quota, and none of them is digits.
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None


def memory_mb() -> float:
    """Main memory, or the lowest control group limit, in MB (10^6 bytes)."""
    import psutil

    limits = [psutil.virtual_memory().total]
    for folder in cgroup_folders("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = text_of(folder / name)
            if text and text.isdigit():
                limits.append(int(text))
    return min(limits) / 1e6


def cgroup_folders(controller: str) -> list[Path]:
    """This process's control group and its ancestors: a limit on any of them binds.

    Inside a container the path in /proc may be the host's, of which only the root is mounted:
    folders that do not exist are simply not read.
    """
    base = SYS / "fs/cgroup"
    folders: list[Path] = []
    for line in (text_of(PROC / "self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mounts = [base, base / "unified"]
        elif controller in controllers.split(","):
            mounts = [base / controller, base / controllers]
        else:
            continue
        group = Path(path.lstrip("/"))
        folders += [mount / part for mount in mounts for part in (group, *group.parents)]
    return folders
