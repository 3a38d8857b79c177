"""What ships with the lab: whole, as it was measured, and silent of whose machine it was."""

from __future__ import annotations

import gzip
import re
from datetime import datetime

import pytest

from bench.ship import fit_to_ship
from cnnlab.race import kind
from cnnlab.recorded import CARDS, FOLDER, OPPONENTS, RECORDINGS, cards, opponent, ships, sweeps
from cnnlab.report.cards import read_file, to_json
from cnnlab.spec import Status
from cnnlab.sweep import cells


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_run_of_a_recording_finished_on_the_day_that_it_is_said_to_be_of(name):
    found = cards(name).values()
    assert {card.status for card in found} == {Status.FINISHED}
    days = {datetime.fromisoformat(card.created_at).strftime("%d %b %Y") for card in found}
    assert days == {RECORDINGS[name].day}
    assert all(card.timing.step_ms_median for card in found)


def test_a_recording_names_its_card():
    assert len(cards("h200")) == 19
    assert {card.device.name for card in cards("h200").values()} == {
        "Intel(R) Xeon(R) Processor",
        "NVIDIA H200",
    }
    assert {card.environment["cpu_physical_cores"] for card in cards("h200").values()} == {16}


@pytest.mark.parametrize("key", OPPONENTS)
def test_an_opponent_is_what_its_key_and_its_title_say(key):
    card = opponent(key)
    assert kind(card) == ("cpu" if key.endswith("cpu") else "accelerator")
    assert card.name.lower().startswith(key.split("-")[1])
    assert card.spec.dataset in card.name.lower()
    assert card.device.name in card.name or kind(card) == "cpu"
    assert len(card.steps.step) > 0
    assert ships(card)
    assert not ships(card.model_copy(update={"name": "brought into a history"}))


def test_a_recorded_sweep_knows_what_was_not_measured():
    (sweep,) = sweeps().values()
    assert len(cells(sweep.plan)) == 18
    planned = {cell.number: (cell.values, cell.device) for cell in cells(sweep.plan)}
    for card in sweep.cards:
        assert planned[card.sweep.cell] == (card.sweep.values, card.spec.device)
    assert len({card.sweep.cell for card in sweep.cards}) == len(sweep.cards) == 11


@pytest.mark.parametrize("name", RECORDINGS)
def test_another_lab_takes_a_recording_in(name, tmp_path):
    (tmp_path / "cards.json").write_bytes(gzip.decompress((FOLDER / name / CARDS).read_bytes()))
    assert read_file(tmp_path / "cards.json") == [*cards(name).values()]


@pytest.mark.parametrize("name", RECORDINGS)
def test_nothing_tells_whose_machine_it_was(name):
    for card in cards(name).values():
        told = to_json([card.model_copy(update={"steps": type(card.steps)()})])
        assert not re.search(r'"/|[A-Z]:\\\\|\d+\.\d+\.\d+-', told)
        assert {"vm", "host", "hostname", "node"}.isdisjoint(card.environment)
        assert card.machine is None
    assert (FOLDER / name / CARDS).stat().st_size < 200_000


def test_a_card_that_is_made_fit_to_ship_keeps_every_figure():
    card = opponent("h200-article-gpu")
    told = card.environment | {"platform": "Linux-6.1-x", "cxx_compiler": "/home/ann/bin/g++"}
    made = fit_to_ship(card.model_copy(update={"environment": told}))
    assert made == card
    cell = next(card for card in cards("h200").values() if card.sweep)
    assert fit_to_ship(cell.model_copy(update={"steps": card.steps})) == cell
