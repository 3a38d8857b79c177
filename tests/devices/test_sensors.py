"""Devices: memory, energy, speed, and what else went on beside a run."""

import math
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pynvml
import pytest

from cnnlab import devices
from cnnlab.devices import cards, energy, load, sensors
from cnnlab.devices.cards import Card, Unreadable
from cnnlab.devices.load import Reading, Tally
from cnnlab.spec import Disturbances

ROOT = Path(__file__).resolve().parents[2]
UUID = "8a6b0c9e-0000-0000-0000-000000000001"
NOT_SUPPORTED = pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)


@pytest.fixture
def nvml(monkeypatch):
    """A made-up NVML and card: answers by question, each a value, an error or a list of them."""
    import torch

    answers = {
        "ClockInfo": 1777,
        "PowerUsage": 80_000,
        "EnforcedPowerLimit": 95_000,
        "Temperature": 61,
        "TotalEnergyConsumption": [1_000_000, 1_250_000],
        "CurrentClocksEventReasons": 0,
        "HandleByUUID": "handle",
    }
    properties = SimpleNamespace(
        uuid=UUID, name="GeForce RTX 3060", total_memory=6_000_000_000, major=8, minor=6
    )
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlSystemGetDriverVersion", lambda: "580.65")

    def fake(question):
        def answer(*arguments):
            said = answers[question]
            if isinstance(said, list):
                said = said.pop(0) if len(said) > 1 else said[0]
            if isinstance(said, Exception):
                raise said
            return said

        return answer

    for question in [*answers, "CurrentClocksThrottleReasons"]:
        monkeypatch.setattr(pynvml, f"nvmlDeviceGet{question}", fake(question))
    return answers


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
def test_work_on_a_real_card_costs_joules_or_has_a_reason():
    meter = devices.EnergyMeter()
    meter.start("cuda:0")
    devices.matmul_peak("cuda:0", "float32", seconds=1.0)
    used = meter.stop()
    assert (used.joules or 0) > 0 or used.source.startswith("not measurable: ")


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

    def taken(matrix):
        seen.add(torch.backends.cuda.matmul.fp32_precision)
        return 1.0

    monkeypatch.setattr(sensors, "_product_seconds", taken)
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
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_real_card_multiplies_matrices(precision):
    assert devices.matmul_peak("cuda:0", precision) > 0


# --- disturbances ---------------------------------------------------------------------------


def seen(*rows: tuple[float, float, float], cores: int = 2, stolen: float | None = None):
    """Tally readings a quarter of a second apart: rows of (seconds, others' cores, own cores)."""
    now = Reading(clock=100.0, calendar=500.0, busy=40.0, own=10.0, stolen=stolen)
    tally = Tally(now, cores, interval=0.25)
    for seconds, other, own in rows:
        for _ in range(round(seconds / 0.25)):
            now = now._replace(
                clock=now.clock + 0.25,
                calendar=now.calendar + 0.25,
                busy=now.busy + 0.25 * (other + own),
                own=now.own + 0.25 * own,
            )
            tally.add(now)
    return tally, now


def result(tally: Tally, throttled: bool | None = None):
    return tally.result(throttled=throttled, own_cost=0.0)


def test_a_quiet_run_bears_no_mark():
    quiet = result(seen((20, 0.05, 1.9))[0])
    assert quiet.marks == ()
    assert quiet.other_load_mean == pytest.approx(0.05)
    assert quiet.other_load_share == 0


def test_another_process_is_named_with_its_share_of_the_cores_and_of_the_run():
    told = result(seen((12, 0.0, 1.9), (8, 0.9, 1.1))[0])
    assert told.marks == ("Other processes used 0.9 of 2 cores for 40 % of the run.",)
    assert told.other_load_peak == pytest.approx(0.9)
    assert told.other_load_mean == pytest.approx(0.36)


def test_a_blip_is_in_the_peak_but_is_no_mark():
    told = result(seen((59, 0.0, 2.0), (1, 1.0, 1.0))[0])
    assert told.other_load_peak == pytest.approx(1.0)
    assert told.marks == ()


def test_a_large_machine_bears_more_before_a_mark_is_made():
    assert result(seen((10, 2.0, 32.0), cores=64)[0]).marks == ()
    assert result(seen((10, 4.0, 32.0), cores=64)[0]).marks != ()


def test_a_run_too_short_for_the_systems_ticks_has_no_load():
    first = Reading(clock=0.0, calendar=0.0, busy=0.0, own=0.0, stolen=None)
    tally = Tally(first, cores=2, interval=0.25)
    tally.add(first._replace(clock=0.1, calendar=0.1, busy=0.1))
    told = result(tally)
    assert told.other_load_mean is told.other_load_peak is told.other_load_share is None


def test_a_hypervisor_that_takes_cores_is_named():
    tally, now = seen((10, 0.0, 1.8), stolen=3.0)
    tally.add(now._replace(stolen=5.0))
    told = result(tally)
    assert told.stolen_mean == pytest.approx(0.2)
    assert told.marks == ("The hypervisor gave 0.2 of 2 cores to other guests.",)


def test_a_machine_that_slept_is_found_by_the_clock_that_went_on():
    tally, now = seen((5, 0.0, 1.9))
    tally.add(now._replace(clock=now.clock + 0.25, calendar=now.calendar + 60.25))
    told = result(tally)
    assert told.paused_seconds == pytest.approx(60)
    assert "stood still for 60 s" in told.marks[0]


def test_a_stopped_process_is_found_by_its_late_sampler():
    tally, now = seen((5, 0.0, 1.9))
    tally.add(now._replace(clock=now.clock + 10.25, calendar=now.calendar + 10.25))
    assert result(tally).paused_seconds == pytest.approx(10)


def test_a_sampler_kept_waiting_by_a_busy_run_is_no_pause():
    tally, now = seen((5, 0.0, 1.9))
    late = now._replace(clock=now.clock + 5, calendar=now.calendar + 5, own=now.own + 5)
    tally.add(late._replace(busy=now.busy + 5))
    assert result(tally).paused_seconds == 0


@pytest.fixture
def throttles(tmp_path, monkeypatch):
    """Made-up counters of Intel's thermal throttling; returns a function that sets them."""
    monkeypatch.setattr(load, "CPUS", tmp_path)

    def write(core: int, package: int) -> None:
        for number in (0, 1):
            folder = tmp_path / f"cpu{number}" / "thermal_throttle"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "core_throttle_count").write_text(f"{core}\n")
            (folder / "package_throttle_count").write_text(f"{package}\n")

    return write


def observed(during=lambda: None, device: str = "cpu"):
    """A real sampler around something; it has looked at least twice before it is stopped."""
    sampler = devices.LoadSampler(interval=0.01)
    sampler.start(device)
    during()
    looked, original = threading.Semaphore(0), sampler._tally.add
    sampler._tally.add = lambda reading: (original(reading), looked.release())[0]
    assert looked.acquire(timeout=60)
    assert looked.acquire(timeout=60)
    return sampler.stop()


def test_throttling_is_unknown_where_nothing_tells(tmp_path, monkeypatch):
    monkeypatch.setattr(load, "CPUS", tmp_path)
    assert observed().throttled is None


def test_a_cpu_that_slowed_down_during_the_run_is_marked(throttles):
    throttles(core=3, package=9)
    assert observed().throttled is False
    told = observed(during=lambda: throttles(core=3, package=10))
    assert told.throttled is True
    assert any("slowed its clock down" in mark for mark in told.marks)


def test_a_card_that_was_too_hot_is_marked(nvml, tmp_path, monkeypatch):
    monkeypatch.setattr(load, "CPUS", tmp_path)
    assert observed(device="cuda:0").throttled is False
    hot = pynvml.nvmlClocksEventReasonSwThermalSlowdown
    nvml["CurrentClocksEventReasons"] = [hot, 0]
    assert observed(device="cuda:0").throttled is True


def test_a_card_that_does_not_tell_is_not_vouched_for_by_the_cpu(nvml, throttles):
    throttles(core=0, package=0)
    nvml["CurrentClocksEventReasons"] = nvml["CurrentClocksThrottleReasons"] = NOT_SUPPORTED
    assert observed(device="cuda:0").throttled is None


def test_the_sampler_tells_its_own_cost_and_ends_its_thread():
    told = observed()
    assert told.own_cost_seconds > 0
    assert told.cores >= 1
    assert "load" not in [thread.name for thread in threading.enumerate()]
    assert Disturbances.model_validate_json(told.model_dump_json()) == told


@pytest.mark.parametrize("helpers", [True, False])
def test_processes_that_a_run_starts_are_its_own_where_it_says_so(helpers):
    code = "import time; end = time.process_time() + 0.6\nwhile time.process_time() < end: pass"
    before = load.read(helpers)
    with subprocess.Popen([sys.executable, "-c", code + "\ninput()"], stdin=subprocess.PIPE) as one:
        process = psutil.Process(one.pid)
        while sum(process.cpu_times()[:2]) < 0.6:
            time.sleep(0.02)
        alive = load.read(helpers).own - before.own
        one.communicate(b"\n")
    ended = load.read(helpers).own - before.own
    for own in (alive, ended):
        assert (own >= 0.5) == helpers


def test_a_sampler_that_was_never_started_is_a_mistake():
    with pytest.raises(RuntimeError, match="before start"):
        devices.LoadSampler().stop()


def test_a_readings_own_time_is_not_others_time():
    first = Reading(clock=0.0, calendar=0.0, busy=10.0, own=5.0, stolen=None)
    assert load.others(first, first._replace(clock=2.0, busy=14.0, own=9.0)) == 0
    assert load.others(first, first._replace(clock=2.0, busy=14.0, own=7.0)) == 1


def test_no_driver_here_is_a_reason_and_no_crash(nvml, monkeypatch):
    monkeypatch.setattr(
        pynvml,
        "nvmlInit",
        lambda: (_ for _ in ()).throw(pynvml.NVMLError(pynvml.NVML_ERROR_DRIVER_NOT_LOADED)),
    )
    with pytest.raises(Unreadable, match="Driver Not Loaded"):
        Card("cuda:0")
