"""The high scores: what counts, who stands first, and that unlike energies are never ranked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cnnlab.analysis import boards
from cnnlab.history import History, RunSummary
from cnnlab.spec import Energy, Part, Status, Timing, change
from tests.example_runs import CARD, TINY, add_run
from tests.example_sweeps import add_sweep


@pytest.fixture
def history(home) -> History:
    return History()


def with_energy(run: RunSummary, joules: float, source: str) -> RunSummary:
    return replace(run, energy=Energy(joules=joules, source=source))


def by_title(history: History) -> dict[str, list[str]]:
    (board,) = boards(history.summaries())
    return {title: [score.name for score in scores] for title, scores in board.lists}


def test_the_best_three_stand_on_each_list_the_best_first(history: History) -> None:
    for place, epochs in enumerate((2, 5, 3, 4)):
        add_run(history, name=f"{epochs} epochs", epochs=epochs, step_ms=10.0 + place)
    found = by_title(history)
    assert found["Best accuracy"] == ["5 epochs", "4 epochs", "3 epochs"]
    assert found["Fastest"] == ["2 epochs", "5 epochs", "3 epochs"]
    assert not [title for title in found if title.startswith("Least energy")]


def test_of_equal_scores_the_one_that_was_there_first_leads(history: History) -> None:
    for name in ("first", "second"):
        add_run(history, name=name)
    assert by_title(history)["Best accuracy"] == ["first", "second"]


def test_what_was_cut_failed_or_measured_as_a_cell_has_no_place(history: History) -> None:
    add_run(history, name="failed", status=Status.FAILED)
    cut = Part(kind="race", group_id="r", group="Race", cut_seconds=2.0)
    add_run(history, name="leg", part=cut)
    add_sweep(history)
    assert boards(history.summaries()) == []


def test_each_data_set_has_a_board_that_of_most_runs_first(history: History) -> None:
    add_run(history, spec=change(TINY, dataset="mnist"))
    for _ in range(2):
        add_run(history)
    assert [(board.dataset, board.runs) for board in boards(history.summaries())] == [
        ("shapes10", 2),
        ("mnist", 1),
    ]


def test_a_score_says_what_it_rests_on(history: History) -> None:
    add_run(history, name="without an epoch", epochs=0)
    add_run(history, name="on a card", device=CARD, epochs=3, step_ms=10.0)
    (board,) = boards(history.summaries())
    lists = dict(board.lists)
    assert lists["Best accuracy"][0].beside == "3 epochs in 3.37 s"
    assert lists["Fastest"][0].beside == "Example GPU"
    assert lists["Fastest"][0].figure == "3,200/s"


def test_energies_of_different_things_stand_on_lists_of_their_own(history: History) -> None:
    for name in ("a", "b", "c"):
        add_run(history, name=name, epochs=2)
    runs = {run.name: run for run in history.summaries()}
    found = boards(
        [
            with_energy(runs["a"], 68.0, "RAPL: the CPU's package"),
            with_energy(runs["b"], 34.0, "RAPL: the CPU's package"),
            with_energy(runs["c"], 6.8, "NVML: the card alone"),
        ]
    )
    lists = dict(found[0].lists)
    package = lists["Least energy, the CPU's package"]
    assert [(score.name, score.figure) for score in package] == [
        ("b", "5 mJ each"),
        ("a", "10 mJ each"),
    ]
    assert [score.name for score in lists["Least energy, the card alone"]] == ["c"]


def test_a_run_that_was_not_timed_has_no_speed(history: History) -> None:
    add_run(history)
    (board,) = boards([replace(run, timing=Timing()) for run in history.summaries()])
    assert [title for title, _ in board.lists] == ["Best accuracy"]
