"""What a device does at best: the better of two operations, measured once, kept, never outdone."""

from __future__ import annotations

import math

import pytest
import torch

from cnnlab import devices
from cnnlab.devices import peak
from cnnlab.spec import home

RUN = ("cpu", "float32", "cnn")


@pytest.fixture
def probed(monkeypatch):
    """Made-up speeds of the two operations, and a list of the threads at which they were taken."""
    taken: list[int] = []
    speeds = {"product": 200.0, "convolution": 370.0}

    def product(*_):
        taken.append(torch.get_num_threads())
        return speeds["product"]

    monkeypatch.setattr(peak, "matmul_peak", product)
    monkeypatch.setattr(peak, "conv_peak", lambda *_: speeds["convolution"])
    return taken, speeds


def test_the_peak_is_the_better_of_product_and_convolution(probed):
    found = devices.peak_beside(90.0, *RUN)
    assert (found.gflops, found.operation, found.matmul_gflops) == (370.0, "convolution", 200.0)
    assert found.arithmetic == "float32"


def test_it_is_measured_once_for_a_machine_and_number_of_threads(probed):
    taken, speeds = probed
    devices.peak_beside(90.0, *RUN)
    speeds["convolution"] = 1.0
    assert devices.peak_beside(95.0, *RUN).gflops == 370.0
    torch.set_num_threads(torch.get_num_threads() + 1)
    assert devices.peak_beside(0.5, *RUN).gflops == 200.0
    assert taken == [taken[0], taken[0] + 1]


def test_another_arithmetic_has_a_peak_of_its_own(probed):
    taken, _ = probed
    devices.peak_beside(1.0, *RUN)
    assert devices.peak_beside(1.0, "cpu", "mixed_bfloat16", "cnn").arithmetic == "bfloat16"
    devices.peak_beside(1.0, "cpu", "float32", "dense")  # on a CPU the same arithmetic
    assert len(taken) == 2


def test_a_peak_taken_beside_other_work_is_taken_again_when_a_run_comes_near_it(probed):
    taken, speeds = probed
    speeds |= {"product": 50.0, "convolution": 60.0}
    assert devices.peak_beside(40.0, *RUN).gflops == 60.0
    speeds |= {"product": 200.0, "convolution": 370.0}
    assert devices.peak_beside(59.0, *RUN).gflops == 370.0
    assert len(taken) == 2


def test_no_step_is_over_its_peak(probed):
    found = devices.peak_beside(400.0, *RUN)
    assert (found.gflops, found.operation) == (400.0, "training step")
    again = devices.peak_beside(390.0, *RUN)
    assert again.gflops == 400.0


def test_what_another_version_kept_is_measured_anew(probed):
    home().mkdir()
    (home() / "peaks.json").write_text('{"a": {"speed": 3}}')
    assert devices.peak_beside(1.0, *RUN).gflops == 370.0


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_both_operations_have_a_speed_and_leave_the_seed_alone(precision):
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    assert 0 < peak.matmul_peak("cpu", precision, seconds=0.02) < math.inf
    assert 0 < peak.conv_peak("cpu", precision, seconds=0.02) < math.inf
    assert torch.equal(torch.rand(1), expected)


def test_the_operations_of_a_convolution_are_those_that_torch_counts(monkeypatch):
    from torch.utils.flop_counter import FlopCounterMode

    said = []

    def once(sized, size, largest, seconds):
        flops, call = sized(3)
        with FlopCounterMode(display=False) as counter:
            call()
        said.append((flops, counter.get_total_flops()))
        return 1.0

    monkeypatch.setattr(peak, "_fastest", once)
    peak.conv_peak("cpu", "float32")
    peak.matmul_peak("cpu", "float32")
    assert all(ours == theirs for ours, theirs in said)
