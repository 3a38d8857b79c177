"""Benches of two kinds of epochs: each work is measured, and one that cannot be is no end."""

from __future__ import annotations

from typing import Any

import pytest

from bench import epochs
from bench.measure import Disturbed


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
