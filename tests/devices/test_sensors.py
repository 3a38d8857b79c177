"""Devices: memory, energy and speed."""

import math
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest

from cnnlab import devices
from cnnlab.devices import cards, energy, peak
from cnnlab.devices.cards import Card, Unreadable
from tests.devices.conftest import NOT_SUPPORTED, UUID

ROOT = Path(__file__).resolve().parents[2]


# --- NVML -----------------------------------------------------------------------------------


def test_a_cards_readings_carry_their_units(nvml):
    card = cards.accelerator("cuda:0")
    assert (card.clock_mhz, card.power_w, card.power_limit_w, card.temperature_c) == (
        1777,
        80,
        95,
        61,
    )
    assert (card.driver, card.compute_capability, card.memory_mb) == ("580.65", "8.6", 6000)
    assert card.unreadable is None


def test_a_reading_that_the_card_refuses_is_null_with_the_reason(nvml):
    nvml["PowerUsage"] = NOT_SUPPORTED
    card = cards.accelerator("cuda:0")
    assert card.power_w is None
    assert card.temperature_c == 61
    assert card.unreadable == "NVML answers PowerUsage with: Not Supported"


def test_a_card_without_a_management_library_is_still_described(nvml, monkeypatch):
    def missing():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", missing)
    card = cards.accelerator("cuda:0")
    assert card.name == "GeForce RTX 3060"
    assert card.driver is None
    assert "NVML Shared Library Not Found" in (card.unreadable or "")


def test_a_slice_of_a_card_is_found_by_its_own_kind_of_name(nvml, monkeypatch):
    asked = []

    def find(name):
        asked.append(name)
        if name.startswith("GPU-"):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return "slice"

    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", find)
    Card("cuda:0")
    assert asked == [f"GPU-{UUID}", f"MIG-{UUID}"]


def test_heat_counts_as_slowed_but_the_power_limit_does_not(nvml):
    card = Card("cuda:0")
    nvml["CurrentClocksEventReasons"] = pynvml.nvmlClocksEventReasonSwPowerCap
    assert card.slowed() is False
    nvml["CurrentClocksEventReasons"] = pynvml.nvmlClocksEventReasonHwThermalSlowdown
    assert card.slowed() is True


def test_an_older_driver_is_asked_by_the_older_name(nvml):
    nvml["CurrentClocksEventReasons"] = pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
    nvml["CurrentClocksThrottleReasons"] = pynvml.nvmlClocksEventReasonHwSlowdown
    assert Card("cuda:0").slowed() is True


# --- energy ---------------------------------------------------------------------------------


def measured(device: str):
    meter = devices.EnergyMeter()
    meter.start(device)
    return meter.stop()


def test_a_cards_energy_is_the_difference_of_its_counter(nvml):
    used = measured("cuda:0")
    assert used.joules == 250
    assert "energy counter" in used.source


def test_a_card_without_a_counter_has_its_power_sampled(nvml, monkeypatch):
    nvml["TotalEnergyConsumption"] = NOT_SUPPORTED
    nvml["PowerUsage"] = [50_000, 70_000, 70_000]
    clock = iter([10.0, 12.0, 13.0])
    monkeypatch.setattr(energy, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    source = energy.source_for("cuda:0")
    source.poll()
    source.poll()
    assert source.joules == (50 + 70) / 2 * 2 + 70 * 1
    assert "sampled" in source.name


def test_a_card_that_tells_neither_has_no_joules_but_a_reason(nvml):
    nvml["TotalEnergyConsumption"] = nvml["PowerUsage"] = NOT_SUPPORTED
    used = measured("cuda:0")
    assert used.joules is None
    assert used.source == "not measurable: NVML answers PowerUsage with: Not Supported"


def test_a_card_lost_during_the_run_leaves_no_half_figure(nvml):
    lost = pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
    nvml["TotalEnergyConsumption"] = [1_000, lost]
    used = measured("cuda:0")
    assert used.joules is None
    assert "GPU is lost" in used.source


def test_a_counter_that_did_not_move_is_no_zero(nvml):
    nvml["TotalEnergyConsumption"] = 1_000
    used = measured("cuda:0")
    assert used.joules is None
    assert "before the counter moved" in used.source


@pytest.mark.parametrize("device", ["mps:0", "xpu:0"])
def test_a_device_without_a_counter_says_so(device):
    used = measured(device)
    assert used.joules is None
    assert used.source.startswith(f"not measurable: no energy counter is read for {device[:3]}")


def test_a_meter_that_was_never_started_is_a_mistake():
    with pytest.raises(RuntimeError, match="before start"):
        devices.EnergyMeter().stop()


@pytest.fixture
def powercap(tmp_path, monkeypatch):
    """Two packages with a core zone, the platform's sum and the second view beside them."""
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    for zone, name in {
        "intel-rapl:0": "package-0",
        "intel-rapl:0:0": "core",
        "intel-rapl:1": "package-1",
        "intel-rapl:2": "psys",
        "intel-rapl-mmio:0": "package-0",
    }.items():
        (tmp_path / zone).mkdir()
        (tmp_path / zone / "name").write_text(f"{name}\n")
        (tmp_path / zone / "energy_uj").write_text("900000000\n")
        (tmp_path / zone / "max_energy_range_uj").write_text("1000000000\n")
    return tmp_path


def test_a_cpus_energy_sums_its_packages_and_counts_nothing_twice(powercap):
    meter = devices.EnergyMeter()
    meter.start("cpu")
    for zone in powercap.iterdir():
        (zone / "energy_uj").write_text("930000000")
    used = meter.stop()
    assert used.joules == 60
    assert "RAPL" in used.source


def test_a_counter_that_wrapped_is_unrolled_at_every_turn(powercap):
    source = energy.source_for("cpu")
    for reading in ("100000000", "800000000", "50000000"):
        (powercap / "intel-rapl:0/energy_uj").write_text(reading)
        source.poll()
    assert math.isclose(source.joules, 200 + 700 + 250)


def test_what_is_used_while_a_run_holds_is_not_its_own(powercap):
    meter = devices.EnergyMeter()

    def uses(joules: int) -> None:
        counter = powercap / "intel-rapl:0/energy_uj"
        counter.write_text(str(int(counter.read_text()) + joules * 1_000_000))

    meter.start("cpu")
    uses(10)
    meter.hold()
    uses(50)
    meter.go_on()
    uses(7)
    assert meter.stop().joules == 17


def test_a_counter_for_root_only_says_so(powercap, monkeypatch):
    # Root may read a file whatever its mode, and the tests may run as root.
    def refuse(path, *arguments, **options):
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(path))
        return open_text(path, *arguments, **options)

    open_text = Path.read_text
    monkeypatch.setattr(Path, "read_text", refuse)
    used = measured("cpu")
    assert used.joules is None
    assert "may be read by root only" in used.source


@pytest.mark.skipif(sys.platform != "linux", reason="RAPL is read on Linux")
def test_a_machine_without_counters_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(energy, "POWERCAP", tmp_path / "absent")
    used = measured("cpu")
    assert used.joules is None
    assert used.source.startswith("not measurable: there are no RAPL counters")


@pytest.mark.gpu
def test_work_on_a_real_card_takes_a_likely_power_unless_the_card_itself_refuses_to_tell():
    meter = devices.EnergyMeter()
    began = time.monotonic()
    meter.start("cuda:0")
    devices.matmul_peak("cuda:0", "float32", seconds=2.0)
    used, seconds = meter.stop(), time.monotonic() - began
    if used.joules is None:
        card = Card("cuda:0")
        for question in ("TotalEnergyConsumption", "PowerUsage"):
            with pytest.raises(Unreadable):
                card.ask(question)
    else:
        assert used.scope == "card"
        assert 10 < used.joules / seconds < 1500


# --- memory and speed -----------------------------------------------------------------------


def test_the_peak_is_at_least_what_is_occupied_now():
    assert 0 < devices.rss_mb() <= devices.peak_rss_mb() + 1


def test_a_workers_peak_is_not_that_of_the_process_that_launched_it():
    child = "from cnnlab.devices import peak_rss_mb; print(peak_rss_mb())"
    parent = (
        "import subprocess, sys; ballast = bytearray(b'x') * 400_000_000\n"
        f"print(subprocess.check_output([sys.executable, '-c', {child!r}], text=True))"
    )
    done = subprocess.run(
        [sys.executable, "-c", parent], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 300


def test_the_cpu_has_no_device_memory():
    devices.reset_peak("cpu")
    assert devices.device_mb("cpu") is None
    assert devices.peak_device_mb("cpu") is None


def test_apples_gpu_tells_its_memory_but_keeps_no_peak(monkeypatch):
    import torch

    monkeypatch.setattr(torch.mps, "current_allocated_memory", lambda: 5_000_000)
    assert devices.device_mb("mps:0") == 5
    assert devices.peak_device_mb("mps:0") is None


@pytest.mark.gpu
def test_a_cards_peak_outlives_its_tensors_until_it_is_reset():
    import torch

    held = torch.ones(25_000_000, device="cuda:0")
    assert (devices.device_mb("cuda:0") or 0) >= 100
    del held
    assert (devices.peak_device_mb("cuda:0") or 0) >= 100
    devices.reset_peak("cuda:0")
    assert (devices.peak_device_mb("cuda:0") or 0) < 100


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_a_matrix_product_has_a_speed_and_leaves_the_seed_alone(precision):
    import torch

    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    assert 0 < devices.matmul_peak("cpu", precision, seconds=0.05) < math.inf
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(
    ("choice", "family", "products", "words"),
    [
        ("default", "cnn", "tf32", "TF32"),
        ("default", "rnn", "tf32", "TF32"),
        ("default", "dense", "none", "float32"),
        ("on", "dense", "tf32", "TF32"),
        ("off", "cnn", "ieee", "float32"),
    ],
)
def test_the_product_is_computed_as_the_networks_layers_are(
    choice, family, products, words, monkeypatch
):
    """A convolution in TF32 might well outdo a product without."""
    import torch

    seen = set()

    def taken(call, times=1):
        seen.add(torch.backends.cuda.matmul.fp32_precision)
        return 1.0

    monkeypatch.setattr(peak, "_seconds", taken)
    monkeypatch.setattr(torch.cuda, "is_tf32_supported", lambda: True)
    devices.use_tf32(choice)
    try:
        before = torch.backends.cuda.matmul.fp32_precision
        devices.matmul_peak("cpu", "float32", family, seconds=0.01)
        assert seen == {products}
        assert torch.backends.cuda.matmul.fp32_precision == before
        assert devices.arithmetic("cuda:0", "float32", family) == words
        assert devices.arithmetic("cpu", "float32", family) == "float32"
        assert devices.arithmetic("cuda:0", "mixed_bfloat16", family) == "bfloat16"
        monkeypatch.setattr(torch.cuda, "is_tf32_supported", lambda: False)  # before Ampere
        assert devices.arithmetic("cuda:0", "float32", family) == "float32"
    finally:
        devices.use_tf32("default")


@pytest.mark.gpu
def test_a_real_card_outdoes_the_cpu_and_is_quicker_at_half_precision():
    whole = devices.matmul_peak("cuda:0", "float32")
    assert whole > 2 * devices.matmul_peak("cpu", "float32")
    assert devices.matmul_peak("cuda:0", "mixed_float16") > 1.5 * whole
    assert devices.matmul_peak("cuda:0", "mixed_bfloat16") > 0.9 * whole


def test_no_driver_here_is_a_reason_and_no_crash(nvml, monkeypatch):
    monkeypatch.setattr(
        pynvml,
        "nvmlInit",
        lambda: (_ for _ in ()).throw(pynvml.NVMLError(pynvml.NVML_ERROR_DRIVER_NOT_LOADED)),
    )
    with pytest.raises(Unreadable, match="Driver Not Loaded"):
        Card("cuda:0")
