"""A made-up card for the tests of devices."""

import os
from types import SimpleNamespace

import pynvml
import pytest

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
        "ComputeRunningProcesses": [[SimpleNamespace(pid=os.getpid())]],
        "ProcessUtilization": pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND),
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
