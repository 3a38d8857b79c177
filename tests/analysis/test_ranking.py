"""Any number of runs in their order, and which one to take."""

from __future__ import annotations

import pytest

from cnnlab import analysis
from cnnlab.analysis import Grade
from cnnlab.analysis.ranking import Ranking
from cnnlab.spec import Energy, HeldOut, Memory, Paired, RunCard, Status
from tests.analysis.twelve_runs import CPU, TWELVE, run
from tests.example_runs import disturbances

CARD_JOULES = "NVML energy counter: the whole card, without CPU and memory of the host"
PACKAGE_JOULES = "RAPL: the whole CPU package and everything that ran on it, without memory"


def ranked(cards: list[RunCard]) -> dict[str, Ranking]:
    standing = analysis.rank(cards, [card.name for card in cards])
    return {ranking.quality: ranking for ranking in standing.rankings}


def spent(card: RunCard, joules: float, source: str) -> RunCard:
    return card.model_copy(update={"energy": Energy(joules=joules, source=source)})


def test_each_quality_has_its_own_order_and_its_best():
    cards = [
        run("slow and good", 30.0, 0.42, memory=Memory(peak_device_mb=900.0)),
        run("quick", 10.0, 0.30, memory=Memory(peak_device_mb=700.0)),
        run("between", 20.0, 0.38, memory=Memory(peak_device_mb=800.0)),
    ]
    found = ranked(cards)
    assert found["speed"].order == ("quick", "between", "slow-and-good")
    assert found["accuracy"].order == ("slow-and-good", "between", "quick")
    assert found["memory"].order == ("quick", "between", "slow-and-good")
    assert found["energy"].order == ()
    assert found["energy"].best is None
    assert found["speed"].values["quick"] == pytest.approx(10 / 42_500)


def test_the_time_to_an_accuracy_is_that_to_one_which_every_run_reached():
    cards = [run("a", 10.0, 0.40), run("b", 10.0, 0.20)]
    standing = analysis.rank(cards, ["a", "b"])
    assert standing.accuracy == pytest.approx(0.20)
    assert ranked(cards)["time_to_accuracy"].values == pytest.approx({"a": 29.9, "b": 50.0})


def test_joules_of_a_package_and_joules_of_a_card_are_never_ranked():
    host = spent(run("host", 300.0, 0.41, device=CPU), 9_000.0, PACKAGE_JOULES)
    card = spent(run("card", 20.0, 0.41), 1_000.0, CARD_JOULES)
    energy = ranked([host, card])["energy"]
    assert energy.order == ()
    assert energy.note.startswith("not ranked, for the figures are of different things: ")
    assert "the whole CPU package" in energy.note
    assert "the whole card, without CPU" in energy.note
    frame = analysis.results([host, card], 0.4)
    assert not {"joules", "images_per_joule"} & set(analysis.best_of([host, card], frame))
    other = spent(run("other card", 20.0, 0.41), 1_500.0, CARD_JOULES)
    energy = ranked([card, other])["energy"]
    assert energy.order == ("card", "other-card")
    assert energy.note == "of the whole card, without CPU and memory of the host"


def test_memory_of_a_process_and_memory_of_a_card_are_never_ranked():
    host = run("host", 300.0, 0.41, device=CPU, memory=Memory(peak_rss_mb=900.0))
    card = run("card", 20.0, 0.41, memory=Memory(peak_rss_mb=3_000.0, peak_device_mb=800.0))
    memory = ranked([host, card])["memory"]
    assert memory.values == {"host": 900.0, "card": 800.0}
    assert memory.best is None
    assert "the whole process" in memory.note


def test_runs_that_did_other_work_than_the_first_are_left_out_by_name():
    standing = analysis.rank([TWELVE["base"], TWELVE["half"], TWELVE["digits"]], ["a", "b", "c"])
    assert standing.left_out == "“c” did other work and is not ranked."
    assert standing.grades["digits"] is Grade.OTHER_WORK
    assert all("digits" not in ranking.order for ranking in standing.rankings)


def test_what_a_person_would_take_for_speed_for_accuracy_and_for_both():
    cards = [TWELVE[name] for name in ("base", "half", "large", "slim")]
    choice = analysis.rank(cards, [card.name for card in cards]).choice
    assert choice.speed == ("large",)
    assert choice.accuracy == ("base", "half")  # 0.4 points, which 7,500 pictures cannot tell
    assert choice.both == "half"
    assert choice.sentence == (
        "Take for speed “large” (1.46 times as fast as the next); for accuracy “base” (41 %; "
        "“half” is not to be told from it); for both “half”, the first of those as accurate to "
        "reach 40.6 % after 1 min 6 s."
    )


def test_nobody_is_told_to_take_a_run_that_failed():
    broken = run("broken", 5.0, 0.9, status=Status.FAILED)
    cards = [run("slow", 20.0, 0.4), broken, run("quick", 10.0, 0.3)]
    standing = analysis.rank(cards, ["slow", "broken", "quick"])
    assert standing.choice.speed == ("quick",)
    assert standing.choice.accuracy == ("slow",)
    assert standing.left_out == "“broken” failed and is not ranked."
    assert ranked(cards)["speed"].values["broken"] is not None


def test_runs_that_are_as_fast_as_the_fastest_are_named_beside_it():
    cards = [run("a", 10.0, 0.4), run("b", 10.2, 0.4), run("c", 15.0, 0.4)]
    choice = analysis.rank(cards, ["a", "b", "c"]).choice
    assert choice.speed == ("a", "b")
    assert "“b” is as fast" in choice.sentence


@pytest.mark.parametrize("marked", ["a", "b"])
@pytest.mark.parametrize(("seconds", "near"), [(12.0, True), (13.0, False)])
def test_none_is_named_before_another_by_a_lead_that_a_disturbance_may_have_given(
    marked, seconds, near
):
    cards = [run("a", 10.0, 0.4), run("b", seconds, 0.4), run("c", 20.0, 0.4)]
    busy = {"disturbances": disturbances("Others kept 2 cores busy.")}
    cards = [c.model_copy(update=busy) if c.run_id == marked else c for c in cards]
    choice = analysis.rank(cards, ["a", "b", "c"]).choice
    assert choice.speed == (("a", "b") if near else ("a",))
    assert ("“b” is as fast, as far as disturbed runs can tell" in choice.sentence) == near


def test_of_runs_without_a_figure_nothing_is_chosen():
    bare = run("bare", 10.0, 0.4).model_copy(update={"epochs": (), "timing": {}})
    bare = bare.model_copy(update={"timing": type(TWELVE["base"].timing)()})
    choice = analysis.rank([bare, bare], ["a", "b"]).choice
    assert choice.sentence == "Nothing was measured by which to choose."


# --- one rule for what can be told ----------------------------------------------------------


def close_runs() -> tuple[list[RunCard], Paired]:
    """Two runs 2 points apart on 7,500 pictures; one alone is right about few of them."""
    paired = Paired(both=3_000, only_first=10, only_second=70, neither=4_420)
    return [run("base", 21.0, 3_010 / 7_500), run("again", 21.0, 3_070 / 7_500)], paired


def test_the_same_pictures_tell_runs_apart_in_every_answer():
    cards, counts = close_runs()

    def paired(first: RunCard, second: RunCard) -> dict[HeldOut, Paired]:
        one, other = counts.only_first, counts.only_second
        turned = (
            counts if first.run_id == "base" else counts._replace(only_first=other, only_second=one)
        )
        return {"validation": turned}

    names = ["base", "again"]
    assert analysis.rank(cards, names).choice.accuracy == ("again", "base")
    standing = analysis.rank(cards, names, paired)
    assert standing.choice.accuracy == ("again",)
    (best, *_) = analysis.leaders(cards, standing, paired)
    assert "within what" not in best.beside
    frame = analysis.results(cards, 0.4)
    apart = analysis.against_baseline(cards, frame)["last_val_accuracy"][1]
    told = analysis.against_baseline(cards, frame, paired)["last_val_accuracy"][1]
    assert (apart.good, told.good > 0) == (0, True)


def test_speeds_that_are_no_warm_epochs_say_what_they_are():
    whole = run("whole", 21.0, 0.4)
    short = run("short", 21.0, 0.4)
    short = short.model_copy(update={"epochs": short.epochs[:1]})
    cell = run("cell", 21.0, 0.4).model_copy(update={"epochs": ()})
    assert ranked([whole, run("other", 20.0, 0.4)])["speed"].note == ""
    assert ranked([whole, short])["speed"].note.startswith("by first epochs, warm-up included")
    assert ranked([whole, cell])["speed"].note == "by median steps, as a run has no epoch"
    assert ranked([short, short.model_copy(update={"run_id": "x"})])["speed"].note == ""
