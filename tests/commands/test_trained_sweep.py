"""`sweep --train`: variants of any field, trained, with their accuracy and its cost."""

from __future__ import annotations

import json
import signal
import time

import pytest

from cnnlab.__main__ import main
from cnnlab.history import History
from cnnlab.spec import Status, change
from cnnlab.sweep.variants import parts, variants
from tests.commands.instant_lab import InstantLab
from tests.commands.test_sweep import begun, wait_for
from tests.example_runs import CPU, TINY, events
from tests.example_sweeps import add_sweep
from tests.patience import PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def instant(home, monkeypatch):
    monkeypatch.setattr("cnnlab.commands.driving.Lab", InstantLab)


def sweep(monkeypatch, capsys, *arguments):
    return typed(monkeypatch, capsys, "--preset", "tiny", *arguments)


def typed(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["cnnlab", "sweep", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_variants_are_trained_and_seeds_are_told_as_mean_and_spread(monkeypatch, capsys):
    axes = ("--axis", "batch_size=32,64", "--axis", "seed=0,1", "--train", "2")
    code, said, _ = sweep(monkeypatch, capsys, *axes, "--json")
    found = json.loads(said)
    assert code == 0
    assert [run["values"]["seed"] for run in found["runs"]] == ["0", "1", "0", "1"]
    slow, quick = found["groups"]
    assert (slow["values"], quick["values"]) == ({"batch_size": "32"}, {"batch_size": "64"})
    assert slow["seconds_mean"] == pytest.approx(2 * quick["seconds_mean"])
    assert (slow["on_front"], quick["on_front"]) == (False, True)
    assert (len(slow["accuracies"]), slow["accuracy_sd"]) == (2, 0)
    assert {card.epochs_done for card in History().summaries()} == {2}
    code, said, _ = sweep(monkeypatch, capsys, *axes)
    assert "batch_size=64" in said
    assert "★" in said


def test_what_times_cells_is_refused_beside_training(monkeypatch, capsys):
    code, _, complaint = sweep(
        monkeypatch, capsys, "--axis", "seed=0", "--train", "1", "--budget", "9"
    )
    assert code == 2
    assert "--train takes no" in complaint
    assert not History().summaries()


# --- broken off and resumed -----------------------------------------------------------------


def broken_sweep(history: History, *statuses: Status) -> list[str]:
    """A sweep over as many batch sizes, whose runs ended so; the ids of its runs."""
    sizes = [16 * 2**turn for turn in range(len(statuses))]
    found = variants(change(TINY, epochs=2), [f"batch_size={','.join(map(str, sizes))}"])
    runs = []
    for variant, part, status in zip(
        found, parts(found, "sweep-1", "Sweep"), statuses, strict=True
    ):
        runs.append(history.create(variant.spec, name=variant.said, session="sweep", part=part))
        if status is Status.FINISHED:
            for event in events(variant.spec, CPU, 2, 4.0, status):
                history.record(runs[-1], event)
        else:
            history.mark(runs[-1], status)
    return runs


@pytest.fixture
def resumed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs that were queued again, in their order; each is finished at once."""
    found: list[str] = []

    def resume_or_begin(self: InstantLab, run_id: str) -> None:
        found.append(run_id)
        self.history.reopen(run_id)
        for event in events(self.history.card(run_id).spec, CPU, 2, 4.0, Status.FINISHED):
            self.history.record(run_id, event)

    monkeypatch.setattr(InstantLab, "resume_or_begin", resume_or_begin, raising=False)
    return found


def test_what_broke_off_is_trained_and_what_was_finished_or_failed_stays(
    monkeypatch, capsys, resumed
):
    endings = (Status.FINISHED, Status.STOPPED, Status.FAILED, Status.INTERRUPTED)
    runs = broken_sweep(History(), *endings)
    code, said, complaint = typed(monkeypatch, capsys, "--resume", "sweep", "--json")
    assert resumed == [runs[1], runs[3]]
    found = json.loads(said)
    assert found["sweep_id"] == "sweep-1"
    assert [run["run_id"] for run in found["runs"]] == runs
    assert [run["values"]["batch_size"] for run in found["runs"]] == ["16", "32", "64", "128"]
    assert [run["status"] for run in found["runs"]].count("finished") == 3
    assert code == 1  # one had failed
    assert "broke off" not in complaint


def test_a_sweep_that_broke_off_says_how_it_goes_on(monkeypatch, capsys, resumed):
    broken_sweep(History(), Status.FINISHED, Status.STOPPED)
    monkeypatch.setattr(InstantLab, "resume_or_begin", lambda self, run_id: None)
    _, _, complaint = typed(monkeypatch, capsys, "--resume", "sweep-1")
    assert "1 of 2 variants broke off" in complaint
    assert "sweep --resume sweep-1" in complaint


@pytest.mark.parametrize(
    ("statuses", "more", "why"),
    [
        ([Status.FINISHED, Status.FAILED], (), "has nothing left to train"),
        ([Status.STOPPED], ("--train", "3"), "keeps its plan and name; leave out train"),
        ([Status.STOPPED], ("--machines", "a,b"), "keeps its plan and name; leave out machines"),
        ([Status.STOPPED], ("--budget", "9"), "has no budget"),
    ],
)
def test_what_cannot_be_resumed_is_refused(monkeypatch, capsys, resumed, statuses, more, why):
    broken_sweep(History(), *statuses)
    code, said, complaint = typed(monkeypatch, capsys, "--resume", "sweep-1", *more)
    assert (code, said, resumed) == (2, "", [])
    assert why in complaint


def test_a_sweep_that_was_brought_in_cannot_go_on_here_but_what_is_added_here_can(
    monkeypatch, capsys, resumed
):
    history = History()
    endings = (Status.FINISHED, Status.STOPPED, Status.INTERRUPTED)
    made = [history.card(run_id) for run_id in broken_sweep(history, *endings)]
    parts_ = [card.part.model_copy(update={"group_id": "guests"}) for card in made]
    history.add_cards(
        [
            card.model_copy(update={"run_id": f"guest{part.turn}", "part": part})
            for card, part in zip(made, parts_, strict=True)
        ],
        origin="cards.json",
    )
    code, _, complaint = typed(monkeypatch, capsys, "--resume", "guests")
    assert (code, resumed) == (2, [])
    assert "broke off elsewhere, so there is nothing to resume" in " ".join(complaint.split())
    own = history.create(made[1].spec, name="Own", session="sweep", part=parts_[1])
    history.mark(own, Status.STOPPED)
    _, _, complaint = typed(monkeypatch, capsys, "--resume", "guests")
    assert resumed == [own]
    assert "variants broke off" not in complaint  # of those that can go on none is left


def test_sweeps_of_both_kinds_are_listed(monkeypatch, capsys):
    history = History()
    broken_sweep(history, Status.FINISHED, Status.STOPPED)
    add_sweep(history)
    timed, trained = json.loads(typed(monkeypatch, capsys, "--list", "--json")[1])
    assert (timed["kind"], trained["kind"]) == ("timed", "trained")
    assert (trained["sweep_id"], trained["status"]) == ("sweep-1", "stopped")
    assert len(trained["runs"]) == 2
    assert "1 of 2 variants" in typed(monkeypatch, capsys, "--list")[1]


def test_a_sweep_that_is_killed_goes_on_where_it_was(home):
    """For real: killed in the middle, resumed, and every variant is there once and whole."""
    axes = ("--axis", "batch_size=32,64", "--limit", "200", "--train", "400")
    process = begun("sweep", "--preset", "tiny", *axes)
    history = History()
    wait_for(process, history, 2)
    while not any(run.epochs_done > 2 for run in history.summaries()):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_SECONDS) == 130
    runs = {run.run_id: run for run in history.summaries()}
    assert {run.status for run in runs.values()} == {Status.STOPPED}
    (sweep_id,) = {run.part.group_id for run in runs.values()}
    again = begun("sweep", "--resume", sweep_id)
    while not any(run.epochs_done > runs[run.run_id].epochs_done for run in history.summaries()):
        assert again.poll() is None
        time.sleep(0.05)
    again.send_signal(signal.SIGINT)
    assert again.wait(PATIENCE_SECONDS) == 130
    cards = [history.card(run.run_id) for run in history.summaries()]
    assert {card.run_id for card in cards} == set(runs)
    for card in cards:
        assert [row.epoch for row in card.epochs] == list(range(1, len(card.epochs) + 1))
    assert any(card.timing.resumed_after for card in cards)
    history.close()
