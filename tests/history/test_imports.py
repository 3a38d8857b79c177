"""Cards from elsewhere come in whole, or not at all."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.history import History
from cnnlab.spec import (
    PRESETS,
    Energy,
    Epoch,
    LabError,
    Memory,
    RunCard,
    RunEnded,
    Status,
    Steps,
    Timing,
    change,
)
from tests.history.conftest import BOTH, new_history
from tests.history.examples import NAN, STARTED, epoch, finished, window, written

# 0.0 - and not -0.0, which SQLite does not tell from it: adding 0.0 makes them one.
number = st.floats().map(lambda value: value + 0.0)
known = st.none() | st.floats()
signs = st.characters(codec="utf-8", exclude_characters="\0")
text = st.text(signs, max_size=20)
json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)


def label(most):
    return st.text(signs, min_size=1, max_size=most).filter(lambda value: value.strip())


@st.composite
def cards(draw):
    """Cards of finished runs, whose facts may all be missing, NaN or infinite."""
    readings = dict.fromkeys(Timing.model_fields, known)
    readings["matmul_peak_arithmetic"] = readings["peak_operation"] = st.none() | text
    readings["resumed_after"] = st.lists(st.integers(), max_size=2).map(tuple)
    numbers = {name: number for name in Epoch.model_fields if name != "epoch"}
    numbers["quiet_seconds"] = st.none() | st.floats(0, 1e9)
    count = draw(st.integers(0, 4))
    columns = {
        name: st.lists(known, max_size=4).map(tuple) for name in ("seconds", "loss", "accuracy")
    }
    return RunCard(
        run_id=draw(st.from_regex(r"\A[a-z0-9][a-zA-Z0-9_.-]{0,20}\Z")),
        name=draw(label(120)),
        session=draw(label(60)),
        note=draw(text),
        status=draw(st.sampled_from([status for status in Status if status.over])),
        error=draw(st.none() | text),
        created_at=draw(st.datetimes(timezones=st.just(UTC))).isoformat(),
        spec=change(
            draw(st.sampled_from(list(PRESETS.values()))).spec, seed=draw(st.integers(0, 9))
        ),
        model=draw(st.none() | st.just(STARTED.model)),
        dataset=draw(st.none() | st.just(STARTED.dataset)),
        device=draw(st.none() | st.just(STARTED.device)),
        environment=draw(st.dictionaries(text, json_value, max_size=3)),
        timing=draw(st.builds(Timing, **readings)),
        memory=draw(st.builds(Memory, peak_rss_mb=known, peak_device_mb=known)),
        energy=draw(st.builds(Energy, joules=known, source=text)),
        epochs=[
            draw(st.builds(Epoch, epoch=st.just(index), **numbers)) for index in range(1, count + 1)
        ],
        steps=Steps(
            step=draw(st.lists(st.integers(), max_size=4)),
            epoch=draw(st.lists(st.integers(), max_size=4)),
            ms=draw(st.lists(st.floats(), max_size=4)),
            **{name: draw(column) for name, column in columns.items()},
        ),
    )


@pytest.fixture(scope="module", params=BOTH)
def archive(request, tmp_path_factory):
    """A history that is emptied between the cards of one test."""
    file = tmp_path_factory.mktemp("archive") / "history.db"
    with new_history(request.param, file, request) as url, closing(History(url)) as opened:
        yield opened


@settings(deadline=None, max_examples=150)
@given(card=cards())
def test_a_card_comes_back_as_it_was(archive, card):
    run_id = archive.add_card(card, origin="elsewhere")
    try:
        assert run_id == card.run_id
        assert written(archive.card(run_id)) == written(card)
        assert archive.add_card(card, origin="again") == run_id
        (summary,) = archive.summaries()
        assert summary.origin == "elsewhere"
        assert summary.epochs_done == len(card.epochs)
    finally:
        archive.delete(run_id)
        archive.purge(datetime.now(UTC) + timedelta(minutes=1))


def test_minus_zero_is_the_same_card(history):
    card = finished(epochs=(epoch(1, loss=-0.0).row,))
    assert history.add_card(card, origin="elsewhere") == "run-1"
    assert history.add_card(card, origin="elsewhere") == "run-1"
    assert history.card("run-1") == card


def test_a_run_measured_here_exports_and_imports_as_itself(history, run_id):
    history.record(run_id, STARTED)
    history.record(run_id, window(1, 0.1, 0.2))
    history.record(run_id, epoch(1, loss=NAN))
    history.record(run_id, RunEnded(status=Status.FINISHED))
    exported = RunCard.model_validate_json(written(history.card(run_id)))
    assert history.add_card(exported, origin="a file") == run_id
    (summary,) = history.summaries()
    assert summary.origin is None


def test_a_card_whose_id_is_taken_gets_another_and_comes_once(history):
    history.add_card(finished(), origin="one place")
    other = finished(epochs=(epoch(1).row,))
    copy = history.add_card(other, origin="another place")
    assert copy.startswith("run-1-")
    assert history.add_card(other, origin="another place") == copy
    assert history.card("run-1") == finished()
    assert history.card(copy) == finished(run_id=copy, epochs=(epoch(1).row,))
    assert len(history.summaries()) == 2
    # Were even that one taken, there would be yet another.
    history.rename(copy, "changed")
    third = history.add_card(other, origin="another place")
    assert third not in ("run-1", copy)
    assert history.card(third).epochs == other.epochs


def test_importing_a_deleted_run_brings_it_back(history):
    history.add_card(finished(), origin="elsewhere")
    history.delete("run-1")
    assert history.add_card(finished(), origin="elsewhere") == "run-1"
    assert len(history.summaries()) == 1


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"status": "running"}, "still running"),
        ({"run_id": ""}, "run_id"),
        ({"run_id": "../up"}, "run_id"),
        ({"run_id": "x" * 65}, "run_id"),
        ({"name": " "}, "name"),
        ({"session": "x" * 61}, "session"),
        ({"note": "x" * 10_001}, "note"),
        ({"note": "half\0way"}, "NUL"),
        ({"error": "half\0way"}, "NUL"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"created_at": "2026-01-31T12:00:00+02:00"}, "UTC"),
        ({"epochs": (epoch(1).row, epoch(1).row)}, "upwards from 1"),
        ({"epochs": (epoch(0).row,)}, "upwards from 1"),
        ({"epochs": (epoch(10**30).row,)}, "upwards from 1"),
    ],
)
def test_a_card_that_cannot_be_kept_as_it_is_is_refused(history, fields, complaint):
    with pytest.raises(LabError, match=complaint):
        history.add_card(finished(**fields), origin="elsewhere")
    assert history.summaries() == []


def test_an_import_says_where_it_is_from(history):
    with pytest.raises(LabError, match="origin"):
        history.add_card(finished(), origin=" ")
