"""A quota or an affinity decides how many threads a step has by default, not only what is shown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cnnlab.devices import cpu

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def group(tmp_path, monkeypatch):
    """A made-up control group of version 2 around this process; a function that sets its quota."""
    monkeypatch.setattr(cpu, "PROC", tmp_path / "proc")
    monkeypatch.setattr(cpu, "SYS", tmp_path / "sys")
    monkeypatch.setattr(cpu.sys, "platform", "linux")
    monkeypatch.setattr(cpu.os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/docker/abc\n")
    folder = tmp_path / "sys/fs/cgroup/docker/abc"
    folder.mkdir(parents=True)
    return lambda text: (folder / "cpu.max").write_text(f"{text}\n")


@pytest.mark.parametrize(
    ("quota", "threads"),
    [
        ("200000 100000", 2),
        ("250000 100000", 2),
        ("50000 100000", 1),
        ("max 100000", 64),
        ("9900000 100000", 64),
    ],
)
def test_no_step_has_more_threads_than_its_quota_has_cores(group, quota, threads):
    group(quota)
    assert cpu.default_threads() == threads


def test_a_step_of_a_pinned_process_has_one_thread_for_each_of_its_cores():
    code = (
        "import os; os.sched_setaffinity(0, {0}); os.environ['KERAS_BACKEND'] = 'torch'\n"
        "from cnnlab.engines import DEFAULT_THREADS; print(DEFAULT_THREADS)"
    )
    if sys.platform != "linux":
        pytest.skip("only Linux lets a process choose its cores")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "1", done.stderr
