"""What varies between trained variants, and their lines through all of it."""

from __future__ import annotations

import pytest

from cnnlab import analysis
from cnnlab.spec import RunCard
from cnnlab.sweep.variants import variants
from tests.analysis.twelve_runs import ARTICLE, run


def trained(*axes: str) -> list[RunCard]:
    """A run for each variant; later ones take longer and come to more."""
    return [
        run(variant.said, 10.0 + place, 0.2 + place / 100).model_copy(update={"spec": variant.spec})
        for place, variant in enumerate(variants(ARTICLE, axes))
    ]


def groups(cards: list[RunCard]) -> list[analysis.Repeats]:
    return analysis.repeats(cards, [card.name for card in cards])


def test_what_varies_is_named_with_its_values_in_their_order():
    cards = trained("batch_size=512,32,128", "model.dropout=0,0.5", "seed=0,1")
    dropout, batch = analysis.varied(cards)
    assert (batch.title, batch.values) == ("Batch size", ("32", "128", "512"))
    assert (dropout.title, dropout.values) == ("Dropout", ("0.0", "0.5"))
    assert {batch.of_run[card.run_id] for card in cards[:4]} == {"512"}


def test_fields_that_change_together_are_one():
    (filters,) = analysis.varied(trained("filters=8,16"))
    assert (filters.title, filters.values) == ("Filters", ("8", "16"))


def test_words_stand_in_the_order_of_the_alphabet_and_precisions_without_their_mix():
    (precision,) = analysis.varied(trained("precision=mixed_bfloat16,float32"))
    assert precision.values == ("bfloat16", "float32")


def test_seeds_alone_are_no_axis_and_one_variant():
    cards = trained("seed=0,1,2")
    assert analysis.varied(cards) == []
    (group,) = groups(cards)
    assert len(group.runs) == 3
    assert analysis.parallel_axes([]) == ("Training time", "Validation accuracy")


def test_a_variant_is_a_line_from_its_values_to_what_they_cost_and_brought():
    cards = trained("batch_size=32,128,512")
    axes, found = analysis.varied(cards), groups(cards)
    frame = analysis.parallel_frame(axes, found)
    first, second, last = (
        frame[frame["first"] == card.run_id].set_index("axis")["place"] for card in cards
    )
    assert dict(first) == {"Batch size": 0, "Training time": 0, "Validation accuracy": 0}
    assert dict(second) == pytest.approx(
        {"Batch size": 0.5, "Training time": 0.5, "Validation accuracy": 0.5}
    )
    assert dict(last) == {"Batch size": 1, "Training time": 1, "Validation accuracy": 1}
    ticks = analysis.ticks_frame(axes, found)
    assert list(ticks[ticks["axis"] == "Batch size"]["text"]) == ["32", "128", "512"]
    assert list(ticks[ticks["axis"] == "Validation accuracy"]["text"]) == ["20 %", "22 %"]


def test_equal_outcomes_stand_in_the_middle():
    card = run("only", 10.0, 0.4)
    frame = analysis.parallel_frame([], groups([card]))
    assert set(frame["place"]) == {0.5}
