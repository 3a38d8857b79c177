"""The Race page: before the start, on the way, decided, and beside a published run."""

from __future__ import annotations

import pytest
from example_runs import CARD, CPU, TINY, add_run
from quiet_lab import QuietLab, own_history, page, said

from cnnlab.devices import Cpu, Hardware
from cnnlab.history import History
from cnnlab.spec import Epoch, EpochEnded, Status

pytestmark = pytest.mark.usefixtures("quiet_lab", "cpu_alone")


@pytest.fixture
def history() -> History:
    return own_history()


@pytest.fixture
def cpu_alone(quiet_lab: QuietLab) -> None:
    """A worker has looked, and found no accelerator."""
    cpu = Cpu(
        name="Example CPU",
        physical_cores=2,
        logical_cores=2,
        usable_cores=2,
        instruction_sets=(),
        memory_mb=8_000,
    )
    found = Hardware(cpu=cpu, accelerators=(), versions={}, platform="Example")
    quiet_lab.found = found.model_dump(mode="json")


def test_nothing_starts_before_the_devices_are_known(quiet_lab: QuietLab) -> None:
    quiet_lab.found = None
    app = page("race")
    assert "Looking for devices" in said(app, "info")
    assert next(item for item in app.button if item.label == "Start the race").disabled


def test_before_the_start_it_says_what_a_race_is_and_who_stands_in() -> None:
    app = page("race")
    assert "from the same weights, over the same batches" in said(app)
    assert "was not measured here" in said(app, "info")
    assert "14,468 parameters" in said(app)


def test_start_queues_a_run_for_each_device_and_puts_them_in_the_address(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    def submit(self: QuietLab, spec, *, name: str, session: str) -> str:
        return history.create(spec, name=name, session=session)

    monkeypatch.setattr(QuietLab, "submit", submit)
    app = page("race")
    app.number_input[0].set_value(2)
    next(item for item in app.button if item.label == "Start the race").click().run()
    queued = history.summaries()
    assert [run.spec.device for run in queued] == ["cpu", "cpu"]  # no accelerator is played here
    named = app.query_params["runs"]
    assert sorted(named.split(",")) == sorted(run.run_id for run in queued)


def test_a_decided_race_has_one_sentence_two_lanes_and_a_replay(history: History) -> None:
    runs = [
        add_run(history, device=CPU, step_ms=120.0),
        add_run(history, device=CARD, step_ms=8.0),
    ]
    app = page("race", runs=",".join(runs))
    assert "The GPU is 15 times as fast" in said(app, "header")
    assert "began from the same weights" in said(app, "caption")
    assert "Example CPU" in said(app, "subheader")
    assert "Example GPU" in said(app, "subheader")
    next(item for item in app.button if item.label == "Replay").click().run()
    assert not app.exception


def test_an_unfinished_run_gives_no_verdict(history: History) -> None:
    runs = [
        add_run(history, device=CPU),
        add_run(history, device=CARD, status=Status.FAILED),
    ]
    app = page("race", runs=",".join(runs))
    assert "No verdict: not every run finished" in said(app, "warning")


def test_one_lane_stands_beside_the_published_run(history: History) -> None:
    app = page("race", runs=add_run(history, device=CPU))
    assert "no number is claimed" in said(app, "header")
    assert "GeForce RTX 3060" in said(app, "subheader")


def test_a_race_on_the_way_shows_how_far_each_lane_is(
    history: History, quiet_lab: QuietLab
) -> None:
    run_id = history.create(TINY, name="lane", session="today")
    row = Epoch(
        epoch=1, loss=1, accuracy=0.1, val_loss=1, val_accuracy=0.25, seconds=1, step_ms_mean=1
    )
    quiet_lab.add(run_id, TINY).apply(EpochEnded(row=row))
    app = page("race", runs=run_id)
    assert not app.header
    assert any(
        "epoch 1 of 5, validation accuracy 25 %" in item.proto.text for item in app.get("progress")
    )


def test_an_unknown_run_is_said_in_a_sentence() -> None:
    assert "nowhere" in said(page("race", runs="nowhere"), "error")
