"""The Race page: before the start, on the way, decided, and beside a published run."""

from __future__ import annotations

import re
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from cnnlab.charts import alt_text
from cnnlab.devices import Accelerator
from cnnlab.history import History
from cnnlab.race import Gain
from cnnlab.runner import RaceSnapshot
from cnnlab.spec import (
    PRESETS,
    Epoch,
    EpochEnded,
    ExperimentSpec,
    Lane,
    Part,
    RacePlan,
    Status,
    change,
)
from tests.example_runs import CARD, CPU, TINY, add_run, epoch, started
from tests.learned import drawn
from tests.quiet_lab import QuietLab, figures, leads, own_history, page, said

pytestmark = pytest.mark.usefixtures("quiet_lab", "cpu_alone")


CARD_HERE = Accelerator(key="cuda:0", name="Example GPU", kind="cuda")


def button(app: AppTest, label: str) -> Any:
    return next(item for item in app.button if item.label == label)


def drivers(app: AppTest) -> list[str]:
    """Who stands on the track, lane by lane."""
    return re.findall('lane-who"><b>(.*?)</b>', said(app, "html"))


def places(app: AppTest) -> list[float]:
    """How far each has come, as a share of the track."""
    return [float(share) for share in re.findall(r"--now:([\d.]+)", said(app, "html"))]


@pytest.fixture
def history() -> History:
    return own_history()


@pytest.fixture
def cpu_alone(quiet_lab: QuietLab) -> None:
    quiet_lab.find_cpu_alone()


def test_nothing_starts_before_the_devices_are_known(quiet_lab: QuietLab) -> None:
    quiet_lab.found = None
    app = page("race")
    assert "Looking for devices" in said(app, "info")
    assert button(app, "Start the race").disabled


def test_without_an_accelerator_it_opens_with_a_race_that_can_be_run_here() -> None:
    app = page("race")
    assert drivers(app) == ["stock engine", "fast engine"]
    assert leads(app) == {"as fast: fast engine against stock engine": "?×"}
    assert "Automatic" not in said(app, "html")  # but the device that it comes to
    assert not button(app, "Start the race").disabled
    assert "CPU against GPU" not in app.get("button_group")[0].options
    assert "80,298 parameters" in said(app)
    assert "at least 3 pairs" in said(app, "caption")


def test_without_an_accelerator_what_is_on_record_stands_beside() -> None:
    app = page("race")
    assert "GeForce RTX 3060" in said(app, "subheader")
    assert figures(app)["Whole training"]
    assert "No accelerator is here" in said(app, "caption")


def test_what_came_with_the_lab_is_offered_beside_the_recipe_of_its_network() -> None:
    app = page("race", preset="article")
    assert "“Article on Shapes, NVIDIA H200”, recorded on 2026-11-27" in said(app, "caption")
    app = page("race", preset="dense", against="h200-dense-gpu")
    (choice,) = (item for item in app.selectbox if item.label == "Opponent")
    first, second, third, *_ = choice.options
    assert first == "Recorded: Dense on Shapes, NVIDIA H200, 27 Nov 2026"
    assert second == "Recorded: Dense on Shapes, 16-core Xeon, 27 Nov 2026"
    assert third.startswith("Published")
    assert "Whole training" not in figures(app)  # its run was cut short
    assert figures(app)["A step"] == "0.203 ms"
    assert "Race the recipe that it trained" in [link.proto.label for link in app.get("page_link")]


def test_one_lane_races_against_what_came_with_the_lab(
    history: History, quiet_lab: QuietLab
) -> None:
    recipe = {"preset": "article", "dataset": "shapes", "train_limit": "8000"}
    app = page("race", against="h200-article-gpu", **recipe)
    assert drivers(app) == ["CPU"]
    assert "Race the recipe" not in " ".join(one.proto.label for one in app.get("page_link"))
    button(app, "Start the race").click().run()
    assert [lane.spec.device for lane in quiet_lab.raced[0].plan.lanes] == ["cpu"]
    spec = change(quiet_lab.raced[0].plan.lanes[0].spec, device="cpu")
    run_id = add_run(history, spec=spec, device=CPU, step_ms=60.7)
    app = page("race", runs=run_id, against="h200-article-gpu")
    assert "“Article on Shapes, NVIDIA H200” ran 100 times as fast as CPU" in said(app, "header")
    assert "recorded on 2026-11-27, not measured here" in said(app, "markdown")
    assert drivers(app) == ["CPU", "“Article on Shapes, NVIDIA H200”"]
    links = [one.proto for one in app.get("page_link")]
    assert not [one for one in links if "1nghysgge42t" in one.page + one.query_string]
    button(app, "Replay").click().run()
    assert "Recorded: val. accuracy" in figures(app)


def test_with_an_accelerator_it_opens_with_that_against_the_cpu(quiet_lab: QuietLab) -> None:
    quiet_lab.found = quiet_lab.found | {"accelerators": [CARD_HERE.model_dump(mode="json")]}
    app = page("race")
    assert drivers(app) == ["CPU", "GPU"]
    assert "RTX 3060" not in said(app, "subheader")
    assert "from the same weights, over the same batches" in said(app, "caption")


def test_how_the_runs_follow_each_other_is_said_of_the_lanes_that_stand_there(
    quiet_lab: QuietLab,
) -> None:
    quiet_lab.found = quiet_lab.found | {"accelerators": [CARD_HERE.model_dump(mode="json")]}
    app = page("race")
    assert "Runs of 3 s side by side" in said(app, "caption")
    app.get("button_group")[0].set_value("engines").run()
    assert "Runs of 3 s one after the other" in said(app, "caption")  # both on the card


def test_before_the_start_it_says_what_must_be_fetched() -> None:
    assert "downloads 169 MB once first" in said(page("race", preset="article"), "caption")


def test_start_queues_the_race_and_puts_it_in_the_address(quiet_lab: QuietLab) -> None:
    app = page("race")
    button(app, "Start the race").click().run()
    (race,) = quiet_lab.raced
    assert [lane.spec.engine for lane in race.plan.lanes] == ["stock", "fast"]
    assert race.plan.leg_seconds == 3
    assert race.plan.budget_seconds == 90
    assert app.query_params["race"] == "a-race"
    assert "waits for what runs before it" in app.get("progress")[0].proto.text
    assert leads(app) == {"for what runs before it": "Waits"}


def test_a_race_may_train_to_the_end_so_many_times(quiet_lab: QuietLab) -> None:
    app = page("race")
    app.toggle(key="race-whole").set_value(True).run()
    app.number_input(key="race-rounds").set_value(4).run()
    button(app, "Start the race").click().run()
    assert quiet_lab.raced[0].plan.rounds == 4
    assert quiet_lab.raced[0].plan.leg_seconds is None


@pytest.mark.parametrize(
    ("field", "titles"),
    [
        ("batch_size", ["batch 32", "batch 128"]),
        ("network", ["Tiny", "Article"]),
        ("optimizer", ["Adam", "AdamW"]),
        ("threads", ["1 thread", "2 threads"]),
        ("precision", ["float32", "bfloat16"]),
    ],
)
def test_lanes_of_ones_own_differ_in_a_field_that_is_chosen(
    quiet_lab: QuietLab, field: str, titles: list[str]
) -> None:
    app = page("race")
    app.get("button_group")[0].set_value("own").run()
    app.selectbox(key="race-field").set_value(field).run()
    assert not app.exception
    button(app, "Start the race").click().run()
    assert [lane.title for lane in quiet_lab.raced[0].plan.lanes] == titles


def test_one_lane_alone_is_no_race() -> None:
    app = page("race")
    app.get("button_group")[0].set_value("own").run()
    app.multiselect[0].set_value(app.multiselect[0].value[:1]).run()
    assert button(app, "Start the race").disabled
    assert "two lanes at least" in said(app, "caption")


def test_a_link_brings_its_recipe_and_its_opponent(history: History, quiet_lab: QuietLab) -> None:
    recorded = add_run(history, device=CARD, name="yesterday")
    app = page("race", preset="dense", epochs="3", against=recorded)
    assert "266,610 parameters, 3 epochs" in said(app)
    assert "“yesterday” on Example GPU, recorded on" in said(app, "caption")
    button(app, "Start the race").click().run()
    (lane,) = quiet_lab.raced[0].plan.lanes
    assert (lane.title, lane.spec.device) == ("CPU", "cpu")
    assert app.query_params["against"] == recorded


# --- on the way -----------------------------------------------------------------------------

PLAN = RacePlan(
    lanes=tuple(
        Lane(title=f"{name} engine", spec=change(TINY, engine=name)) for name in ("stock", "fast")
    ),
    leg_seconds=3.0,
)


def part(lane: int, turn: int, cut_seconds: float | None = 3.0) -> Part:
    return Part(
        kind="race",
        group_id="r",
        group="Race",
        lane=lane,
        lane_title=PLAN.lanes[lane].title,
        turn=turn,
        cut_seconds=cut_seconds,
    )


def test_a_race_on_the_way_shows_its_lanes_its_budget_and_its_ratio_so_far(
    history: History, quiet_lab: QuietLab
) -> None:
    add_run(history, step_ms=4.0, part=part(0, 0))
    run_id = history.create(PLAN.lanes[1].spec, name="lane", session="today", part=part(1, 0))
    row = Epoch(
        epoch=1, loss=1, accuracy=0.1, val_loss=1, val_accuracy=0.25, seconds=1, step_ms_mean=1
    )
    quiet_lab.add(run_id, TINY).apply(EpochEnded(row=row))
    gains = {1: Gain(ratio=1.8, low=1.7, high=1.9, pairs=2)}
    quiet_lab.raced = [RaceSnapshot("r", "Race", PLAN, True, (run_id,), 2, gains, 30.0)]
    app = page("race", race="r")
    texts = [item.proto.text for item in app.get("progress")]
    assert "30 s so far" in texts[0]
    assert "1 min 30 s are spent" in texts[0]
    assert "epoch 2 of 5" in said(app, "html")
    so_far = "as fast: fast engine against stock engine, so far, give or take 5.56 %"
    assert leads(app)[so_far] == "1.8×"
    assert not app.header
    button(app, "Stop the race").click().run()
    assert quiet_lab.races_ended == ["r"]


def test_who_ran_before_goes_along_as_a_ghost_and_shows_no_future(
    history: History, quiet_lab: QuietLab
) -> None:
    add_run(history, step_ms=10.0, part=part(0, 0))  # 321 steps, 3.21 s
    run_id = history.create(PLAN.lanes[1].spec, name="lane", session="today", part=part(1, 0))
    live = quiet_lab.add(run_id, TINY)
    live.apply(started(TINY, CPU))
    for event in epoch(1, 5.0)[:-1]:  # 107 steps, 0.535 s
        live.apply(event)
    quiet_lab.raced = [RaceSnapshot("r", "Race", PLAN, True, (run_id,), 1, {}, 30.0)]
    app = page("race", race="r")
    ghost, driven = places(app)
    assert ghost == pytest.approx(driven / 2, rel=0.1)
    assert re.findall('lane-clock">(.*?)<', said(app, "html")) == ["0.54 s", "0.54 s"]
    (says, ahead), *_ = leads(app).items()
    assert says == "pictures ahead: fast engine"
    assert 1500 < int(ahead.replace(",", "")) < 1900


def test_a_race_on_its_way_sends_little(history: History, quiet_lab: QuietLab) -> None:
    for lane in range(2):
        add_run(history, part=part(lane, 0))
    run_id = history.create(PLAN.lanes[0].spec, name="lane", session="today", part=part(0, 1))
    quiet_lab.add(run_id, TINY)
    quiet_lab.raced = [RaceSnapshot("r", "Race", PLAN, True, (run_id,), 2, {}, 30.0)]
    stage = next(item.value for item in page("race", race="r").get("html") if "lanes" in item.value)
    assert len(stage.encode()) < 4_000


def test_names_of_lanes_are_no_markup(history: History) -> None:
    evil = part(0, 0).model_copy(update={"lane_title": "<img src=x onerror=alert(1)>"})
    add_run(history, part=evil)
    app = page("race", race="r")
    assert "&lt;img" in said(app, "html")
    assert "<img" not in said(app, "html")


# --- decided --------------------------------------------------------------------------------


@pytest.fixture
def decided(history: History) -> str:
    """A race of short pairs that is over; its id."""
    for turn, times in enumerate(((4.0, 2.0), (4.1, 2.0), (3.9, 2.0))):
        for lane, step_ms in enumerate(times):
            add_run(history, spec=PLAN.lanes[lane].spec, step_ms=step_ms, part=part(lane, turn))
    return "r"


def test_a_decided_race_has_one_sentence_its_lanes_and_its_pairs(decided: str) -> None:
    app = page("race", race=decided)
    (verdict,) = app.header
    assert verdict.value.startswith("Fast engine ran 2 times as fast as stock engine (")
    assert verdict.value.endswith("3 pairs)\\: 2 ms a step against 4 ms.")
    assert leads(app) == {"as fast: fast engine against stock engine": "2×"}
    assert app.get("popover")[-1].proto.popover.label == "Fair"
    assert "began from the same weights (SHA-256 aaaaaaaaaaaa…)" in said(app, "caption")
    assert drivers(app) == ["stock engine", "fast engine"]
    stock, fast = places(app)
    assert fast == 1
    assert stock == pytest.approx(0.5, rel=0.05)  # when the other one was in
    drawn = [item.proto.alt for item in app.get("vega_lite_chart")]
    assert drawn == [alt_text(name) for name in ("race_pairs", "overlay_accuracy", "ledger")]


def links(app: AppTest) -> dict[str, str]:
    return {item.proto.label: item.proto.query_string for item in app.get("page_link")}


def test_short_legs_say_that_nothing_of_what_they_learn_is_kept(decided: str) -> None:
    app = page("race", race=decided)
    assert "Short legs keep nothing of what they learn" in said(app, "caption")
    assert "What they learned" not in links(app)


def test_lanes_that_were_trained_whole_can_be_looked_into_side_by_side(history: History) -> None:
    whole = [
        [add_run(history, step_ms=4.0, part=part(lane, turn, None)) for lane in range(2)]
        for turn in range(2)
    ]
    assert "What they learned" not in links(page("race", race="r"))  # it had to make room
    for run_id in whole[0]:
        drawn.write(run_id)
    app = page("race", race="r")
    assert links(app)["What they learned"] == f"runs={'%2C'.join(whole[0])}"
    assert "Short legs" not in said(app, "caption")


def test_a_race_of_one_spec_against_itself_ends_with_a_verdict_too(history: History) -> None:
    for turn in range(3):
        for lane in range(2):
            add_run(history, step_ms=2.0 + 0.01 * turn, part=part(lane, turn))
    assert said(page("race", race="r"), "header").startswith("Nobody is ahead\\:")


def older(history: History, *runs: tuple[Any, float], spec: ExperimentSpec = TINY) -> str:
    """A race from before races had ids, as its address names it."""
    return ",".join(
        add_run(history, device=device, step_ms=step_ms, spec=spec) for device, step_ms in runs
    )


def test_an_older_race_is_still_told_by_its_runs(history: History) -> None:
    runs = older(history, (CPU, 120.0), (CARD, 8.0), (CPU, 120.0), (CARD, 7.5))
    app = page("race", runs=runs)
    assert said(app, "header").startswith("GPU ran 15.5 times as fast as CPU (")
    assert "CPU\\: training took" in said(app, "markdown")
    assert "Example GPU" in said(app, "html")


def test_the_reader_chooses_an_accuracy_and_sees_when_each_lane_had_it(history: History) -> None:
    app = page("race", runs=older(history, (CPU, 120.0), (CARD, 8.0), (CPU, 120.0), (CARD, 7.5)))
    assert app.slider[0].value == 12  # the highest that both reached
    assert figures(app)["CPU reached it after"] == "40.4 s"
    app.slider[0].set_value(8.0).run()
    assert figures(app)["CPU reached it after"] == "27 s"
    assert figures(app)["GPU reached it after"] == "1.74 s"


def test_the_replay_draws_a_clock_and_ends(history: History) -> None:
    app = page("race", runs=older(history, (CPU, 120.0), (CARD, 8.0)))
    button(app, "Replay").click().run()
    assert not app.exception
    assert figures(app)["Race clock"]
    assert not app.header  # the verdict waits for the end
    assert "3.37 times the speed" in said(app, "caption")
    button(app, "End the replay").click().run()
    assert "Race clock" not in figures(app)
    assert button(app, "Replay")


def test_one_replay_does_not_start_that_of_another_race(history: History, decided: str) -> None:
    app = page("race", runs=older(history, (CPU, 120.0), (CARD, 8.0)))
    button(app, "Replay").click().run()
    app.query_params.clear()
    app.query_params["race"] = decided
    app.run()
    assert "Race clock" not in figures(app)


def test_a_recorded_opponent_stands_beside_and_may_win(history: History) -> None:
    recorded = add_run(history, device=CARD, step_ms=8.0, name="yesterday")
    app = page("race", runs=add_run(history, device=CPU, step_ms=120.0), against=recorded)
    assert "“yesterday” ran 15 times as fast" in said(app, "header")
    assert leads(app) == {"as fast: “yesterday” against CPU": "15×"}
    assert "recorded on" in said(app, "html")
    assert drivers(app) == ["CPU", "“yesterday”"]
    assert figures(app)["Recorded reached it after"]
    button(app, "Replay").click().run()
    assert "Recorded: val. accuracy" in figures(app)


def test_a_lane_that_failed_is_told_with_its_sentence(history: History) -> None:
    add_run(history, part=part(0, 0))
    add_run(history, status=Status.FAILED, part=part(1, 0))
    app = page("race", race="r")
    assert "Only stock engine came through" in said(app, "header")
    assert "The data set is gone" in said(app, "header")


def test_one_lane_stands_beside_the_published_run(history: History) -> None:
    app = page("race", runs=add_run(history, device=CPU), against="article-gpu-20")
    assert "trained another recipe, so there is no ratio" in said(app, "header")
    assert leads(app) == {"pictures a second: CPU": "2,670"}
    assert "GeForce RTX 3060" in said(app, "html")
    assert app.get("popover")[-1].proto.popover.label == "2 caveats"
    assert "Not as published\\: data set, examples used, network" in said(app, "markdown")
    assert "Replay" not in [item.label for item in app.button]  # its lane would run alone


def test_beside_the_published_run_of_the_same_recipe_there_is_something_to_replay(
    history: History,
) -> None:
    run_id = add_run(history, spec=PRESETS["article"].spec)
    app = page("race", runs=run_id, against="article-gpu-20")
    button(app, "Replay").click().run()
    assert {"CPU: val. accuracy", "Published: val. accuracy"} <= figures(app).keys()


def test_a_race_of_seconds_is_replayed_in_slow_motion(history: History) -> None:
    app = page("race", runs=older(history, (CPU, 12.0), (CARD, 12.0)))
    button(app, "Replay").click().run()
    assert "times as slow as the race was" in said(app, "caption")


def test_an_older_race_that_is_stopped_withdraws_what_waits_before_what_runs(
    history: History, quiet_lab: QuietLab
) -> None:
    runs = [history.create(TINY, name="lane", session="today") for _ in range(2)]
    quiet_lab.add(runs[0], TINY)
    quiet_lab.waiting = [runs[1]]
    app = page("race", runs=",".join(runs))
    button(app, "Stop the race").click().run()
    assert quiet_lab.stopped == [runs[1], runs[0]]


def test_two_networks_are_shown_over_each_other_before_they_race() -> None:
    app = page("race", preset="tiny")
    assert "The two networks" not in said(app, "subheader")  # the engines race one network
    app.get("button_group")[0].set_value("own").run()
    app.selectbox(key="race-field").select("network").run()
    assert "The two networks" in said(app, "subheader")
    assert "They differ in" in said(app, "caption")
    assert "parameters" in said(app, "caption")
    assert alt_text("networks") in [item.proto.alt for item in app.get("vega_lite_chart")]


def test_an_unknown_race_or_run_is_said_in_a_sentence() -> None:
    assert "nowhere" in said(page("race", runs="nowhere"), "error")
    gone = said(page("race", race="gone"), "error")
    assert "There is no race 'gone' here" in gone
    assert "it was stopped before it began, or deleted" in gone
