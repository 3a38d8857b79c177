"""Lists of runs: which, in which order, how many; and that no index has to read them all."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine

from cnnlab.history import History, Tally, listing
from cnnlab.history.tables import BROUGHT_IN, CELL, HERE, KEPT, LONGEST_DATA, runs
from cnnlab.spec import Place, RunEnded, Status, Timing, change
from tests.example_profiles import DENSE
from tests.example_runs import CARD, CPU, add_run
from tests.history.examples import NAN, SPEC, finished

PLACE = Place(sweep_id="sw", sweep="A sweep", cell=0, values={})


def names(history: History, **which) -> list[str]:
    return [run.name for run in history.summaries(**which)]


def test_runs_are_found_by_every_word_whatever_its_case(history):
    run_id = add_run(history, name="Größe 100 %", device=CARD)
    add_run(history, name="Other", session="meetup")
    history.annotate(run_id, "With the Window open")
    for words in ("GRÖSSE window", "100 %", "tiny gpu", "accelerator", run_id.upper()):
        assert names(history, words=words, limit=9) == ["Größe 100 %"]
    assert names(history, words="finish") == ["Other", "Größe 100 %"]
    assert names(history, words="window other") == []
    assert names(history, words="100_%") == []
    assert names(history, words="meetup") == ["Other"]


def test_what_is_searched_follows_every_change(history):
    run_id = history.create(SPEC, name="before", session="one")
    assert names(history, words="before automatic one") == ["before"]
    history.rename(run_id, "after")
    history.move(run_id, "two")
    assert names(history, words="before") == []
    assert names(history, words="after two shapes10") == ["after"]
    add_run(history, name="cpu run")
    assert names(history, kinds=["cpu"]) == ["cpu run"]
    assert names(history, kinds=["cpu", "accelerator"]) == ["cpu run", "after"]


def test_an_order_puts_the_best_first_and_what_has_no_figure_last(history):
    for name, ms, epochs in (("middle", 20.0, 2), ("slow", 30.0, 3), ("fast", 10.0, 1)):
        add_run(history, name=name, step_ms=ms, epochs=epochs)
    history.create(SPEC, name="waiting", session="today")
    diverged = history.create(SPEC, name="diverged", session="today")
    timing = Timing(step_ms_median=NAN)
    history.record(diverged, RunEnded(status=Status.FAILED, timing=timing))
    unknown = ["diverged", "waiting"]
    assert names(history, order="step_ms_median") == ["fast", "middle", "slow", *unknown]
    assert names(history, order="fit_seconds") == ["fast", "middle", "slow", *unknown]
    assert names(history, order="best_val_accuracy") == ["slow", "middle", "fast", *unknown]
    assert names(history, order="parameters", limit=1) == ["fast"]
    assert names(history, limit=2) == ["diverged", "waiting"]


def test_runs_are_narrowed_by_what_they_are(history):
    alone = add_run(history, name="alone")
    cell = history.create(SPEC, name="cell", session="sweep", place=PLACE)
    history.add_card(finished(sweep=PLACE.model_copy(update={"sweep_id": "far"})), origin="far")
    history.keep_profile(alone, DENSE)
    assert names(history, cells=False) == ["alone"]
    assert sorted(names(history, cells=True)) == ["a run", "cell"]
    assert names(history, here=False) == ["a run"]
    assert names(history, statuses=[Status.QUEUED]) == ["cell"]
    assert names(history, profiled=True) == ["alone"]
    assert names(history, run_ids=[alone, cell, "none"], cells=False) == ["alone"]
    assert names(history, run_ids=[]) == []
    assert names(history, used="cpu") == ["alone"]
    (run,) = history.summaries(cells=False)
    assert names(history, before=run.created_at) == ["a run"]
    assert history.sweeps_brought_in() == ["far"]


def test_runs_are_tallied_without_reading_them(history):
    assert history.tally() == Tally(0, 0, frozenset(), frozenset())
    add_run(history, device=CARD)
    gone = add_run(history, device=CPU, status=Status.STOPPED)
    history.create(SPEC, name="cell", session="sweep", place=PLACE)
    states = {Status.FINISHED, Status.STOPPED}
    assert history.tally("today") == Tally(2, 0, states, {"cpu", "accelerator"})
    assert history.tally() == Tally(2, 1, {*states, Status.QUEUED}, {"cpu", "accelerator"})
    history.delete(gone)
    assert history.tally("today") == Tally(1, 0, {Status.FINISHED}, {"accelerator"})


def test_data_sets_of_runs_made_here_are_known_once_each(history):
    mine = change(SPEC, dataset="/data/mine.npz")
    for spec in (mine, mine, SPEC, change(SPEC, dataset="x" * (LONGEST_DATA + 1))):
        history.create(spec, name="x", session="s")
    history.add_card(finished(spec=change(SPEC, dataset="/etc/passwd")), origin="elsewhere")
    assert history.own_data() == {"/data/mine.npz", SPEC.dataset}


def test_sessions_come_with_the_newest_run_first(history):
    for session in ("b", "a", "b", "c"):
        run_id = history.create(SPEC, name="x", session=session)
    assert history.sessions() == ["c", "b", "a"]
    history.record(run_id, RunEnded(status=Status.STOPPED))
    history.delete(run_id)
    assert history.sessions() == ["b", "a"]


def test_order_of_texts_is_the_same_on_both_databases(history):
    for run_id in ("B", "a-1", "a1", "A.1"):
        history.add_card(finished(run_id=run_id), origin="elsewhere")
    assert [run.run_id for run in history.summaries()] == ["a1", "a-1", "B", "A.1"]


INDEXED = {
    "the newest of a session": ({"session": "s", "cells": False}, "created_at", 50, "listed"),
    "the best of a session": ({"session": "s", "cells": False}, "step_ms_median", 50, "listed"),
    "the newest of all": ({"cells": False}, "created_at", 50, "newest"),
    "the best of all": ({"cells": False}, "best_val_accuracy", 50, "listed"),
    "cells of a sweep": ({"sweep_id": "sw"}, "created_at", None, "sweep_id"),
    "the last on some data": ({"trained_on": "x", "here": True}, "created_at", 1, "own_data"),
    "those taken apart": ({"profiled": True}, "created_at", 9, "profiled"),
}


@pytest.mark.parametrize("case", INDEXED.values(), ids=INDEXED)
def test_an_index_answers_what_pages_ask(history, file, url, case):
    which, order, limit, index = case
    assert f"ix_runs_{index}" in plan(url, listing.ordered(which, order, limit, False))


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (listing.sessions(), "listed"),
        (listing.distinct(runs.c.trained_on, HERE, KEPT), "own_data"),
        (listing.distinct(runs.c.sweep_id, BROUGHT_IN, CELL, KEPT), "brought_in"),
    ],
)
def test_names_are_found_by_going_from_one_to_the_next(history, file, url, query, index):
    said = plan(url, query)
    assert f"ix_runs_{index}" in said
    assert "SCAN runs" not in said


def plan(url, query) -> str:
    """How SQLite means to answer a question."""
    engine = create_engine(url)
    text = str(query.compile(engine, compile_kwargs={"literal_binds": True}))
    with engine.connect() as connection:
        steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all()
    engine.dispose()
    return "\n".join(step[3] for step in steps)
