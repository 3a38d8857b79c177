"""Benches of two kinds of epochs: each work is measured, and one that cannot be is no end."""

from __future__ import annotations

from typing import Any

import pytest

from bench import epochs
from bench.measure import Disturbed, Rounds
from cnnlab.spec import Epoch, RunCard, Status
from tests.example_runs import TINY


def test_each_work_is_measured_and_the_results_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {}
    monkeypatch.setattr(epochs, "best_device", lambda: "cuda:0")
    monkeypatch.setattr(epochs, "save", kept.__setitem__)

    def measured(name: str, device: str) -> dict[str, Any]:
        if name == "dense":
            raise Disturbed("Something else was busy.")
        return {"unit": "ms", "on": device}

    found = epochs.of_each_work("this", "Step of", measured)
    assert kept == {"this": found}
    assert [result["name"] for result in found] == [
        "Step of article, float32, batch 32, cuda",
        "Step of dense 784-300-100-10, batch 32, cuda",
    ]
    assert found[0]["on"] == "cuda:0"
    assert found[1]["refused"] == "Something else was busy."


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(-1.0, 2.0, "kept"), (0.5, 2.1, "not told apart"), (2.1, 3.0, "broken")],
)
def test_a_budget_is_held_against_the_whole_interval(low: float, high: float, said: str) -> None:
    assert epochs.held(low, high, 2.0) == said


def test_a_runs_epoch_is_told_as_a_verdict_has_it_and_by_the_wall() -> None:
    rows = tuple(
        Epoch(
            epoch=number,
            loss=1.0,
            accuracy=0.5,
            val_loss=1.0,
            val_accuracy=0.5,
            seconds=seconds,
            quiet_seconds=seconds - 1.0,
            step_ms_mean=1.0,
        )
        for number, seconds in enumerate((9.0, 3.0, 5.0, 4.0), start=1)
    )
    card = RunCard(
        run_id="a",
        name="a",
        session="a",
        status=Status.FINISHED,
        created_at="2026-01-01T00:00:00+00:00",
        spec=TINY,
        epochs=rows,
    )
    found = epochs.EpochSeconds.of(card)
    assert (found, found.wall) == (3.0, 4.0)
    wall = epochs.by_the_wall(Rounds([{"a": found, "b": found}], left_out=2))
    assert (wall.kept, wall.left_out) == ([{"a": 4.0, "b": 4.0}], 2)
