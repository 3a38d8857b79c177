"""torch.compile is offered where there is a compiler, and refused in a sentence elsewhere."""

import pytest

from cnnlab import sweep
from cnnlab.devices import compiler
from cnnlab.spec import PRESETS, LabError, change
from cnnlab.sweep.calibration import PROBES
from cnnlab.training import train


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
