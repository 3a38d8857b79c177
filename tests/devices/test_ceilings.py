"""The ceilings of a machine are measured, with all its threads, and leave those of a run alone."""

import torch

from cnnlab.devices import ceilings as room
from cnnlab.devices.ceilings import bandwidth, call_us, measure_ceilings


def test_every_ceiling_of_the_cpu_is_measured(monkeypatch):
    monkeypatch.setattr(room, "SIZES_MB", (0.5, 2))
    monkeypatch.setattr(room, "SECONDS_EACH", 0.0)
    for name in ("matmul_peak", "conv_peak"):
        monkeypatch.setattr(room, name, lambda *like: 10.0 if like[1] == "float32" else 20.0)
    torch.set_num_threads(1)
    found = measure_ceilings("cpu", "float32", "dense", 2)
    assert torch.get_num_threads() == 1
    assert (found.arithmetic, found.threads, found.missing) == ("float32", 2, None)
    assert (found.matmul_gflops, found.conv_gflops, found.bfloat16_gflops) == (10, 10, 20)
    assert [point.mb for point in found.bandwidths] == [0.5, 2]
    assert all(point.gb_per_second > 0 for point in found.bandwidths)
    assert found.call_us > 0


def test_a_device_without_room_is_said_to_have_none(monkeypatch):
    def full(*like):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(room, "matmul_peak", full)
    found = measure_ceilings("cpu", "float32", "dense", 1)
    assert found.matmul_gflops is None
    assert "out of memory" in found.missing


def test_little_is_moved_by_whichever_number_of_threads_is_quicker(monkeypatch):
    monkeypatch.setattr(room, "SIZES_MB", (0.5,))
    monkeypatch.setattr(room, "bandwidth", lambda device, mb: 90.0 / torch.get_num_threads())
    for name in ("matmul_peak", "conv_peak"):
        monkeypatch.setattr(room, name, lambda *like: 10.0)
    found = measure_ceilings("cpu", "float32", "dense", 2)
    assert [point.gb_per_second for point in found.bandwidths] == [90.0]
    assert found.threads == 2


def test_bytes_are_counted_as_read_and_written(monkeypatch):
    monkeypatch.setattr(room, "quickest", lambda work, wait, seconds: 0.5)
    assert bandwidth("cpu", 32) == 2 * 32e6 / 0.5 / 1e9
    assert bandwidth("cpu", 16) == 2 * 16e6 * 2 / 0.5 / 1e9


def test_a_call_is_timed_by_the_quickest_of_many(monkeypatch):
    times = iter([3.0, 1.0, *[2.0] * 7])
    monkeypatch.setattr(room, "_seconds", lambda work, wait: next(times))
    assert call_us("cpu") == 1.0 / room.CALLS * 1e6
