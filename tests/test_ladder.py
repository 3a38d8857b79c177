"""The ladder: one change at a time from one spec to another, and factors that multiply."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from cnnlab import analysis, ladder
from cnnlab.spec import PRESETS, LabError, RunCard, Status, change
from tests.analysis.twelve_runs import ARTICLE, CARD, CPU, TWELVE, run
from tests.example_runs import disturbances

TYPED = change(ARTICLE, engine="stock", device="cpu")
FASTEST = change(ARTICLE, device="cuda:0", precision="mixed_bfloat16", batch_size=128)


def climbed(*seconds: float) -> list[RunCard]:
    """The rungs from `TYPED` to `FASTEST`, each with an epoch of so many seconds."""
    specs = ladder.rungs(TYPED, FASTEST)
    cards = []
    for place, (spec, epoch) in enumerate(zip(specs, seconds, strict=True)):
        device = CPU if spec.device == "cpu" else CARD
        card = run(f"rung {place}", epoch, 0.4 + place / 100, device=device)
        cards.append(card.model_copy(update={"spec": spec}))
    return cards


def test_each_rung_is_one_change_from_the_one_below_and_the_last_is_the_goal():
    specs = ladder.rungs(TYPED, FASTEST)
    assert [ladder.titled(a, b) for a, b in pairwise(specs)] == [
        "device: cpu to cuda:0",
        "engine: stock to fast",
        "precision: float32 to bfloat16",
        "batch size: 32 to 128",
    ]
    assert (specs[0], specs[-1]) == (TYPED, FASTEST)


def test_a_network_of_one_family_changes_field_by_field_and_of_another_at_once():
    tiny = PRESETS["tiny"].spec
    deeper = tiny.model.model_copy(update={"dropout": 0.5, "dense": (64, 32)})
    same = ladder.rungs(tiny, tiny.model_copy(update={"model": deeper}))
    assert [ladder.titled(a, b) for a, b in pairwise(same)] == [
        "dense units: 64 to 64, 32",
        "dropout: 0.0 to 0.5",
    ]
    other = ladder.rungs(tiny, change(PRESETS["dense"].spec, dataset=tiny.dataset))
    assert "the network" in [ladder.titled(a, b) for a, b in pairwise(other)]


def test_there_is_no_ladder_between_other_work_nor_between_repeats():
    with pytest.raises(LabError, match="did other work"):
        ladder.rungs(TYPED, change(FASTEST, dataset="mnist"))
    with pytest.raises(LabError, match="Nothing differs"):
        ladder.rungs(TYPED, change(TYPED, epochs=3, train_limit=100))


def test_rungs_are_equally_long_and_short_by_the_pace_of_the_slower_end():
    specs = ladder.between(TWELVE["host"], TWELVE["large"])
    assert {(spec.epochs, spec.train_limit) for spec in specs} == {(3, specs[0].train_limit)}
    pace = 320 / 42_500
    fewest = 30 * 128 / 0.85
    assert specs[0].train_limit == math.ceil(max(fewest, 20 / 3 / pace))
    assert [spec.device for spec in specs][:2] == ["cpu", "cuda:0"]


def test_the_factors_multiply_to_the_measured_whole_within_its_spread():
    found = ladder.climb(climbed(320.0, 25.0, 21.0, 13.0, 9.0))
    factors = [step.verdict.speed.ratio for step in found.steps]
    assert factors == pytest.approx([320 / 25, 25 / 21, 21 / 13, 13 / 9])
    whole = found.whole.speed
    assert found.product == pytest.approx(320 / 9)
    assert whole.low < found.product < whole.high
    assert [step.verdict.accuracy.difference for step in found.steps] == pytest.approx([0.01] * 4)


def test_the_sentence_names_what_brought_most_and_what_brought_nothing():
    found = ladder.climb(climbed(40.0, 20.0, 20.1, 22.5, 10.0))
    said = ladder.sentence(found)
    assert said.startswith("All changes together: 4 times as fast (")
    assert "Most of it by one change, batch size: 32 to 128: 2.25 times." in said
    assert "No faster by: engine: stock to fast." in said
    assert "Slower by: precision: float32 to bfloat16." in said


def test_a_gain_that_a_neighbour_may_have_given_is_not_called_none():
    cards = climbed(40.0, 20.0, 17.0, 12.0, 6.0)
    busy = {"disturbances": disturbances("Other processes kept 2 of 8 cores busy.")}
    said = ladder.sentence(ladder.climb([card.model_copy(update=busy) for card in cards]))
    assert "Not to be told from disturbance: engine: stock to fast." in said
    assert "No faster by" not in said


def test_the_change_of_a_rung_that_failed_is_told_with_the_next():
    cards = climbed(40.0, 20.0, 15.0, 12.0, 10.0)
    failed = {"epochs": (), "status": Status.FAILED, "error": "It has no bfloat16."}
    cards[3] = cards[3].model_copy(update=failed)
    found = ladder.climb(cards)
    assert found.lost == ("rung 3: It has no bfloat16.",)
    assert found.steps[-1].title == "precision: float32 to bfloat16; batch size: 32 to 128"
    assert found.product == pytest.approx(4)


def test_a_ladder_grows_as_its_rungs_are_trained():
    cards = climbed(40.0, 20.0, 15.0, 12.0, 10.0)
    waiting = [c.model_copy(update={"epochs": (), "status": Status.QUEUED}) for c in cards]
    assert ladder.climb([cards[0], *waiting[1:]]) is None
    found = ladder.climb([*cards[:3], *waiting[3:]])
    assert (len(found.steps), found.lost) == (2, ())


def test_the_waterfall_ends_where_the_product_does():
    cards = climbed(40.0, 20.0, 15.0, 12.0, 10.0)
    frame = ladder.frame(cards, ladder.climb(cards))
    assert list(frame["begin"][1:]) == list(frame["end"][:-1])
    assert frame["end"].iloc[-1] == pytest.approx(4)
    assert (frame["least"] < frame["accuracy"]).all()
    assert (frame["accuracy"] < frame["most"]).all()


@pytest.mark.parametrize(
    ("accelerators", "sets", "changes"),
    [
        ([], ["AVX2"], {"engine", "batch_size"}),
        ([], ["AVX512_BF16"], {"engine", "precision", "batch_size"}),
        (["cuda:0"], [], {"device", "engine", "precision", "batch_size"}),
    ],
)
def test_the_example_climbs_from_the_article_to_what_the_machine_has(accelerators, sets, changes):
    specs = ladder.example(accelerators, sets)
    assert specs[0].engine == "stock"
    assert specs[0].model == PRESETS["article"].spec.model
    flat = [analysis.flatten(spec.model_dump(mode="json")) for spec in (specs[0], specs[-1])]
    assert {name for name in flat[0] if flat[0][name] != flat[1][name]} == changes
    assert len(specs) == len(changes) + 1
