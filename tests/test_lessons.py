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
    assert LESSONS["filter"].answer([few, many]).figure == "364"


def test_the_gap_is_between_training_and_validation():
    little, much = cards("overfits", 4.0, 4.0)
    rows = tuple(
        Epoch(**(row.model_dump() | {"accuracy": 0.95, "val_accuracy": 0.35}))
        for row in little.epochs
    )
    answer = LESSONS["overfits"].answer([little.model_copy(update={"epochs": rows}), much])
    assert answer.figure == "60 points"
    assert "81.7 %" in answer.says[2]  # as published


@pytest.mark.parametrize(
    ("small", "large", "share"), [(1.0, 1.0, "100 %"), (1.0, 64.0, "0 %"), (2.0, 65.0, "50 %")]
)
def test_what_a_step_costs_before_its_first_picture_is_where_the_line_begins(small, large, share):
    assert LESSONS["overhead"].answer(cards("overhead", small, large)).figure == share


def test_larger_batches_are_told_as_a_ratio_of_epochs():
    assert LESSONS["batch"].answer(cards("batch", 8.0, 2.0)).figure == "4x"
