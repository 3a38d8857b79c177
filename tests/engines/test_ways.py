"""Ways to train that change how a step is computed, not what comes out: batches copied ahead,
compiled steps, reduced precision.
"""

from __future__ import annotations

import shutil
import time
from contextlib import nullcontext
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch

from cnnlab.engines import Batches, Pictures, batches
from cnnlab.spec import PRESETS, EpochEnded, ExperimentSpec, change
from cnnlab.training import train

pytestmark = pytest.mark.usefixtures("peaks")

SMALL = change(
    PRESETS["dense"].spec,
    dataset="shapes",
    train_limit=400,
    epochs=2,
    model={"family": "dense", "dense": [24], "dropout": 0.0},
    device="cpu",
)
PICTURES = Pictures(
    np.random.default_rng(0).integers(0, 256, (37, 4, 4, 3), dtype=np.uint8),
    np.arange(37, dtype=np.int32) % 5,
    5,
)


def losses(spec: ExperimentSpec) -> list[float]:
    events: list = []
    train(spec, events.append, lambda: False, launched_at=time.monotonic())
    return [event.row.loss for event in events if isinstance(event, EpochEnded)]


def epoch_of(device: str) -> tuple[bool, list[tuple[torch.Tensor, torch.Tensor]]]:
    """Whether the pictures lie on the device, and the batches of an epoch, as the CPU has them."""
    made = Batches(PICTURES, 8, torch.device(device), shuffle=True, channels_first=True)
    torch.manual_seed(3)
    return made.staged, [(x.cpu().clone(), y.cpu().clone()) for x, y in made]


def the_same_batches(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    staged, expected = epoch_of(device)
    monkeypatch.setattr(batches, "_fits", lambda *_: False)
    ahead, found = epoch_of(device)
    assert (staged, ahead) == (True, False)
    assert [len(y) for _, y in found] == [8, 8, 8, 8, 5]
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours[0], theirs[0])
        assert torch.equal(ours[1], theirs[1])


@pytest.mark.skipif(torch.cuda.is_available(), reason="the card's own test is the better one")
def test_batches_that_are_copied_ahead_are_those_of_staged_pictures(monkeypatch):
    # What takes a card: pinned memory, and streams.
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda self, stream: None)
    for name in ("Stream", "current_stream"):
        monkeypatch.setattr(torch.cuda, name, MagicMock())
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    the_same_batches("cpu", monkeypatch)


@pytest.mark.gpu
def test_batches_that_are_copied_ahead_to_a_card_are_those_of_staged_pictures(monkeypatch):
    the_same_batches("cuda:0", monkeypatch)


@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
def test_a_compiled_step_has_the_losses_of_the_same_step_as_written():
    once = change(SMALL, epochs=1)
    assert losses(change(once, compile=True)) == pytest.approx(losses(once), rel=1e-4)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda:0", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_a_reduced_precision_learns_as_float32_does_and_is_none(device, precision):
    whole = losses(change(SMALL, device=device))
    reduced = losses(change(SMALL, device=device, precision=precision))
    assert reduced == pytest.approx(whole, rel=0.05)
    assert reduced != whole
