"""The Race page: before the start, on the way, decided, and beside a published run."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from cnnlab.charts import alt_text
from cnnlab.devices import Accelerator, Cpu, Hardware
from cnnlab.history import History
from cnnlab.spec import PRESETS, Epoch, EpochEnded, LabError, Status
from tests.example_runs import CARD, CPU, TINY, add_run
from tests.quiet_lab import QuietLab, figures, own_history, page, said

pytestmark = pytest.mark.usefixtures("quiet_lab", "cpu_alone")


CARD_HERE = Accelerator(key="cuda:0", name="Example GPU", kind="cuda")


def button(app: AppTest, label: str) -> Any:
    return next(item for item in app.button if item.label == label)


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
    assert button(app, "Start the race").disabled


def test_before_the_start_it_says_what_a_race_is_and_who_stands_in() -> None:
    app = page("race")
    assert "once on the CPU" not in said(app)
    assert "runs on the CPU here; beside it stands a run on record or a published" in said(app)
    assert "published, not measured here" in said(app, "info")
    assert "14,468 parameters" in said(app)


def test_before_the_start_it_says_what_must_be_fetched_and_how_long_it_may_take(
    history: History,
) -> None:
    app = page("race", preset="article")
    assert "downloads 169 MB once first" in said(app, "caption")
    assert "nothing like it was measured here yet" in said(app, "caption")
    links = [item.proto.page for item in app.get("page_link")]
    assert "hardware" in links
    add_run(history)
    app = page("race")
    assert "about 35 s, judging by one earlier run" in said(app, "caption")
    app.number_input[0].set_value(2).run()
    assert "about 1 min 10 s for 2 runs, judging by" in said(app, "caption")
    assert "hardware" not in [item.proto.page for item in app.get("page_link")]


def test_start_queues_a_run_for_each_device_and_puts_them_in_the_address(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    def submit(self: QuietLab, spec, *, name: str, session: str) -> str:
        return history.create(spec, name=name, session=session)

    monkeypatch.setattr(QuietLab, "submit", submit)
    app = page("race")
    app.number_input[0].set_value(2)
    button(app, "Start the race").click().run()
    queued = history.summaries()
    assert [run.spec.device for run in queued] == ["cpu", "cpu"]  # no accelerator is played here
    named = app.query_params["runs"]
    assert sorted(named.split(",")) == sorted(run.run_id for run in queued)


def test_a_queue_that_takes_not_all_runs_takes_none(
    history: History, quiet_lab: QuietLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def submit(self: QuietLab, spec, *, name: str, session: str) -> str:
        if history.summaries():
            raise LabError("100 runs are waiting already; withdraw some first.")
        return history.create(spec, name=name, session=session)

    monkeypatch.setattr(QuietLab, "submit", submit)
    app = page("race")
    app.number_input[0].set_value(2)
    button(app, "Start the race").click().run()
    assert "withdraw some first" in said(app, "error")
    assert quiet_lab.stopped == [run.run_id for run in history.summaries()]
    assert "runs" not in app.query_params


def test_a_link_brings_its_recipe_and_its_opponent(history: History) -> None:
    recorded = add_run(history, device=CARD, name="yesterday")
    app = page("race", preset="dense", epochs="3", against=recorded)
    assert "266,610 parameters, 3 epochs" in said(app)
    assert not app.get("button_group")  # no presets beside a recipe of its own
    assert "“yesterday” on Example GPU, recorded on" in said(app, "info")


def test_an_accelerator_here_is_the_opponent_unless_another_is_chosen(quiet_lab: QuietLab) -> None:
    quiet_lab.found |= {"accelerators": [CARD_HERE.model_dump(mode="json")]}
    app = page("race")
    assert app.selectbox[0].value == "cuda:0"
    assert not app.info
    assert "from the same weights, over the same batches: once on the CPU" in said(app)
    app.selectbox[0].set_value("article-gpu-20").run()
    assert "published, not measured here" in said(app, "info")
    assert "no accelerator" not in said(app, "info")


@pytest.fixture
def decided(history: History) -> str:
    """A race that is over, as the address names it."""
    return ",".join(
        add_run(history, device=device, step_ms=step_ms)
        for device, step_ms in ((CPU, 120.0), (CARD, 8.0), (CPU, 120.0), (CARD, 7.5))
    )


def test_a_decided_race_has_one_sentence_two_lanes_and_a_ledger(decided: str) -> None:
    app = page("race", runs=decided)
    (verdict,) = app.header
    assert verdict.value == (
        "The GPU is 15.5 times as fast (median of 2 pairs; lowest to highest 15 to 16)\\: "
        "0.871 s an epoch against 13.5 s."
    )
    assert "On the CPU, training took" in said(app, "markdown")
    assert "began from the same weights (SHA-256 aaaaaaaaaaaa…)" in said(app, "caption")
    assert "Example CPU" in said(app, "subheader")
    assert "Example GPU" in said(app, "subheader")
    assert [item.proto.alt for item in app.get("vega_lite_chart")] == [
        alt_text("overlay_accuracy"),
        alt_text("ledger"),
    ]


def test_the_reader_chooses_an_accuracy_and_sees_when_each_lane_had_it(decided: str) -> None:
    app = page("race", runs=decided)
    assert app.slider[0].value == 12  # the highest that both reached
    assert figures(app)["CPU reached it after"] == "40.4 s"
    app.slider[0].set_value(8.0).run()
    assert figures(app)["CPU reached it after"] == "27 s"
    assert figures(app)["Accelerator reached it after"] == "1.74 s"


def test_the_replay_draws_a_clock_and_ends(decided: str) -> None:
    app = page("race", runs=decided)
    button(app, "Replay").click().run()
    assert not app.exception
    assert figures(app)["Race clock"]
    assert not app.header  # the verdict waits for the end
    assert "3.37 times the speed" in said(app, "caption")
    button(app, "End the replay").click().run()
    assert "Race clock" not in figures(app)
    assert button(app, "Replay")


def test_one_replay_does_not_start_that_of_another_race(decided: str) -> None:
    app = page("race", runs=decided)
    button(app, "Replay").click().run()
    app.query_params["runs"] = decided.split(",")[0]
    app.run()
    assert "Race clock" not in figures(app)


def test_a_recorded_opponent_has_the_other_lane_and_may_lose(history: History) -> None:
    recorded = add_run(history, device=CARD, step_ms=8.0, name="yesterday")
    app = page("race", runs=add_run(history, device=CPU, step_ms=120.0), against=recorded)
    assert "The GPU is 15 times as fast" in said(app, "header")
    assert "recorded on" not in said(app, "header")
    assert "recorded on" in said(app, "caption")
    assert "Example GPU" in said(app, "subheader")
    assert figures(app)["Recorded reached it after"]
    button(app, "Replay").click().run()
    assert "Recorded: val. accuracy" in figures(app)


def test_an_unfinished_run_gives_no_verdict(history: History) -> None:
    runs = [
        add_run(history, device=CPU),
        add_run(history, device=CARD, status=Status.FAILED),
    ]
    app = page("race", runs=",".join(runs))
    assert "failed\\: The data set is gone" in said(app, "warning")
    assert not app.header


def test_one_lane_stands_beside_the_published_run(history: History) -> None:
    app = page("race", runs=add_run(history, device=CPU))
    assert said(app, "header") == "An epoch took 1.35 s here, 20 s to 22 s in the published run."
    assert "GeForce RTX 3060" in said(app, "subheader")
    assert "- not as published\\: data set, examples used, network" in said(app, "caption")
    assert "Replay" not in [item.label for item in app.button]  # its lane would run alone


def test_beside_the_published_run_of_the_same_recipe_there_is_something_to_replay(
    history: History,
) -> None:
    app = page("race", runs=add_run(history, spec=PRESETS["article"].spec))
    button(app, "Replay").click().run()
    assert {"CPU: val. accuracy", "Published: val. accuracy"} <= figures(app).keys()


def test_a_race_of_seconds_is_replayed_in_slow_motion(history: History) -> None:
    runs = [add_run(history, device=device, step_ms=12.0) for device in (CPU, CARD)]
    app = page("race", runs=",".join(runs))
    button(app, "Replay").click().run()
    assert "times as slow as the race was" in said(app, "caption")


def test_a_stopped_race_withdraws_what_waits_before_what_runs(
    history: History, quiet_lab: QuietLab
) -> None:
    runs = [history.create(TINY, name="lane", session="today") for _ in range(2)]
    quiet_lab.add(runs[0], TINY)
    quiet_lab.waiting = [runs[1]]
    app = page("race", runs=",".join(runs))
    assert any("waits for its turn" in item.proto.text for item in app.get("progress"))
    button(app, "Stop the race").click().run()
    assert quiet_lab.stopped == [runs[1], runs[0]]


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
