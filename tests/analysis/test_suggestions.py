"""What is worth trying after a run."""

import math

import pytest

from cnnlab import analysis
from cnnlab.spec import PRESETS, Epoch, RunCard, Status, change

TINY = PRESETS["tiny"].spec


def after(*accuracies: tuple[float, float], loss: float = 0.5, **fields) -> list[str]:
    """What is suggested after epochs of these accuracies: of training, of validation."""
    epochs = [
        Epoch(
            epoch=number,
            seconds=1.0,
            step_ms_mean=1.0,
            accuracy=own,
            val_accuracy=val,
            loss=loss,
            val_loss=loss,
        )
        for number, (own, val) in enumerate(accuracies, start=1)
    ]
    spec = change(TINY, **fields)
    card = RunCard(
        run_id="r1",
        name="Example",
        session="today",
        created_at="2026-11-26T10:00:00Z",
        spec=spec,
        status=Status.FINISHED,
        epochs=tuple(epochs),
    )
    found = analysis.next_experiments(card)
    assert all(idea.spec != spec and idea.why.endswith((".", "?")) for idea in found)
    return [idea.label for idea in found]


def test_a_run_that_was_still_learning_goes_on_for_longer():
    assert after((0.5, 0.5), (0.7, 0.7))[0] == "10 epochs"


def test_a_run_that_learns_by_heart_gets_dropout_and_more_to_learn_from():
    assert after((0.9, 0.6), (0.99, 0.6))[:2] == ["Dropout 0.5", "16,000 examples"]


def test_a_run_that_diverged_takes_smaller_steps():
    assert after((0.1, 0.1), loss=math.nan)[0] == "Learning rate 0.0003"


@pytest.mark.parametrize("preset", PRESETS)
def test_there_are_always_three_and_each_changes_one_thing(preset):
    assert len(after((0.9, 0.9), model=PRESETS[preset].spec.model)) == 3


def test_what_a_spec_does_not_allow_is_not_suggested():
    most = 65_536
    assert f"Batch size {4 * most}" not in after((0.9, 0.9), batch_size=most)
