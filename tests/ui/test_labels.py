"""What runs are called where they stand side by side."""

from __future__ import annotations

import pytest

from cnnlab.history import History
from cnnlab.spec import Part, change
from cnnlab.ui import tables
from tests.example_runs import TINY, add_run
from tests.quiet_lab import own_history

pytestmark = pytest.mark.usefixtures("quiet_lab")


@pytest.fixture
def history() -> History:
    return own_history()


def test_runs_that_only_their_seeds_tell_apart_are_called_by_them(history: History) -> None:
    ids = [add_run(history, name="Tiny · 3 epochs", spec=change(TINY, seed=n)) for n in (0, 1)]
    other = add_run(history, name="Tiny · 6 epochs")
    cards = [history.card(run_id, steps=False) for run_id in (*ids, other)]
    assert tables.labels(cards) == ["seed 0 · 3 epochs", "seed 1 · 3 epochs", "6 epochs"]


def test_runs_that_nothing_tells_apart_are_called_by_their_ids(history: History) -> None:
    ids = [add_run(history, name="Tiny") for _ in range(2)]
    cards = [history.card(run_id, steps=False) for run_id in ids]
    assert len(set(tables.labels(cards))) == 2


def test_a_name_that_is_too_long_loses_what_others_share_not_what_tells_it_apart(
    history: History,
) -> None:
    names = ("", " · stock", " · 48 filters · batch 64")
    whole = [f"Tiny · 6 epochs · 20,000 examples{name} · CPU" for name in names]
    ids = [add_run(history, name=name) for name in (*whole, "Other")]
    found = tables.labels([history.card(run_id, steps=False) for run_id in ids])
    assert found[1:] == ["Tiny · 6 epochs · stock", "Tiny · 48 filters · batch 64", "Other"]
    assert not any(name.endswith("…") for name in found)


def test_legs_of_one_race_are_called_by_their_lanes_and_places(history: History) -> None:
    ids = [
        add_run(history, name=part.leg_name, part=part)
        for turn in (0, 1)
        for lane, title in enumerate(("CPU", "fast engine"))
        for part in [
            Part(kind="race", group_id="r", group="A", lane=lane, lane_title=title, turn=turn)
        ]
    ]
    cards = [history.card(run_id, steps=False) for run_id in ids]
    expected = ["CPU, leg 1", "fast engine, leg 1", "CPU, leg 2", "fast engine, leg 2"]
    assert tables.labels(cards) == expected
