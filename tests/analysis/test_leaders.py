"""The three answers: who is named, what the difference to the baseline is, and its worth."""

from __future__ import annotations

from cnnlab import analysis
from cnnlab.analysis import Grade, Leader
from tests.analysis.twelve_runs import CIFAR, TWELVE, run


def asked(*names: str) -> dict[str, Leader]:
    """The answers about some of the twelve, the first as the baseline."""
    cards = [TWELVE[name] for name in names]
    found = analysis.leaders(cards, analysis.rank(cards, names))
    return {leader.question: leader for leader in found}


def test_each_question_names_a_run_its_figure_and_its_worth():
    found = asked("base", "half", "slim")
    assert list(found) == ["Most accurate", "Fastest", "Best trade-off"]
    assert found["Fastest"].run_id == "half"
    assert found["Fastest"].figure.endswith(" an epoch")
    assert found["Fastest"].beside.startswith("1.6 times as fast as the baseline (")
    assert found["Fastest"].grade is Grade.ONE


def test_what_so_many_pictures_cannot_tell_is_said_and_its_rivals_are_named():
    found = asked("half", "host", "base")["Most accurate"]
    assert found.run_id == "host"
    assert "within what 7,500 examples can tell" in found.beside
    assert {"half", "base"} == set(found.also)


def test_the_baseline_is_held_against_nothing():
    cards = [run("quick", 1.0, 0.5), run("slow", 9.0, 0.2)]
    found = analysis.leaders(cards, analysis.rank(cards, ["quick", "slow"]))
    assert {leader.run_id for leader in found} == {"quick"}
    assert {(leader.beside, leader.grade) for leader in found} == {("", None)}


def test_a_baseline_that_never_got_there_is_said_to():
    cards = [run("poor", 1.0, 0.1), run("rich", 9.0, 0.5)]
    *_, trade = analysis.leaders(cards, analysis.rank(cards, ["poor", "rich"]))
    assert trade.beside == "the baseline did not get there"


def test_other_work_is_no_answer():
    found = asked("base", "half", "digits")
    assert "digits" not in {leader.run_id for leader in found.values()}


def test_without_an_accuracy_there_is_still_the_fastest():
    cards = [TWELVE[name].model_copy(update={"epochs": ()}) for name in ("base", "half")]
    found = analysis.leaders(cards, analysis.rank(cards, ["base", "half"]))
    assert [leader.question for leader in found] in ([], ["Fastest"])


def test_a_run_without_an_epoch_has_all_speeds_told_by_the_example():
    sequences = CIFAR.model_copy(update={"kind": "series", "image_shape": (64, 3)})
    for data, figure in ((CIFAR, "0.625 ms a picture"), (sequences, "0.625 ms a sequence")):
        base, quick = (run(n, ms, 0.4, dataset=data) for n, ms in (("base", 30.0), ("quick", 20.0)))
        first = base.model_copy(update={"epochs": ()})  # in its first epoch still
        found = analysis.leaders([first, quick], analysis.rank([first, quick], ["base", "quick"]))
        fastest = next(leader for leader in found if leader.question == "Fastest")
        assert fastest.run_id == "quick"
        assert fastest.figure == figure


def test_a_lead_that_a_neighbour_may_have_given_is_called_so():
    found = asked("beside", "older")["Fastest"]
    assert found.beside == "ahead of the baseline by no more than disturbed runs may differ"
