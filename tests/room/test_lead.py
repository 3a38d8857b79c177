"""Who leads, and who watches."""

from __future__ import annotations

import pytest

from cnnlab.room import Audience, Lead, Place
from cnnlab.room.audience import LOOKED_SECONDS
from cnnlab.room.lead import GONE_SECONDS, SILENT_SECONDS

TRAIN, RACE = Place(""), Place.of("race", {"race": "r"})


@pytest.fixture
def clock() -> list[float]:
    return [1000.0]


@pytest.fixture
def lead(clock: list[float]) -> Lead:
    return Lead(lambda: clock[0])


def test_each_move_has_a_number_and_staying_has_none(lead: Lead) -> None:
    assert lead.led() is None
    lead.lead_to("p", TRAIN)
    lead.lead_to("p", TRAIN)
    assert (lead.led().number, lead.led().place) == (1, TRAIN)
    lead.lead_to("p", RACE)
    assert (lead.led().number, lead.led().place) == (2, RACE)


def test_a_place_is_the_same_in_whichever_order_its_query_is() -> None:
    assert Place.of("race", {"a": "1", "b": "2"}) == Place.of("race", {"b": "2", "a": "1"})


def test_one_tab_leads_until_it_falls_silent(lead: Lead, clock: list[float]) -> None:
    lead.lead_to("first", TRAIN)
    lead.lead_to("second", RACE)
    assert lead.led().place == TRAIN
    clock[0] += SILENT_SECONDS + 1
    lead.lead_to("second", RACE)  # the first was loaded anew, or closed
    assert lead.led().place == RACE
    assert lead.leads("second")


def test_a_presenter_may_take_the_lead_or_rest(lead: Lead) -> None:
    lead.lead_to("first", TRAIN)
    lead.take_lead("second")
    lead.lead_to("first", TRAIN)
    lead.lead_to("second", RACE)
    assert lead.led().place == RACE
    lead.give_up_lead("second")
    lead.lead_to("second", TRAIN)
    assert lead.led() is None
    lead.lead_to("first", TRAIN)
    assert lead.led().place == TRAIN


def test_nobody_is_led_by_who_left_long_ago(lead: Lead, clock: list[float]) -> None:
    lead.lead_to("p", TRAIN)
    clock[0] += GONE_SECONDS + 1
    assert lead.led() is None
    lead.lead_to("p", TRAIN)
    assert lead.led()


def test_who_has_not_looked_for_a_while_is_not_counted(clock: list[float]) -> None:
    audience = Audience(lambda: clock[0])
    for visitor in ("a", "b", "a"):
        audience.look_in(visitor)
    assert audience.count() == 2
    clock[0] += LOOKED_SECONDS - 1
    audience.look_in("b")
    clock[0] += 2
    assert audience.count() == 1
