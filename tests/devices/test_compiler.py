"""torch.compile is offered where there is a compiler, and refused in a sentence elsewhere; what it
made to be timed goes with the process that had it made, however that ends.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cnnlab import devices, sweep
from cnnlab.devices import compiler
from cnnlab.spec import PRESETS, LabError, change
from cnnlab.sweep.calibration import PROBES
from cnnlab.training import train
from tests.patience import PATIENCE_SECONDS


@pytest.fixture
def none_here(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)


def test_the_compiler_is_the_one_that_torch_would_take(monkeypatch, tmp_path):
    own = tmp_path / "my-c++"
    own.touch(mode=0o755)
    monkeypatch.setenv("CXX", str(own))
    assert compiler() == str(own)
    monkeypatch.delenv("CXX")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compiler() is None
    (tmp_path / "g++").touch(mode=0o755)
    assert compiler() == "g++"


@pytest.mark.parametrize("engine", ["stock", "fast"])
def test_a_run_that_cannot_be_compiled_ends_before_it_begins(none_here, engine):
    spec = change(
        PRESETS["dense"].spec, dataset="shapes", train_limit=64, compile=True, engine=engine
    )
    with pytest.raises(LabError, match=r"needs a C\+\+ compiler"):
        train(spec, lambda event: None, lambda: False, launched_at=0.0)


def test_a_calibration_without_a_compiler_leaves_compiled_cells_out():
    names = {
        compiles: sweep.calibration(["cpu"], compiles=compiles).axes[0].values
        for compiles in (True, False)
    }
    left_out = set(names[True]) - set(names[False])
    assert left_out
    assert all(PROBES[str(name)].compile for name in left_out)
    assert not any(PROBES[str(name)].compile for name in names[False])


# --- what it made ---------------------------------------------------------------------------

COMPILES = """
import os, sys
from cnnlab import devices
devices.compile_anew()
print(os.environ["TORCHINDUCTOR_CACHE_DIR"], flush=True)
"""
WORKS = """
import threading
from cnnlab.worker import Inbox
Inbox()
threading.Event().wait()
"""

Begin = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Starts Python processes that have a temporary folder of their own, with this one."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    begun: list[subprocess.Popen[str]] = []

    def start(*command: str) -> subprocess.Popen[str]:
        begun.append(
            subprocess.Popen(
                [sys.executable, *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "TMPDIR": str(tmp_path)},
                text=True,
            )
        )
        return begun[-1]

    yield start
    for process in begun:
        with process:  # which closes its pipes and waits for it
            process.kill()


def compiled_by(process: subprocess.Popen[str]) -> Path:
    """The folder that a process which compiles has named, with something in it."""
    assert process.stdout
    folder = Path(process.stdout.readline().strip())
    (folder / "kernels").mkdir()
    return folder


def lose_its_lab(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.close()
    assert process.wait(PATIENCE_SECONDS) == 1


def killed(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(PATIENCE_SECONDS)


def test_a_process_that_ends_in_order_takes_along_what_it_compiled(begin: Begin):
    process = begin("-c", f"{COMPILES}sys.stdin.read()")
    folder = compiled_by(process)
    process.communicate("")
    assert not folder.exists()


def test_so_does_a_worker_whose_lab_is_gone(begin: Begin):
    worker = begin("-c", COMPILES + WORKS)
    folder = compiled_by(worker)
    lose_its_lab(worker)
    assert not folder.exists()


def test_what_a_killed_worker_left_goes_when_the_next_process_compiles(begin: Begin):
    lost, living = begin("-c", COMPILES + WORKS), begin("-c", COMPILES + WORKS)
    left, kept = compiled_by(lost), compiled_by(living)
    killed(lost)
    assert left.exists()
    compiled_by(begin("-c", COMPILES + WORKS))
    assert not left.exists()
    assert kept.exists()


def test_a_worker_that_gets_ready_removes_what_a_killed_one_left(begin: Begin):
    lost = begin("-c", COMPILES + WORKS)
    left = compiled_by(lost)
    killed(lost)
    worker = begin("-m", "cnnlab.worker", "none")
    wait_for_end_of(left, worker)
    assert not left.exists()


def wait_for_end_of(folder: Path, worker: subprocess.Popen[str]) -> None:
    """Until it is gone, or the worker with it."""
    while folder.exists() and worker.poll() is None:
        try:
            worker.wait(0.1)
        except subprocess.TimeoutExpired:
            continue


def test_what_another_machine_compiled_in_a_shared_folder_is_its_own(begin: Begin, tmp_path: Path):
    other = tmp_path / f"cnnlab-compiled-00000000-{os.getpid()}-0.5-abc"
    strange = tmp_path / "cnnlab-compiled-by-hand"
    for folder in (other, strange):
        folder.mkdir()
    devices.tidy_compiled()
    assert other.exists()
    assert strange.exists()
