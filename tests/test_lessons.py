"""Every lesson is answered by the figures of the reader's own runs."""

from __future__ import annotations

import math

import pytest

from cnnlab import datasets
from cnnlab.history import History
from cnnlab.lessons import LESSONS
from cnnlab.spec import Epoch, RunCard, change
from cnnlab.training import train
from tests.example_runs import CPU, add_run

pytestmark = pytest.mark.usefixtures("peaks")

every_lesson = pytest.mark.parametrize("name", list(LESSONS))


def cards(name: str, *step_ms: float) -> list[RunCard]:
    """Its runs, as they may have gone."""
    history = History()
    runs = [
        add_run(history, spec=spec, device=CPU, epochs=spec.epochs, step_ms=ms)
        for spec, ms in zip(LESSONS[name].runs.values(), step_ms, strict=True)
    ]
    return [history.card(run_id) for run_id in runs]


@every_lesson
def test_the_runs_of_a_lesson_can_be_trained_at_once_on_any_machine(name):
    for spec in LESSONS[name].runs.values():
        assert datasets.info(spec.dataset).synthetic  # drawn here: no network is needed
        assert spec.device == "cpu"
        started = []
        train(change(spec, epochs=1, train_limit=128), started.append, lambda: False, launched_at=0)
        assert any(getattr(event, "row", None) for event in started)


@every_lesson
def test_one_of_the_guesses_is_the_one_that_the_runs_bear_out(name):
    times = (4.0, 8.0)[: len(LESSONS[name].runs)]
    assert LESSONS[name].answer(cards(name, *times)).right in LESSONS[name].guesses


@every_lesson
def test_an_answer_leads_with_a_figure_and_says_why(name):
    times = (4.0, 8.0)[: len(LESSONS[name].runs)]
    answer = LESSONS[name].answer(cards(name, *times))
    assert any(sign.isdigit() for sign in answer.figure)
    assert answer.label
    assert len(answer.says) >= 2


def test_an_epoch_is_so_many_steps():
    answer = LESSONS["step"].answer(cards("step", 4.0))
    assert answer.figure == str(math.ceil(3400 / 32))
    assert "the last batch held 8" in answer.says[0]


def test_a_filter_brings_its_kernel_and_a_slice_of_the_next_layers():
    few, many = (
        card.model_copy(update={"model": card.model.model_copy(update={"parameters": count})})
        for card, count in zip(cards("filter", 4.0, 6.0), (1000, 1000 + 24 * 364), strict=True)
    )
    answer = LESSONS["filter"].answer([few, many])
    assert (answer.figure, answer.right) == ("364", "a few hundred")


def test_the_gap_is_between_training_and_validation():
    little, much = cards("overfits", 4.0, 4.0)
    rows = tuple(
        Epoch(**(row.model_dump() | {"accuracy": 0.95, "val_accuracy": 0.35}))
        for row in little.epochs
    )
    answer = LESSONS["overfits"].answer([little.model_copy(update={"epochs": rows}), much])
    assert answer.figure == "60 points"
    assert answer.right == "Far fewer"
    assert "81.7 %" in answer.says[2]  # as published


@pytest.mark.parametrize(
    ("small", "large", "share"), [(1.0, 1.0, "100 %"), (1.0, 64.0, "0 %"), (2.0, 65.0, "50 %")]
)
def test_what_a_step_costs_before_its_first_picture_is_where_the_line_begins(small, large, share):
    assert LESSONS["overhead"].answer(cards("overhead", small, large)).figure == share


@pytest.mark.parametrize(
    ("large", "right"), [(64.0, "64 times"), (26.0, "About 30 times"), (3.0, "Far less")]
)
def test_how_many_times_as_long_a_large_step_takes_decides_who_guessed_right(large, right):
    assert LESSONS["overhead"].answer(cards("overhead", 1.0, large)).right == right


@pytest.mark.parametrize(
    ("narrow", "wide", "right"), [(0.9, 0.5, "Less"), (0.5, 0.9, "More"), (0.9, 0.895, "As much")]
)
def test_whether_larger_batches_learn_as_much_is_what_so_many_pictures_can_tell(
    narrow, wide, right
):
    found = [
        card.model_copy(
            update={
                "epochs": tuple(
                    Epoch(**(row.model_dump() | {"val_accuracy": accuracy})) for row in card.epochs
                )
            }
        )
        for card, accuracy in zip(cards("batch", 8.0, 2.0), (narrow, wide), strict=True)
    ]
    assert LESSONS["batch"].answer(found).right == right


def test_larger_batches_are_told_as_a_ratio_of_epochs():
    assert LESSONS["batch"].answer(cards("batch", 8.0, 2.0)).figure == "4×"
