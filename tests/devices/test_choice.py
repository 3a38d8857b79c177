"""Devices: what is here, which one a run gets, and how the GPU is switched off."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cnnlab import devices
from cnnlab.devices import cards, cpu
from cnnlab.devices.choice import HIDING, WAITING
from cnnlab.spec import LabError
from cnnlab.version import VERSION
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[2]


def fresh(**variables: str) -> dict[str, str]:
    """The environment of a fresh process; keeps none of this process's off-switches."""
    clean = {key: value for key, value in os.environ.items() if key not in devices_variables()}
    return clean | {"KERAS_BACKEND": "torch"} | variables


def python(code: str, **variables: str) -> str:
    """What a fresh Python prints."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        env=fresh(**variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def devices_variables() -> dict[str, str]:
    return devices.worker_environment("environment")


@pytest.fixture
def here(monkeypatch):
    """Pretend that torch offers these many devices of each kind."""

    def pretend(**counts: int) -> None:
        monkeypatch.setattr(cards, "count", lambda kind: counts.get(kind, 0))

    return pretend


# --- choosing a device ----------------------------------------------------------------------


def test_importing_devices_loads_neither_torch_nor_keras():
    code = "import sys, cnnlab.devices; print({'torch', 'keras', 'psutil'} & set(sys.modules))"
    assert python(code) == "set()"


@pytest.mark.parametrize(
    ("counts", "best"),
    [
        ({}, "cpu"),
        ({"mps": 1}, "mps:0"),
        ({"xpu": 2}, "xpu:0"),
        ({"cuda": 2, "xpu": 1}, "cuda:0"),
    ],
)
def test_auto_takes_the_best_accelerator_or_the_cpu(here, counts, best):
    here(**counts)
    assert devices.resolve("auto", "none") == best


@pytest.mark.parametrize(
    ("requested", "used"),
    [("cpu", "cpu"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1"), ("xpu", "xpu:0")],
)
def test_a_device_that_is_here_is_the_device_that_is_used(here, requested, used):
    here(cuda=2, xpu=1)
    assert devices.resolve(requested, "none") == used


@pytest.mark.parametrize("requested", ["cuda:2", "mps", "xpu:1"])
def test_a_missing_device_is_refused_by_name_with_what_is_here(here, requested):
    here(cuda=2)
    with pytest.raises(LabError) as refused:
        devices.resolve(requested, "none")
    said = str(refused.value)
    assert requested.partition(":")[0] in said
    assert "only cuda:0, cuda:1, cpu" in said
    assert "choose" in said


def test_a_torch_without_cuda_is_named_as_the_reason(here, monkeypatch):
    import torch

    here()
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", None)
    with pytest.raises(LabError, match="install its CUDA build"):
        devices.resolve("cuda", "none")


def test_a_variable_that_hides_the_cards_is_named_as_the_reason(here, monkeypatch):
    import torch

    here()
    monkeypatch.setattr(torch.version, "cuda", "12.6")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(LabError, match="CUDA_VISIBLE_DEVICES is set to ''"):
        devices.resolve("cuda", "none")


@pytest.mark.parametrize("gpu_off", ["device", "environment", "override"])
def test_a_switched_off_gpu_leaves_the_cpu(here, gpu_off):
    here(cuda=1)
    assert devices.resolve("auto", gpu_off) == "cpu"
    assert devices.resolve("cpu", gpu_off) == "cpu"
    with pytest.raises(LabError, match=rf"device is cuda but gpu_off is {gpu_off}"):
        devices.resolve("cuda", gpu_off)


def test_choosing_a_switched_off_device_does_not_load_torch():
    code = """
        import sys
        from cnnlab.devices import resolve
        print(resolve("auto", "environment"), "torch" in sys.modules)
    """
    assert python(code) == "cpu False"


# --- switching off --------------------------------------------------------------------------

# A torch whose fake CUDA says yes: what Keras would meet on a machine with a card.
PRETEND = "import torch; torch.cuda.is_available = lambda: True\n"
KERAS_DEFAULT = (
    "from keras.src.backend.torch.core import DEFAULT_DEVICE; print(DEFAULT_DEVICE, end=' ')\n"
)
APPLY = "from cnnlab.devices import switch_off; switch_off({!r})\n"


def test_without_a_switch_keras_takes_the_card_that_torch_names():
    assert python(PRETEND + APPLY.format("none") + KERAS_DEFAULT) == "cuda"


def test_the_override_makes_keras_take_the_cpu_although_torch_said_yes_before():
    modules = ("torch.cuda", "torch.backends.mps", "torch.xpu")
    code = "import torch\n" + "".join(f"{name}.is_available = lambda: True\n" for name in modules)
    code += APPLY.format("override") + KERAS_DEFAULT
    code += "".join(f"print({name}.is_available(), end=' ')\n" for name in modules)
    assert python(code) == "cpu False False False"


def test_the_override_comes_too_late_once_keras_is_loaded():
    code = """
        import keras
        from cnnlab.devices import switch_off
        from cnnlab.spec import LabError
        try:
            switch_off("override")
        except LabError as error:
            print(error)
    """
    assert "Keras is already loaded" in python(code)


def test_the_override_is_refused_where_a_variable_forces_the_device(monkeypatch):
    monkeypatch.setenv("KERAS_TORCH_DEVICE", "cuda")
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    with pytest.raises(LabError, match="KERAS_TORCH_DEVICE is cuda"):
        devices.switch_off("override")


def test_the_variables_are_there_before_torch_is_loaded():
    code = """
        import os, sys
        from cnnlab.devices import switch_off
        print(repr(os.environ["CUDA_VISIBLE_DEVICES"]), "torch" in sys.modules)
        switch_off("environment")
    """
    hidden = devices_variables()
    said = python(code, **hidden)
    assert said == f"{hidden['CUDA_VISIBLE_DEVICES']!r} False"


def test_the_hidden_card_stays_hidden_in_a_process_that_had_loaded_torch_already():
    code = "import torch\n" + APPLY.format("environment") + KERAS_DEFAULT
    assert python(code, **devices_variables()) == "cpu"


def test_the_environment_switch_is_refused_where_the_variable_is_missing(monkeypatch):
    for name in devices_variables():
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(LabError, match="CUDA_VISIBLE_DEVICES is None"):
        devices.switch_off("environment")


def test_the_environment_switch_is_refused_where_it_was_set_after_torch_was_loaded():
    code = """
        import os, torch
        from cnnlab.devices import switch_off, worker_environment
        from cnnlab.spec import LabError
        os.environ.update(worker_environment("environment"))
        try:
            switch_off("environment")
        except LabError as error:
            print(error)
    """
    assert "may be too late" in python(code)


def test_the_environment_switch_is_refused_where_torch_sees_a_card_all_the_same(here, monkeypatch):
    here(cuda=1)
    for name, value in devices_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    with pytest.raises(LabError, match="still sees cuda:0"):
        devices.switch_off("environment")


@pytest.mark.parametrize("gpu_off", ["none", "device", "override"])
def test_only_the_environment_switch_hides_cards_by_variables(gpu_off, monkeypatch):
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    assert devices.worker_environment(gpu_off) == WAITING
    assert devices.worker_environment("environment") == HIDING | WAITING


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"])
def test_how_threads_wait_is_left_to_who_has_chosen_it(name, monkeypatch):
    monkeypatch.setenv(name, "1000")
    assert devices.worker_environment("none") == {}
    assert devices.worker_environment("environment") == HIDING


def test_every_switch_is_explained_in_two_sentences_and_code_that_compiles():
    assert set(devices.OFF_SWITCHES) == {"device", "environment", "override"}
    for switch in devices.OFF_SWITCHES.values():
        assert switch.explanation.count(". ") == 1
        compile(switch.code, switch.title, "exec")


def test_the_frameworks_report_where_a_layer_lands():
    code = """
        import json
        from cnnlab.devices import what_frameworks_see
        print(json.dumps(what_frameworks_see()))
    """
    seen = json.loads(python(code, **devices_variables()))
    assert seen["torch"]["cuda"] == {"is_available": False, "device_count": 0}
    assert seen["keras"]["default_device"] == seen["keras"]["new_layer"] == "cpu"
    assert seen["variables"] == devices_variables()


def test_tf32_is_allowed_forbidden_or_left_as_torch_has_it():
    code = """
        from cnnlab.devices import environment, use_tf32
        for choice in (None, "on", "off", "default"):
            if choice:
                use_tf32(choice)
            facts = environment("cpu")
            print(facts["matmul_tf32"], facts["cudnn_tf32"], end=" ")
    """
    assert python(code).split() == [
        "False",
        "True",
        "True",
        "True",
        "False",
        "False",
        "False",
        "True",
    ]


def test_tf32_goes_back_to_what_a_variable_had_made_of_it():
    code = """
        import torch
        from cnnlab.devices import use_tf32
        matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
        for choice in ("on", "off", "default"):
            use_tf32(choice)
            print(matmul.fp32_precision, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision)
        print(matmul.allow_tf32)  # raises where the two ways of setting it disagree
    """
    said = python(code, TORCH_ALLOW_TF32_CUBLAS_OVERRIDE="1").splitlines()
    assert said == ["tf32 tf32 tf32", "ieee ieee ieee", "tf32 tf32 tf32", "True"]


# Trains as the lab does, says where that was and what torch had of the cards, and stays alive: a
# context, once a process has one, stays on its card until the process ends.
TRAIN = """
import json, sys, time
from cnnlab.devices import switch_off
from cnnlab.spec import PRESETS, RunStarted, change
switch_off(sys.argv[1])
import torch
from cnnlab.training import train
spec = change(PRESETS["tiny"].spec, train_limit=400, epochs=2, gpu_off=sys.argv[1])
events = []
train(spec, events.append, lambda: False, launched_at=time.monotonic())
(started,) = (event for event in events if isinstance(event, RunStarted))
reserved = map(torch.cuda.max_memory_reserved, range(torch.cuda.device_count()))
facts = {"initialised": torch.cuda.is_initialized(), "reserved": sum(reserved)}
print(json.dumps(facts | {"used": started.device.used}), flush=True)
sys.stdin.read()
"""
# Less than the emptiest context takes of a card, and more than a driver's own housekeeping.
CONTEXT_MB = 50


@contextmanager
def trained(gpu_off: str) -> Iterator[tuple[dict[str, Any], int]]:
    """A process that has trained and is still there: what it says of it, and its number."""
    with subprocess.Popen(
        [sys.executable, "-c", TRAIN, gpu_off],
        cwd=ROOT,
        env=fresh(**devices.worker_environment(gpu_off)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield json.loads(process.stdout.readline()), process.pid


class OnCards:
    """What NVML says of another process; read before that one starts, and while it is there."""

    def __init__(self) -> None:
        import torch

        self._own = torch.zeros(1, device="cuda:0")  # from here on this process has a context
        self._before = self._used_mb()

    def _ask(self, question: str) -> list[Any]:
        keys = cards.keys()
        return [cards.Card(key).ask(question) for key in keys]

    def _used_mb(self) -> float:
        return sum(memory.used for memory in self._ask("MemoryInfo")) / 1e6

    def holds(self, pid: int) -> bool:
        """Whether the process has memory on a card.

        NVML may number processes as the host of a container does. It then does not know this one,
        and what the cards have lost since has to do.
        """
        lists = self._ask("ComputeRunningProcesses")
        holding = {process.pid for processes in lists for process in processes}
        if os.getpid() in holding:
            return pid in holding
        return self._used_mb() - self._before > CONTEXT_MB


def test_what_a_switched_off_run_says_of_itself():
    with trained("override") as (said, _):
        assert said == {"used": "cpu", "initialised": False, "reserved": 0}


@pytest.mark.gpu
@pytest.mark.parametrize("gpu_off", ["device", "environment", "override"])
def test_a_switched_off_gpu_holds_not_one_byte(gpu_off):
    on_cards = OnCards()
    with trained(gpu_off) as (said, pid):
        assert not on_cards.holds(pid)
    assert (said["used"], said["reserved"]) == ("cpu", 0)
    # To name the CPU in the call hides no card, so the lab describes it in the run's environment,
    # for which torch's CUDA wakes, though without a context.
    assert not said["initialised"] or gpu_off == "device"


@pytest.mark.gpu
def test_without_a_switch_the_same_run_is_seen_on_the_card():
    on_cards = OnCards()
    with trained("none") as (said, pid):
        assert on_cards.holds(pid)
    assert said["used"] == "cuda:0"
    assert said["reserved"] > 0


@pytest.mark.parametrize(
    ("known", "taken_mb", "holds"),
    [([1], 9000, False), ([1, 2], 0, True), ([], 40, False), ([7], 300, True)],
    ids=["not listed", "listed", "numbered by the host", "numbered by the host, with a context"],
)
def test_a_process_on_a_card_is_found_by_its_number_or_by_what_is_gone(
    here, monkeypatch, known, taken_mb, holds
):
    """With a made-up card, so that who has none knows that the tests above would see it."""
    import torch

    now = SimpleNamespace(used=5e8)
    listed = [SimpleNamespace(pid=os.getpid() if pid == 1 else pid) for pid in known]
    answers = {"MemoryInfo": now, "ComputeRunningProcesses": listed}
    here(cuda=1)
    monkeypatch.setattr(cards, "Card", lambda key: SimpleNamespace(ask=answers.__getitem__))
    monkeypatch.setattr(torch, "zeros", lambda *_, **__: None)
    on_cards = OnCards()
    now.used += taken_mb * 1e6
    assert on_cards.holds(2) is holds


# --- the machine ----------------------------------------------------------------------------


def test_the_machine_is_described_and_survives_json():
    hardware = devices.describe()
    assert devices.Hardware.model_validate_json(hardware.model_dump_json()) == hardware
    assert 0 < hardware.cpu.usable_cores <= hardware.cpu.logical_cores
    assert hardware.cpu.threads
    assert hardware.cpu.memory_mb > 100
    assert hardware.versions["torch"]
    assert hardware.versions["keras"]
    assert hardware.versions["cnnlab"] == VERSION


def test_a_cudnn_that_torch_will_not_have_on_this_card_has_no_version(monkeypatch, caplog):
    import torch

    def refuse():
        raise RuntimeError("cuDNN version 91900 is not compatible with devices with SM < 7.5.")

    monkeypatch.setattr(torch.backends.cudnn, "version", refuse)
    assert devices.describe().versions["cudnn"] is None
    assert "not compatible" in caplog.text


def test_a_runs_environment_is_flat_plain_json():
    facts = devices.environment("cpu")
    assert json.loads(json.dumps(facts)) == facts
    assert not any(isinstance(value, dict) for value in facts.values())
    assert facts["cpu"] == devices.device_name("cpu")
    assert facts["accelerator"] is None


def test_tf32_is_recorded_even_where_both_ways_of_setting_it_were_mixed():
    code = """
        import torch
        from cnnlab.devices import environment
        torch.backends.cuda.matmul.fp32_precision = "tf32"
        torch.backends.cudnn.conv.fp32_precision = "ieee"
        facts = environment("cpu")
        print(facts["matmul_tf32"], facts["cudnn_tf32"])
    """
    assert python(code) == "True False"


@pytest.mark.gpu
def test_a_card_is_described_by_its_own_name_and_readings():
    card = devices.describe().accelerators[0]
    assert card.key == "cuda:0"
    facts = devices.environment("cuda:0")
    assert card.name == devices.device_name("cuda:0") == facts["accelerator"]
    assert facts["accelerator_driver"] == card.driver
    assert card.driver
    assert card.memory_mb
    assert card.power_w is not None or card.unreadable


X86 = """processor\t: 0
model name\t: Intel(R) Core(TM)  i7-10875H CPU @ 2.30GHz
flags\t\t: fpu avx avx2 avx512f avx512_bf16 amx_tile
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd sve bf16\nCPU implementer\t: 0x41\n"


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A made-up /proc and /sys; returns a function that writes one of their files."""
    monkeypatch.setattr(cpu, "PROC", tmp_path / "proc")
    monkeypatch.setattr(cpu, "SYS", tmp_path / "sys")

    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write


linux = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's files")


@linux
def test_an_x86_processor_is_read_from_cpuinfo(system):
    system("proc/cpuinfo", X86)
    assert cpu.cpu_name() == "Intel(R) Core(TM) i7-10875H CPU @ 2.30GHz"
    assert cpu.instruction_sets() == ("AVX2", "AVX-512", "AVX512-BF16", "AMX")


@linux
def test_an_arm_processor_is_named_by_the_device_tree_or_lscpu(system, monkeypatch):
    system("proc/cpuinfo", ARM)
    assert cpu.instruction_sets() == ("NEON", "BF16", "SVE")
    monkeypatch.setattr(cpu, "_output", lambda *command: "Vendor ID: ARM\nModel name:  Neoverse-N1")
    assert cpu.cpu_name() == "Neoverse-N1"
    system("proc/device-tree/model", "Raspberry Pi 5 Model B\x00")
    assert cpu.cpu_name() == "Raspberry Pi 5 Model B"


@linux
def test_a_processor_that_says_nothing_is_called_unnamed(system, monkeypatch):
    monkeypatch.setattr(cpu, "_output", lambda *command: "")
    assert cpu.cpu_name().startswith("unnamed ")
    assert cpu.instruction_sets() == ()


def test_macos_features_are_those_that_sysctl_lists_as_one():
    listed = "hw.optional.neon: 1\nhw.optional.arm.FEAT_BF16: 1\nhw.optional.arm.FEAT_SME: 0\n"
    assert cpu.macos_flags(listed) == {"neon", "feat_bf16"}


@linux
@pytest.mark.parametrize(
    ("quota", "cores"), [("150000 100000", 1.5), ("max 100000", 64.0), ("9900000 100000", 64.0)]
)
def test_a_control_groups_quota_limits_the_cores(system, monkeypatch, quota, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))
    system("proc/self/cgroup", "0::/lab/worker\n")
    system("sys/fs/cgroup/lab/cpu.max", quota)
    system("sys/fs/cgroup/lab/worker/cpu.max", "max 100000")
    assert cpu.usable_cores(64) == cores


@linux
@pytest.mark.parametrize(("quota", "cores"), [("250000", 2.5), ("-1", 8.0)])
def test_the_older_control_groups_are_read_too(system, monkeypatch, quota, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    system("proc/self/cgroup", "3:cpu,cpuacct:/docker/abc\n0::/\n")
    system("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", quota)
    system("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000")
    assert cpu.usable_cores(8) == cores


@linux
def test_a_control_groups_limit_is_the_memory(system):
    unlimited = cpu.memory_mb()
    system("proc/self/cgroup", "0::/lab\n")
    system("sys/fs/cgroup/lab/memory.max", "max")
    assert cpu.memory_mb() == unlimited
    system("sys/fs/cgroup/memory.max", "64000000")
    assert cpu.memory_mb() == 64


def test_apples_and_intels_gpus_are_described_from_torch(monkeypatch):
    import torch

    monkeypatch.setattr(torch.backends.mps, "get_name", lambda: "Apple M3")
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 12_000_000_000)
    told = SimpleNamespace(name="Arc A770", total_memory=16_000_000_000, driver_version="1.3")
    monkeypatch.setattr(torch.xpu, "get_device_properties", lambda key: told)
    assert cards.accelerator("mps:0").memory_mb == 12_000
    assert devices.device_name("mps:0") == "Apple M3"
    assert cards.accelerator("xpu:0").driver == "1.3"
