"""What a step spends is told call by call, and the rest is what is left of the step."""

import pytest

from bench import floor
from bench.floor import Spent
from cnnlab.spec import PRESETS, change

MACHINE = {"cpu": "CPU", "cores": 2, "cards": [], "system": "Linux", "python": "3.12"}


def test_every_call_of_a_step_is_timed(monkeypatch):
    monkeypatch.setattr(floor, "CALL_SECONDS", 1e-4)
    monkeypatch.setattr(floor, "STEP_SECONDS", 1e-3)
    found = floor.spent(change(PRESETS["dense"].spec, device="cpu", batch_size=4))
    assert found.calls["_fused_adam_"][0] == 1
    products = sum(
        found.calls.get(name, (0, 0))[0] for name in ("addmm", "mm", "_linear_pointwise")
    )
    assert products == 8  # three forward, three for weights, two for what came in
    assert list(found.calls.values()) == sorted(found.calls.values(), key=lambda kind: -kind[1])
    assert found.step > 0


def test_the_table_adds_up_to_the_step(monkeypatch):
    monkeypatch.setattr(floor, "machine", lambda: MACHINE | {"load_average": 0.1})
    calls = {f"call_{n}": (2, 100.0 - n) for n in range(8)}
    lines = floor.table({"dense": Spent(1000.0, calls)}).splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[4:]]
    assert [row[1] for row in rows[:2]] == ["`call_0`", "`call_1`"]
    assert rows[6] == ["dense", "all other calls", "4", "187", "19%"]
    assert sum(float(row[3]) for row in rows[:-1]) == pytest.approx(1000.0, abs=1)
    assert rows[-1] == ["dense", "**the step**", "", "1,000", "100%"]
