"""What a race came to, in a number and in words."""

from __future__ import annotations

import pytest

from cnnlab.analysis.grades import Grade
from cnnlab.published import REFERENCES
from cnnlab.race import judge, opponent_named, other_than_published
from cnnlab.spec import PRESETS, Epoch, LabError, Status, change
from tests.example_runs import CARD, CPU, TINY
from tests.race.examples import FAST, STOCK, leg, raced

ARTICLE = REFERENCES["article-gpu-20"]


def engines(first: list[float], second: list[float]):
    return [
        card
        for turn, (one, other) in enumerate(zip(first, second, strict=True))
        for card in (
            leg(0, turn, one, STOCK, title="stock engine"),
            leg(1, turn, other, FAST, title="fast engine"),
        )
    ]


def test_a_lead_is_told_with_its_spread_and_what_each_lane_took() -> None:
    result = judge(engines([4.0, 4.1, 3.9], [2.0, 2.0, 2.0]))
    assert result.winner == "fast engine"
    assert result.speed_up.ratio == pytest.approx(2, rel=0.01)
    assert result.speed_up.low < 2 < result.speed_up.high
    assert result.heading.startswith("Fast engine ran 2 times as fast as stock engine (1.9")
    assert result.heading.endswith(", 3 pairs): 2 ms a step against 4 ms.")
    assert result.grade is Grade.ONE
    assert result.caveats == ()
    assert result.same_start


def test_the_first_lane_may_win() -> None:
    result = judge(engines([2.0] * 3, [4.0] * 3))
    assert result.speed_up.ratio == pytest.approx(0.5)
    assert result.heading.startswith("Stock engine ran 2 times as fast as fast engine")


def test_a_spec_against_itself_has_no_winner() -> None:
    result = judge(raced([2.0, 2.02, 1.99, 2.01], [2.01, 2.0, 2.0, 1.98]))
    assert result.winner is None
    assert result.heading.startswith("Nobody is ahead: ")
    assert result.grade is Grade.NOTHING
    assert "No verdict" not in result.verdict


def test_pairs_that_disagree_are_told_with_their_ratio() -> None:
    result = judge(engines([2.0, 3.0, 2.0], [2.5, 2.0, 2.1]))
    assert result.winner is None
    assert result.heading.startswith("Nobody is ahead by more than chance")
    assert result.speed_up.high > 1.2


def test_one_pair_says_that_it_has_no_spread() -> None:
    result = judge(engines([4.0], [2.0]))
    assert result.winner == "fast engine"
    assert "(one pair, so its spread is not known)" in result.heading


def test_several_lanes_are_ranked() -> None:
    cards = [
        leg(lane, turn, step_ms, change(TINY, threads=lane + 1), title=f"lane {lane}")
        for turn in range(3)
        for lane, step_ms in enumerate((4.0, 2.0, 8.0))
    ]
    result = judge(cards)
    assert result.winner == "lane 1"
    assert result.heading.startswith("Lane 1 ran 2 times as fast as lane 0, 4 times lane 2 (")
    assert [round(one.gain.ratio, 2) if one.gain else None for one in result.standings] == [
        None,
        2,
        0.5,
    ]


def test_several_lanes_that_differ_in_one_field_differ_in_one_thing() -> None:
    cards = [
        leg(lane, turn, 2.0, change(TINY, batch_size=32 * 2**lane), title=f"lane {lane}")
        for turn in range(3)
        for lane in range(3)
    ]
    assert judge(cards).grade is Grade.ONE


def test_how_far_runs_came_that_were_cut_is_no_difference_of_what_was_raced() -> None:
    row = Epoch(
        epoch=1, loss=1, accuracy=0.1, val_loss=1, val_accuracy=0.1, seconds=1, step_ms_mean=2
    )
    further = [
        card.model_copy(update={"epochs": (row,) * (5 - card.part.lane)})
        for card in engines([4.0] * 3, [2.0] * 3)
    ]
    result = judge(further)
    assert result.grade is Grade.ONE
    assert result.caveats == ()
    same = [
        card.model_copy(update={"epochs": (row,) * (5 - card.part.lane)})
        for card in raced([2.0] * 3, [2.0] * 3)
    ]
    assert judge(same).grade is Grade.NOTHING


def test_a_step_has_no_more_pictures_than_there_are() -> None:
    """A batch of 8,192 out of 3,400 pictures is a step of 3,400."""
    large = change(TINY, batch_size=8192)
    cards = [
        leg(lane, turn, ms, large) for turn in range(3) for lane, ms in enumerate((34.0, 17.0))
    ]
    result = judge(cards)
    assert result.standings[0].us_per_image == pytest.approx(10)
    assert result.heading.endswith(": 17 ms a step against 34 ms.")


def test_lanes_that_share_the_lead_are_named() -> None:
    cards = [
        leg(lane, turn, step_ms, title=f"lane {lane}")
        for turn in range(3)
        for lane, step_ms in enumerate((2.0, 2.0, 8.0))
    ]
    result = judge(cards)
    assert result.winner is None
    assert "lane 0 and lane 1" in result.heading.lower()
    assert "lane 2 took 4 times as long" in result.heading


def test_lanes_of_other_batches_are_held_by_the_picture() -> None:
    cards = [
        leg(lane, turn, step_ms, change(TINY, batch_size=size), title=f"batch {size}")
        for turn in range(3)
        for lane, (size, step_ms) in enumerate(((32, 2.0), (128, 4.0)))
    ]
    result = judge(cards)
    assert result.speed_up.ratio == pytest.approx(2)
    assert result.heading.endswith("31.2 µs a picture against 62.5 µs.")


def test_disturbed_pairs_are_left_out_and_counted() -> None:
    cards = engines([4.0] * 4, [2.0] * 4)
    cards[1] = leg(1, 0, 6.0, FAST, title="fast engine", disturbed=True)
    result = judge(cards)
    assert result.speed_up.pairs == 3
    assert result.speed_up.ratio == pytest.approx(2)
    assert result.caveats == ("1 pair was disturbed and left out.",)
    assert result.grade is Grade.ONE


def test_where_all_were_disturbed_the_number_is_about_right() -> None:
    cards = [
        leg(lane, turn, 4.0 / (lane + 1), (STOCK, FAST)[lane], disturbed=True)
        for turn in range(3)
        for lane in range(2)
    ]
    result = judge(cards)
    assert " ran about 2 times as fast " in result.heading
    assert result.grade is Grade.DISTURBED
    assert "Other processes used 1 of 2 cores." in result.verdict


def test_disturbed_pairs_claim_no_lead_that_a_neighbour_may_have_given() -> None:
    """As it happened: one spec against itself on a machine that eight others used."""
    times = ((73.0, 95.0), (75.0, 112.0), (72.0, 160.0))
    cards = [
        leg(lane, turn, step_ms, disturbed=True)
        for turn, pair in enumerate(times)
        for lane, step_ms in enumerate(pair)
    ]
    result = judge(cards)
    assert result.winner is None
    assert result.heading.startswith("Nobody is ahead for certain")
    assert result.speed_up.high < 1 / 1.03


def test_what_differs_besides_what_was_raced_is_said() -> None:
    cards = engines([4.0] * 3, [2.0] * 3)
    other = {**cards[0].environment, "torch": "3.0"}
    cards = [
        card.model_copy(update={"environment": other}) if card.part.lane else card for card in cards
    ]
    result = judge(cards)
    assert result.speed_up.ratio == pytest.approx(2)
    assert result.grade is Grade.MACHINES
    assert "The lanes also differ otherwise: torch is 2.9 against 3.0." in result.caveats


def test_lanes_of_one_network_that_began_from_other_weights_say_so() -> None:
    cards = [leg(lane, 0, 2.0, (STOCK, FAST)[lane], start="ab"[lane]) for lane in range(2)]
    result = judge(cards)
    assert not result.same_start
    assert "The runs did not start from the same weights." in result.caveats
    other = change(TINY, model=PRESETS["dense"].spec.model.model_dump())
    networks = [leg(lane, 0, 2.0, (TINY, other)[lane], start="ab"[lane]) for lane in range(2)]
    assert "same weights" not in judge(networks).verdict


def test_a_lane_that_failed_leaves_the_other_one_to_come_through() -> None:
    lost = leg(1, 0, None, title="B", status=Status.FAILED, error="The memory is full.")
    result = judge([leg(0, 0, 2.0), lost])
    assert result.verdict == "Only A came through: B failed: The memory is full."
    assert result.speed_up is None
    assert result.reasons == ("B failed: The memory is full",)


def test_a_race_that_was_stopped_early_or_never_began_says_so() -> None:
    stopped = leg(0, 0, 2.0, status=Status.STOPPED)
    assert judge([stopped]).verdict == "Nobody came through: A was stopped."
    assert judge([]).verdict == "Nobody came through: nothing ran."


def test_an_older_race_has_its_lanes_by_device(tmp_path) -> None:
    cards = [
        leg(0, 0, step_ms, device=device).model_copy(update={"part": None})
        for device, step_ms in ((CPU, 120.0), (CARD, 8.0), (CPU, 120.0), (CARD, 8.0))
    ]
    result = judge(cards)
    assert result.heading.startswith("GPU ran 15 times as fast as CPU")
    assert result.speed_up.pairs == 2


# --- beside a record ------------------------------------------------------------------------


def test_a_recorded_run_gives_a_number_and_is_named_as_recorded() -> None:
    recorded = leg(0, 0, 8.0, device=CARD).model_copy(update={"name": "yesterday", "part": None})
    mine = [leg(0, turn, 120.0, title="CPU") for turn in range(3)]
    result = judge(mine, recorded)
    assert result.speed_up.ratio == pytest.approx(15)
    assert result.heading.startswith("“yesterday” ran 15 times as fast as CPU")
    assert "“yesterday” on Example GPU, recorded on 2026-01-01, not in this race" in result.verdict


def test_the_cpu_comes_first_whoever_is_recorded() -> None:
    recorded = leg(0, 0, 120.0).model_copy(update={"part": None})
    mine = [leg(0, turn, 8.0, device=CARD, title="GPU") for turn in range(3)]
    assert judge(mine, recorded).speed_up.ratio == pytest.approx(15)


def test_another_recipe_than_the_published_one_gives_no_ratio_and_no_epochs_side_by_side() -> None:
    result = judge([leg(0, 0, 2.0, title="CPU")], ARTICLE)
    assert result.speed_up is None
    assert (result.figure, result.figure_of) == ("16,000", "pictures a second: CPU")
    assert result.heading == (
        "CPU took 2 ms a step; the published run trained another recipe, so there is no ratio of "
        "the two."
    )
    assert "published, not measured here" in result.verdict
    assert "Not as published: data set, examples used, network" in result.verdict


def test_the_published_recipe_is_held_against_what_was_published() -> None:
    rows = [
        Epoch(epoch=n, loss=1, accuracy=0, val_loss=1, val_accuracy=0, seconds=7, step_ms_mean=5)
        for n in (1, 2)
    ]
    mine = leg(0, 0, 5.0, PRESETS["article"].spec, title="GPU", device=CARD)
    result = judge([mine.model_copy(update={"epochs": tuple(rows)})], ARTICLE)
    assert (result.figure, result.figure_of[:27]) == ("3×", "as fast an epoch as publish")
    assert result.heading == "An epoch took 7 s here, 20 s to 22 s in the published run."


def test_the_figure_comes_first_whatever_a_race_came_to() -> None:
    ahead = judge(raced([4.0, 4.1, 3.9], [2.0, 2.0, 2.0]))
    assert (ahead.figure, ahead.figure_of) == ("2×", "as fast: B against A")
    level = judge(raced([2.0, 2.0, 2.0], [2.01, 2.01, 2.01]))
    assert level.figure_of.startswith("nobody is ahead")
    assert level.figure == "1×"
    disturbed = judge(raced([4.0, 4.1, 3.9], [2.0, 2.0, 2.0], disturbed=True))
    assert disturbed.figure == "~2×"
    assert judge([leg(0, 0, 2.0)]).figure_of == "pictures a second: A"
    assert (judge([]).figure, judge([]).figure_of) == ("0", "lanes came through")


def test_the_published_recipe_is_the_preset() -> None:
    article = PRESETS["article"].spec
    assert other_than_published(article) == []
    assert other_than_published(change(article, device="cpu", epochs=3, seed=7)) == []
    assert other_than_published(change(article, batch_size=64)) == ["batch size"]


def test_an_opponent_is_a_published_run_or_a_finished_one() -> None:
    cards = {"done": leg(0, 0, 2.0), "cut": leg(0, 0, 2.0, status=Status.STOPPED)}
    assert opponent_named("article-gpu-20", cards.__getitem__) is ARTICLE
    assert opponent_named("done", cards.__getitem__) is cards["done"]
    with pytest.raises(LabError, match="is stopped; race against a finished one"):
        opponent_named("cut", cards.__getitem__)


def test_a_lane_of_several_threads_reads_as_well_as_one_of_one():
    lanes = {
        turn: [leg(0, turn, 4.0, title="1 thread"), leg(1, turn, 2.0, title="2 threads")]
        for turn in range(3)
    }
    heading = judge([card for both in lanes.values() for card in both]).heading
    assert heading.startswith("2 threads ran 2 times as fast as 1 thread (")
