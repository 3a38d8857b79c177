"""Profiles and trials are kept beside a run that is over, and travel in its card."""

import io

import pyarrow.parquet as pq
import pytest

from cnnlab.history import History
from cnnlab.report.cards import read, to_json
from cnnlab.report.parquet import to_parquet
from cnnlab.spec import LabError, RunCard
from tests.example_profiles import DENSE, TRIAL
from tests.example_runs import add_run


@pytest.fixture
def run_id(history):
    return add_run(history)


def test_a_run_that_is_over_takes_a_profile_and_trials(history, run_id):
    before = history.card(run_id)
    assert (before.profile, before.trials) == (None, ())
    history.keep_profile(run_id[:8], DENSE)
    history.add_trial(run_id, TRIAL)
    history.add_trial(run_id, TRIAL.model_copy(update={"outcome": "nothing"}))
    card = history.card(run_id)
    assert card.profile == DENSE
    assert [trial.outcome for trial in card.trials] == ["faster", "nothing"]
    assert card.model_copy(update={"profile": None, "trials": ()}) == before
    (summary,) = history.summaries()
    assert (summary.profile, summary.trials) == (card.profile, card.trials)


def test_a_newer_profile_takes_the_place_of_the_older_and_leaves_the_trials(history, run_id):
    history.keep_profile(run_id, DENSE)
    history.add_trial(run_id, TRIAL)
    newer = DENSE.model_copy(update={"step_ms": 2.0})
    history.keep_profile(run_id, newer)
    card = history.card(run_id)
    assert (card.profile, card.trials) == (newer, (TRIAL,))


def test_a_profile_of_no_run_is_refused(history):
    with pytest.raises(LabError, match="There is no run"):
        history.keep_profile("nobody", DENSE)
    with pytest.raises(LabError, match="There is no run"):
        history.add_trial("nobody", TRIAL)


@pytest.fixture
def card(history, run_id) -> RunCard:
    history.keep_profile(run_id, DENSE)
    history.add_trial(run_id, TRIAL)
    return history.card(run_id)


def test_they_travel_with_the_card(card, tmp_path):
    elsewhere = History(f"sqlite:///{tmp_path}/elsewhere.db")
    (read_again,) = read(to_json([card]).encode())
    assert elsewhere.card(elsewhere.add_card(read_again, origin="a file")) == card
    (from_parquet,) = read(to_parquet([card]))
    assert from_parquet == card


def test_a_parquet_file_of_a_lab_that_knew_no_profiles_is_still_read(card):
    table = pq.read_table(io.BytesIO(to_parquet([card]))).drop(["profile", "trials"])
    file = io.BytesIO()
    pq.write_table(table, file)
    (older,) = read(file.getvalue())
    assert older == card.model_copy(update={"profile": None, "trials": ()})
