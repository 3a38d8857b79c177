"""Runs that share a machine train one at a time, there and back again, until each is over."""

from __future__ import annotations

from cnnlab.runner.baton import Baton


class Run:
    """A worker that notes when it may go on."""

    def __init__(self, name: str, heard: list[str]) -> None:
        self.name, self.heard = name, heard

    def send(self, line: str) -> None:
        assert line == "go"
        self.heard.append(self.name)


def runs(count: int) -> tuple[Baton, list[Run], list[str]]:
    heard: list[str] = []
    return Baton(count), [Run("ABCD"[number], heard) for number in range(count)], heard


def take_turns(baton: Baton, found: list[Run], heard: list[str], turns: int) -> None:
    """Each holds again after its turn."""
    for number, run in enumerate(found):
        baton.held(number, run)
    while len(heard) < turns:
        number = "ABCD".index(heard[-1])
        baton.held(number, found[number])


def test_turns_go_there_and_back_again() -> None:
    for count, order in ((1, "AAAA"), (2, "ABBAABBA"), (3, "ABCCBAABC")):
        baton, found, heard = runs(count)
        take_turns(baton, found, heard, len(order))
        assert "".join(heard) == order


def test_nobody_begins_before_all_have_come() -> None:
    baton, found, heard = runs(3)
    baton.held(2, found[2])
    baton.held(0, found[0])
    assert heard == []
    baton.held(1, found[1])
    assert heard == ["A"]


def test_one_that_is_lost_on_the_way_is_not_waited_for() -> None:
    baton, found, heard = runs(2)
    baton.held(1, found[1])
    baton.over(0)
    assert heard == ["B"]
    baton.held(1, found[1])
    assert heard == ["B", "B"]


def test_one_that_ends_in_its_turn_hands_on_and_has_no_more() -> None:
    baton, found, heard = runs(2)
    take_turns(baton, found, heard, 1)
    baton.over(0)
    for _ in range(3):
        baton.held(1, found[1])
    assert "".join(heard) == "ABBBB"


def test_one_that_ends_while_another_trains_changes_nothing_for_that_one() -> None:
    baton, found, heard = runs(2)
    take_turns(baton, found, heard, 1)
    baton.over(1)  # somebody stopped it
    assert heard == ["A"]
    baton.held(0, found[0])
    assert heard == ["A", "A"]
    baton.over(0)
    assert heard == ["A", "A"]
