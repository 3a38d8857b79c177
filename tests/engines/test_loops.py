"""The steps of sequences: two ways to take them that agree, and where there is but one."""

import subprocess

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.devices import compiler
from cnnlab.engines import loops
from cnnlab.engines.loops import by_torch, compiled
from cnnlab.spec import DenseModel, ExperimentSpec, RnnModel, change
from tests.engines.test_floor import digits, job_of

WITH_COMPILER = pytest.mark.skipif(compiler() is None, reason="no C++ compiler")
SIZES = st.tuples(st.integers(1, 9), st.integers(1, 37), st.integers(1, 70))
GRU = ExperimentSpec(model=RnnModel(cell="gru", recurrent=(12,)), batch_size=8)


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A lab's home without a library, and nobody who has looked for one."""
    monkeypatch.setenv("CNNLAB_HOME", str(tmp_path))
    for known in (loops.quickest, compiled.library):
        known.cache_clear()
    yield tmp_path
    for known in (loops.quickest, compiled.library):
        known.cache_clear()


def drawn(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32))


def gru(way, size, whole):
    steps, batch, units = size
    gates, states = drawn(1, steps, batch, 4 * units), torch.full((steps + 1, batch, units), 0.5)
    recurrent = drawn(2, units, 3 * units) / units**0.5
    way.gru_forward(recurrent, gates, states)
    above = drawn(3, steps, batch, units) if whole else None
    found = way.gru_backward(recurrent, gates, states, above, drawn(4, batch, units))
    return gates, states, found


def simple(way, size, whole):
    steps, batch, units = size
    states, recurrent = drawn(1, steps + 1, batch, units), drawn(2, units, units) / units**0.5
    way.simple_forward(recurrent, states)
    above = drawn(3, steps, batch, units) if whole else None
    return states, way.simple_backward(recurrent, states, above, drawn(4, batch, units))


def lstm(way, size, whole):
    steps, batch, units = size
    gates, recurrent = drawn(1, steps, batch, 4 * units), drawn(2, units, 4 * units) / units**0.5
    cells, states = torch.zeros(2, steps + 1, batch, units)
    way.lstm_forward(recurrent, gates, cells, states)
    above = drawn(3, steps, batch, units) if whole else None
    return states, way.lstm_backward(recurrent, gates, cells, above, drawn(4, batch, units))


def lstm_by_autograd(size, whole):
    steps, batch, units = size
    given = drawn(1, steps, batch, 4 * units).requires_grad_()
    recurrent = drawn(2, units, 4 * units) / units**0.5
    states, cell = [torch.zeros(batch, units)], torch.zeros(batch, units)
    for step in given:
        i, f, c, o = (step + states[-1] @ recurrent).chunk(4, -1)
        cell = f.sigmoid() * cell + i.sigmoid() * c.tanh()
        states.append(o.sigmoid() * cell.tanh())
    aim = (states[-1] * drawn(4, batch, units)).sum()
    if whole:
        aim = aim + (torch.stack(states[1:]) * drawn(3, steps, batch, units)).sum()
    (found,) = torch.autograd.grad(aim, given)
    return torch.stack(states).detach(), found


@WITH_COMPILER
@settings(max_examples=40, deadline=None)
@given(size=SIZES, whole=st.booleans())
def test_a_compiled_lstm_does_what_autograd_finds(size, whole):
    ours = lstm(compiled.Compiled(compiled.library()), size, whole)
    for pair in zip(ours, lstm_by_autograd(size, whole), strict=True):
        torch.testing.assert_close(*pair, rtol=1e-4, atol=1e-5)


@WITH_COMPILER
@pytest.mark.parametrize("cell", [gru, simple])
@settings(max_examples=40, deadline=None)
@given(size=SIZES, whole=st.booleans())
def test_compiled_loops_do_what_calls_of_torch_do(cell, size, whole):
    ways = compiled.Compiled(compiled.library()), by_torch.ByTorch()
    for ours, torchs in zip(*(cell(way, size, whole) for way in ways), strict=True):
        torch.testing.assert_close(ours, torchs, rtol=1e-4, atol=1e-5)


@WITH_COMPILER
@pytest.mark.parametrize("cell", [gru, lstm, simple])
def test_threads_share_the_samples_and_change_no_bit(cell, monkeypatch):
    way, found = compiled.Compiled(compiled.library()), []
    for threads in (1, 2, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        found.append(cell(way, (5, 29, 11), True))
    for other in found[1:]:
        assert all(torch.equal(*pair) for pair in zip(found[0], other, strict=True))


@WITH_COMPILER
def test_numbers_without_bounds_saturate_and_what_is_none_stays_none():
    way = compiled.Compiled(compiled.library())
    given = torch.tensor([0.0, 1.0, -1.0, 30.0, -200.0, 1e30, torch.inf, -torch.inf, torch.nan])
    states = torch.stack((torch.zeros(1, 9), given[None]))
    way.simple_forward(torch.zeros(9, 9), states)
    torch.testing.assert_close(states[1, 0], given.sigmoid(), rtol=3e-7, atol=1e-37, equal_nan=True)


@WITH_COMPILER
def test_a_machine_compiles_them_once(fresh, monkeypatch):
    first = compiled.library()
    (made,) = (fresh / compiled.FOLDER).iterdir()
    compiled.library.cache_clear()
    before = made.stat().st_mtime_ns
    assert None not in (first, compiled.library())
    assert [each.stat().st_mtime_ns for each in made.parent.iterdir()] == [before]


@pytest.mark.parametrize("fault", ["no compiler", "it fails", "it hangs", "no room"])
def test_where_they_cannot_be_compiled_torch_walks_and_the_log_says_why(
    fault, fresh, monkeypatch, caplog
):
    def run(command, **asked):
        if fault == "it hangs":
            raise subprocess.TimeoutExpired(command, 60)
        if fault == "it fails" and "-o" in command:
            raise subprocess.CalledProcessError(1, command, stderr=b"no such header")
        return subprocess.CompletedProcess(command, 0, b"g++ 12")

    monkeypatch.setattr(compiled, "compiler", lambda: None if fault == "no compiler" else "g++")
    monkeypatch.setattr(compiled.subprocess, "run", run)
    if fault == "no room":
        (fresh / compiled.FOLDER).write_text("in the way")
    assert isinstance(loops.quickest(), by_torch.ByTorch)
    assert ("torch walks" in caplog.text) == (fault != "no compiler")
    assert ("no such header" in caplog.text) == (fault == "it fails")
    assert not list(fresh.glob(f"{compiled.FOLDER}/*"))


@pytest.mark.parametrize("way", ["compiled", "torch"])
def test_a_run_tells_who_took_the_steps(way, fresh, monkeypatch):
    if way == "torch":
        monkeypatch.setattr(compiled, "compiler", lambda: None)
    elif compiler() is None:
        pytest.skip("no C++ compiler")
    assert job_of(GRU, digits(shape=(8, 3, 1))).model.sequences_compiled is (way == "compiled")
    dense = change(GRU, model=DenseModel(dense=(4,)))
    assert job_of(dense).model.sequences_compiled is None
