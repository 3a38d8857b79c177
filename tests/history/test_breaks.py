"""Runs whose process is gone: found, closed, and resumed where they can be."""

import os
import subprocess
import sys
from contextlib import closing

import psutil
import pytest

from cnnlab.history import History
from cnnlab.processes import alive, this_process
from cnnlab.spec import (
    Energy,
    LabError,
    RunEnded,
    RunResumed,
    Status,
    Timing,
)
from tests.history.examples import SPEC, STARTED, epoch, finished, window

# --- orphans --------------------------------------------------------------------------------


def test_runs_whose_process_is_gone_are_interrupted(url):
    with (
        closing(History(url, owner=(11, 1.5))) as gone,
        closing(History(url, owner=(22, 2.5))) as h,
    ):
        queued, running, done = (gone.create(SPEC, name="x", session="s") for _ in range(3))
        gone.record(running, STARTED)
        gone.record(running, epoch(1))
        gone.record(done, RunEnded(status=Status.FINISHED))
        mine = h.create(SPEC, name="x", session="s")
        asked = []

        def alive(pid, started):
            asked.append((pid, started))
            return pid == 22

        assert sorted(h.interrupt_orphans(alive)) == sorted([queued, running])
        assert sorted(asked) == [(11, 1.5), (22, 2.5)]
        assert h.card(running).error == (
            "The lab ended while this run was running; resume it or train it again."
        )
        assert h.card(queued).error == "The lab ended while this run was queued; start it again."
        assert h.card(running).epochs == (epoch(1).row,)
        statuses = [h.card(run_id).status for run_id in (queued, running, done, mine)]
        assert statuses == ["interrupted", "interrupted", "finished", "queued"]
        assert h.interrupt_orphans(lambda pid, started: True) == []


def test_a_run_of_this_process_is_no_orphan_and_that_of_a_zombie_is_one(url):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    theirs = child.pid, psutil.Process(child.pid).create_time()
    with closing(History(url)) as h, closing(History(url, owner=(child.pid, 0.0))) as other:
        mine, run_id = (each.create(SPEC, name="x", session="s") for each in (h, other))
        assert h.interrupt_orphans() == []
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, but still in the table
        assert psutil.pid_exists(child.pid)
        assert h.interrupt_orphans() == [run_id]
        assert h.card(mine).status == "queued"
    child.communicate()
    assert not alive(*theirs)


def test_another_process_with_the_same_id_is_not_the_one_that_was_meant():
    pid, started = this_process()
    assert alive(pid, started)
    assert alive(pid, 0.0)
    assert not alive(pid, started - 1)
    assert not alive(2**22 + 1, 0.0)


# --- resuming -------------------------------------------------------------------------------


def broke_off(history, *, epochs, status=Status.INTERRUPTED):
    """A run that broke off one step into the epoch after `epochs`."""
    run_id = history.create(SPEC, name="x", session="s")
    history.record(run_id, STARTED)
    for number in range(1, epochs + 1):
        history.record(run_id, window(number * 3 - 2, 1.0, 2.0, 3.0, number=number))
        history.record(run_id, epoch(number, val_accuracy=number / 10))
    history.record(run_id, window(epochs * 3 + 1, 9.0, number=epochs + 1))
    figures = {"fit_seconds": 8.0, "total_seconds": 9.0, "step_ms_median": 2.0}
    history.record(
        run_id,
        RunEnded(status=status, timing=Timing(**figures), energy=Energy(joules=5, source="a")),
    )
    return run_id


def test_a_resumed_run_forgets_half_an_epoch_and_knows_no_whole_times(history):
    run_id = broke_off(history, epochs=2)
    assert history.reopen(run_id[:11]).status == "queued"
    assert len(history.card(run_id).steps.step) == 7
    history.record(run_id, STARTED)
    history.record(run_id, RunResumed(epochs=(epoch(1).row, epoch(2).row)))
    card = history.card(run_id)
    assert (card.status, card.steps.step) == ("running", tuple(range(1, 7)))
    assert card.timing == Timing(resumed_after=(2,))
    history.record(run_id, window(7, 1.0, number=3))
    history.record(run_id, epoch(3))
    timing = Timing(fit_seconds=1, warmup_seconds=1, total_seconds=2, step_ms_median=4)
    energy = Energy(joules=1, source="a")
    history.record(run_id, RunEnded(status=Status.FINISHED, timing=timing, energy=energy))
    card = history.card(run_id)
    assert [row.epoch for row in card.epochs] == [1, 2, 3]
    assert card.timing == Timing(fit_seconds=1, resumed_after=(2,), step_ms_median=4)
    assert card.energy.joules is None
    assert card.marks == ("It was resumed after epoch 2.",)


def test_an_epoch_that_only_the_checkpoint_knows_is_entered_and_one_too_many_is_dropped(history):
    ahead, behind = broke_off(history, epochs=1), broke_off(history, epochs=3)
    for run_id, done in ((ahead, 3), (behind, 2)):
        history.reopen(run_id)
        rows = tuple(epoch(number, val_accuracy=number / 10).row for number in range(1, done + 1))
        history.record(run_id, RunResumed(epochs=rows))
        assert history.card(run_id).epochs == rows
        (summary,) = (run for run in history.summaries() if run.run_id == run_id)
        assert (summary.epochs_done, summary.best_val_accuracy) == (done, done / 10)


def test_how_often_a_run_was_resumed_survives_its_end_without_figures(history):
    run_id = broke_off(history, epochs=2)
    for done in (1, 2):
        history.reopen(run_id)
        rows = tuple(epoch(number).row for number in range(1, done + 1))
        history.record(run_id, RunResumed(epochs=rows))
        history.record(run_id, RunEnded(status=Status.FAILED, error="killed"))
    assert history.card(run_id).timing.resumed_after == (1, 2)


def test_a_run_that_cannot_be_resumed_says_why(history):
    waiting = history.create(SPEC, name="x", session="s")
    done, gone = (broke_off(history, epochs=1, status=s) for s in ("finished", "stopped"))
    history.delete(gone)
    imported = history.add_card(finished(), origin="elsewhere")
    for run_id, why in (
        (waiting, "is queued already"),
        (done, "is finished"),
        (gone, "is deleted"),
        (imported, "was measured elsewhere"),
        ("nowhere", "no run"),
    ):
        with pytest.raises(LabError, match=why):
            history.reopen(run_id)


def test_which_runs_are_open_and_which_are_settled(history):
    waiting = history.create(SPEC, name="x", session="s")
    done, gone, stopped = (
        broke_off(history, epochs=1, status=s) for s in ("finished", "stopped", "stopped")
    )
    history.delete(gone)
    assert history.open_runs() == {waiting}
    assert history.settled([done, gone, stopped, waiting, "other"]) == {done, gone}
    assert history.settled([]) == set()
