"""The short list of recipes before the presenter."""

from __future__ import annotations

import pytest

from cnnlab.room import Proposals
from cnnlab.room.proposals import MOST_OF_ONE, MOST_OPEN
from cnnlab.spec import PRESETS, ExperimentSpec, LabError, change
from tests.room.test_bets import Clock


def recipe(number: int) -> ExperimentSpec:
    return change(PRESETS["tiny"].spec, seed=number)


@pytest.fixture
def proposals() -> Proposals:
    return Proposals(Clock())


def test_recipes_are_listed_as_they_came_and_taken_once(proposals: Proposals) -> None:
    proposals.propose("a", "Ann", recipe(1))
    proposals.propose("b", "Bob", recipe(2))
    first, second = proposals.proposed()
    assert (first.name, first.spec.seed, second.name) == ("Ann", 1, "Bob")
    assert proposals.take_off(first.proposal_id) == first
    with pytest.raises(LabError, match="no longer on the list"):
        proposals.take_off(first.proposal_id)
    proposals.put_back(first)
    assert len(proposals.proposed()) == 2
    assert proposals.changes == 4


def test_a_visitor_has_a_share_of_the_list_and_the_list_an_end(proposals: Proposals) -> None:
    for number in range(MOST_OF_ONE):
        proposals.propose("a", "Ann", recipe(number))
    with pytest.raises(LabError, match="wait for the presenter"):
        proposals.propose("a", "Ann", recipe(99))
    for number in range(MOST_OF_ONE, MOST_OPEN):
        proposals.propose(f"visitor {number}", "Somebody", recipe(number))
    with pytest.raises(LabError, match="The list is full"):
        proposals.propose("z", "Zed", recipe(100))


def test_what_lies_there_already_or_has_no_name_is_refused(proposals: Proposals) -> None:
    proposals.propose("a", "Ann", recipe(1))
    with pytest.raises(LabError, match="already"):
        proposals.propose("b", "Bob", recipe(1))
    with pytest.raises(LabError, match="Give a name"):
        proposals.propose("b", " ", recipe(2))
    assert len(proposals.proposed()) == 1
