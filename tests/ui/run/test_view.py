"""One run on a page: queued, running, finished, failed, from elsewhere."""

from __future__ import annotations

import math

import pytest
from streamlit.proto.Metric_pb2 import Metric as MetricProto
from streamlit.testing.v1 import AppTest

from cnnlab import analysis, checkpoints, words
from cnnlab.history import History
from cnnlab.runner import LiveRun
from cnnlab.spec import (
    DeviceFacts,
    ExperimentSpec,
    Part,
    PhaseChanged,
    RunEnded,
    Status,
    Timing,
)
from cnnlab.ui import lab, link
from cnnlab.ui.achieved import achieved
from cnnlab.ui.run import baseline
from cnnlab.ui.run import view as run_view
from cnnlab.ui.run.state import read
from tests.example_runs import CARD, CPU, STEPS_PER_EPOCH, TINY, add_run, ended, epoch, started
from tests.quiet_lab import APP, QuietLab, figures, leads, own_history, page, said
from tests.race.examples import BUSY

pytestmark = pytest.mark.usefixtures("quiet_lab")


@pytest.fixture
def history() -> History:
    return own_history()


def begin(history: History, lab: QuietLab) -> tuple[str, LiveRun]:
    """A run of 5 epochs that the lab has just taken up."""
    run_id = history.create(TINY, name="Mine", session="today")
    return run_id, lab.add(run_id, TINY)


def show(run_id: str) -> AppTest:
    return page("history", run=run_id)


def buttons(app: AppTest) -> dict[str, AppTest]:
    return {button.label: button for button in app.button}


def test_an_unknown_run_is_said_to_be_unknown() -> None:
    assert "There is no run nowhere" in said(show("nowhere"), "error")


def test_a_waiting_run_names_its_place_and_can_be_withdrawn(
    history: History, quiet_lab: QuietLab
) -> None:
    run_id = history.create(TINY, name="Mine", session="today")
    quiet_lab.add("other", TINY)
    quiet_lab.lives[run_id] = LiveRun(run_id, TINY)
    quiet_lab.waiting = ["another", run_id]
    app = show(run_id)
    assert "2 runs come first" in said(app, "info")
    buttons(app)["Withdraw"].click().run()
    assert quiet_lab.stopped == [run_id]


def test_a_run_that_loads_says_so_with_its_share(history: History, quiet_lab: QuietLab) -> None:
    run_id, live = begin(history, quiet_lab)
    live.apply(PhaseChanged(phase="loading", done=0.43))
    app = show(run_id)
    assert app.get("progress")[0].proto.text == "Loading the data … 43 %"
    assert not figures(app)


def test_a_lane_that_waits_for_its_turn_says_so_before_and_after_its_first_steps(
    history: History, quiet_lab: QuietLab
) -> None:
    run_id, live = begin(history, quiet_lab)
    live.apply(started(TINY, CPU))
    live.apply(PhaseChanged(phase="holding"))
    assert show(run_id).get("progress")[0].proto.text == "Waiting for its turn among the lanes …"
    for event in epoch(1, 12.0):
        live.apply(event)
    live.apply(PhaseChanged(phase="holding"))
    assert ", another lane's turn" in show(run_id).get("progress")[0].proto.text


def test_a_running_run_shows_how_far_it_is_and_stops_once(
    history: History, quiet_lab: QuietLab
) -> None:
    run_id, live = begin(history, quiet_lab)
    for event in (started(TINY, CARD), *epoch(1, 12.0), *epoch(2, 12.0)[:-1]):
        live.apply(event)
    app = show(run_id)
    text = app.get("progress")[0].proto.text
    assert text.startswith("Epoch 2 of 5: about ")
    assert text.endswith(" left")
    assert app.get("progress")[0].proto.value == 40
    assert figures(app)["Epoch"] == "2 of 5"
    assert leads(app)["Validation accuracy"] == "4 %"
    assert r"used cuda\:0, Example GPU" in said(app, "caption")
    app = buttons(app)["Stop"].click().run()
    assert quiet_lab.stopped == [run_id]
    assert buttons(app)["Stopping …"].disabled
    quiet_lab.stopped.clear()  # it ended, and another browser let it go on
    assert not buttons(app.run())["Stop"].disabled


def top_line() -> str:
    """What the line above every page says of the run that trains."""
    app = AppTest.from_file(str(APP), default_timeout=300).run()
    return next(
        item.proto.label
        for item in app.get("page_link")
        if item.proto.label.startswith("Training ")
    )


def html_with(app: AppTest, name: str) -> str:
    return next(item.value for item in app.get("html") if name in item.value)


def test_at_the_end_of_an_epoch_the_figure_rolls_and_light_goes_through_the_network_once(
    history: History, quiet_lab: QuietLab
) -> None:
    run_id, live = begin(history, quiet_lab)
    for event in (started(TINY, CARD), *epoch(1, 12.0), *epoch(2, 12.0)):
        live.apply(event)
    app = show(run_id)
    pulse, figure = html_with(app, "pulse"), html_with(app, "Validation accuracy")
    assert pulse.startswith('<div class="pulse lit" data-epoch="2">')
    assert '<span class="lead-before" aria-hidden="true">4 %</span>' in figure
    for event in epoch(3, 12.0)[:-1]:  # an epoch that is not over
        live.apply(event)
    app.run()
    assert html_with(app, "pulse") == pulse  # the same text: a browser leaves it as it is
    assert html_with(app, "Validation accuracy") == figure
    for event in epoch(3, 12.0)[-1:]:
        live.apply(event)
    app.run()
    assert 'data-epoch="3"' in html_with(app, "pulse")


@pytest.mark.parametrize(("device", "glides"), [(CARD, True), (CPU, False)])
def test_new_points_glide_in_but_not_beside_a_cpu_that_is_timed(
    history: History, quiet_lab: QuietLab, device: DeviceFacts, glides: bool
) -> None:
    run_id, live = begin(history, quiet_lab)
    for event in (started(TINY, device), *epoch(1, 12.0)):
        live.apply(event)
    told = [item.value for item in show(run_id).get("html") if "glide" in item.value]
    assert bool(told) is glides
    if glides:
        assert '<i class="unseen glide" data-newest="1">' in told[-1]


def test_nothing_moves_on_the_page_of_a_run_that_is_over(history: History) -> None:
    app = show(add_run(history))
    assert "lead-before" not in html_with(app, "Validation accuracy")
    assert not [item for item in app.get("html") if "pulse" in item.value]


def test_a_disturbance_is_a_word_that_opens(history: History) -> None:
    run_id = history.create(TINY, name="Mine", session="today")
    *events, last = (started(TINY, CPU), *epoch(1, 12.0), ended(1, 12.0, Status.FINISHED))
    for event in (*events, last.model_copy(update={"disturbances": BUSY})):
        history.record(run_id, event)
    app = show(run_id)
    labels = [item.proto.popover.label for item in app.get("popover")]
    assert "Times disturbed" in labels
    assert "Other processes used 1 of 2 cores." in said(app, "markdown")
    assert not app.warning


def test_a_run_that_winds_up_is_still_in_its_last_epoch(
    history: History, quiet_lab: QuietLab
) -> None:
    _, live = begin(history, quiet_lab)
    live.apply(started(TINY, CPU))
    assert "epoch 1 of 5" in top_line()
    for number in range(1, TINY.epochs + 1):
        live.apply(epoch(number, 12.0)[-1])
    assert "epoch 5 of 5" in top_line()


def test_charts_of_a_running_run_hold_as_many_rows_as_its_windows(
    history: History, quiet_lab: QuietLab
) -> None:
    run_id, live = begin(history, quiet_lab)
    for event in (started(TINY, CARD), *epoch(1, 12.0)):
        live.apply(event)
    charts = show(run_id).get("vega_lite_chart")
    assert [chart.proto.alt.split(":")[0] for chart in charts] == [
        "Line chart of the accuracy",
        "Line chart of the loss",
    ]


def test_the_run_before_stands_behind_and_its_speed_is_what_the_new_one_is_held_against(
    history: History, quiet_lab: QuietLab
) -> None:
    earlier = add_run(history, name="Earlier")
    run_id, live = begin(history, quiet_lab)
    for event in (started(TINY, CARD), *epoch(1, 12.0)):
        live.apply(event)
    app = show(run_id)
    rate = next(metric for metric in app.metric if metric.label.startswith("Images/s"))
    assert rate.delta.endswith("as long as Earlier so far")
    assert rate.proto.direction == MetricProto.MetricDirection.DOWN
    behind = baseline.of_run(history.card(run_id))
    assert (behind.run_id, len(behind.epochs)) == (earlier, 3)


def test_a_leg_of_a_race_that_was_cut_stands_behind_nobody(history: History) -> None:
    earlier = add_run(history, name="Earlier")
    leg = Part(kind="race", group_id="r", group="Race", lane_title="fast", cut_seconds=3.0)
    add_run(history, name="Leg", part=leg)
    run_id = history.create(TINY, name="Now", session="today")
    assert baseline.of_run(history.card(run_id)).run_id == earlier


def test_a_pinned_run_is_held_against_every_other_of_its_data(history: History) -> None:
    first, _, last = (
        add_run(history, name=name, step_ms=ms)
        for name, ms in (("First", 12.0), ("Second", 3.0), ("Third", 6.0))
    )
    app = show(first)
    buttons(app)["Pin as baseline"].click().run()
    app.query_params["run"] = last
    app.run()
    rate = next(metric for metric in app.metric if metric.label.startswith("Images/s"))
    verdict = analysis.between(history.card(first), history.card(last))
    assert rate.delta == f"{words.times(verdict.speed.ratio)} as fast as First"
    assert rate.proto.direction == MetricProto.MetricDirection.UP


def test_what_compare_cannot_tell_apart_the_page_of_a_run_does_not_either(history: History) -> None:
    _, last = (add_run(history, name=name) for name in ("First", "Second"))
    rate = next(metric for metric in show(last).metric if metric.label.startswith("Images/s"))
    assert rate.delta == "cannot be told apart from First"
    assert rate.proto.direction == MetricProto.MetricDirection.NONE


def test_the_tab_says_how_far_the_run_is(history: History, quiet_lab: QuietLab) -> None:
    run_id, live = begin(history, quiet_lab)
    for event in (started(TINY, CARD), *epoch(1, 12.0), *epoch(2, 12.0)):
        live.apply(event)
    state = read(history.card(run_id, steps=False))
    reached = leads(show(run_id))["Validation accuracy"]
    assert run_view._tab(state) == f"{reached} · epoch 3 of 5"


def test_what_to_try_next_runs_and_so_does_the_same_again(
    history: History, quiet_lab: QuietLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[int, int]] = []

    def start(spec: ExperimentSpec, name: str) -> str:
        begun.append((spec.batch_size, spec.epochs))
        return run_id

    monkeypatch.setattr(lab, "start", start)
    run_id = add_run(history)
    buttons(show(run_id))["Batch size 128"].click().run()
    buttons(show(run_id))["Run again"].click().run()
    assert begun == [(128, 3), (32, 3)]


def test_the_charts_keep_their_specs_from_refresh_to_refresh(
    history: History, quiet_lab: QuietLab
) -> None:
    run_id, live = begin(history, quiet_lab)
    for event in (started(TINY, CARD), *epoch(1, 12.0)):
        live.apply(event)
    app = show(run_id)
    before = [(chart.proto.id, chart.proto.spec) for chart in app.get("vega_lite_chart")]
    for event in epoch(2, 30.0):
        live.apply(event)
    after = [(chart.proto.id, chart.proto.spec) for chart in app.run().get("vega_lite_chart")]
    assert after == before


def test_a_run_that_broke_off_is_resumed_where_it_has_a_checkpoint(
    history: History, quiet_lab: QuietLab
) -> None:
    run_id = add_run(history, status=Status.STOPPED)
    assert "Resume" not in buttons(show(run_id))
    file = checkpoints.folder() / run_id / "00003.npz"
    file.parent.mkdir(parents=True)
    file.touch()
    app = buttons(show(run_id))["Resume"].click().run()
    assert not app.exception
    assert quiet_lab.resumed == [run_id]
    assert "Resume" not in buttons(show(add_run(history, status=Status.FINISHED)))


def test_a_run_whose_end_the_history_does_not_take_is_over_on_the_page(
    history: History, quiet_lab: QuietLab
) -> None:
    run_id, live = begin(history, quiet_lab)
    for event in (started(TINY, CPU), *epoch(1, 12.0)):
        live.apply(event)
        history.record(run_id, event)
    live.apply(RunEnded(status=Status.FAILED, error="The disk is full; make room on it."))
    app = show(run_id)
    assert "The disk is full; make room on it." in said(app, "error")
    assert "Stop" not in buttons(app)


def test_a_run_of_another_process_is_followed_through_the_history(history: History) -> None:
    run_id = history.create(TINY, name="By command", session="today")
    for event in (started(TINY, CPU), *epoch(1, 12.0)):
        history.record(run_id, event)
    app = show(run_id)
    assert figures(app)["Epoch"] == "2 of 5"
    assert "Another process trains it" in said(app, "caption")
    assert "Stop" not in buttons(app)


def test_a_live_run_that_has_ended_is_read_from_the_history(
    history: History, quiet_lab: QuietLab
) -> None:
    run_id, live = begin(history, quiet_lab)
    for event in (started(TINY, CPU), *epoch(1, 12.0), ended(1, 12.0, Status.STOPPED)):
        live.apply(event)
        history.record(run_id, event)
    assert "Stopped after 1.35 s on Example CPU" in said(show(run_id), "warning")


def test_a_finished_run_says_its_result_in_one_sentence(history: History) -> None:
    app = show(add_run(history, epochs=3, step_ms=12.0))
    assert said(app, "success") == (
        "**Finished in 4.04 s on Example CPU\\: validation accuracy 12 % after 3 epochs, "
        "median step 12 ms.**"
    )
    assert figures(app)["Images/s, mean"] == "2,670"


def test_a_finished_run_links_to_its_spec_and_to_itself(history: History) -> None:
    run_id = add_run(history)
    links = {item.proto.label: item.proto for item in show(run_id).get("page_link")}
    again = dict(part.split("=") for part in links["Edit recipe"].query_string.split("&"))
    assert link.decode(again) == history.card(run_id).spec
    assert links["Link to this run"].query_string == f"run={run_id}"
    assert links["Compare it"].query_string == f"runs={run_id}"


def test_a_failed_run_shows_its_sentence_and_no_traceback(history: History) -> None:
    app = show(add_run(history, epochs=0, status=Status.FAILED))
    assert said(app, "error") == "The data set is gone\\: bring it back."
    assert "Traceback" not in said(app)


def test_an_interrupted_run_says_so(history: History) -> None:
    run_id = history.create(TINY, name="Lost", session="today")
    history.record(run_id, started(TINY, CPU))
    lost = RunEnded(status=Status.INTERRUPTED, error="The lab was closed; train it again.")
    history.record(run_id, lost)
    assert "train it again" in said(show(run_id), "warning")


def test_a_run_that_diverged_names_the_cure(history: History) -> None:
    run_id = history.create(TINY, name="Wild", session="today")
    last = epoch(1, 12.0)[-1]
    row = last.row.model_copy(update={"loss": math.nan})
    wild = (started(TINY, CPU), last.model_copy(update={"row": row}))
    for event in (*wild, ended(1, 12.0, Status.FINISHED)):
        history.record(run_id, event)
    assert "smaller learning rate" in said(show(run_id), "warning")


def test_a_run_without_steps_still_shows_its_epochs(history: History) -> None:
    run_id = history.create(TINY, name="Epochs only", session="today")
    events = (started(TINY, CPU), epoch(1, 12.0)[-1], ended(1, 12.0, Status.FINISHED))
    for event in events:
        history.record(run_id, event)
    app = show(run_id)
    assert len(app.get("vega_lite_chart")) == 3  # loss, accuracy, ledger
    app.session_state["run-more"] = "steps"
    assert "steps of this run were not kept" in said(app.run(), "caption")


def test_every_axis_draws(history: History) -> None:
    app = show(add_run(history))
    for axis, title in (("epoch", '"Epoch"'), ("seconds", '"Wall time')):
        app.session_state["run-axis"] = axis
        app.run()
        assert title in app.get("vega_lite_chart")[0].proto.spec


def test_the_other_charts_are_drawn_when_they_are_chosen(history: History) -> None:
    app = show(add_run(history))
    for choice, text in (
        ("rate", "trained per second"),
        ("memory", "memory in use over wall time"),
    ):
        app.session_state["run-more"] = choice
        app.run()
        shown = " ".join(chart.proto.alt for chart in app.get("vega_lite_chart"))
        assert "time each training step" not in shown
        assert text in shown
    assert "Peak of the process" in said(app, "caption")


def test_the_name_of_a_run_is_shown_as_it_was_written(history: History) -> None:
    app = show(add_run(history, name="*bold* [x](y) $a$"))
    assert "\\*bold\\* \\[x\\](y) \\$a\\$" in said(app, "subheader")


def test_what_is_asked_and_what_is_used_are_both_named(history: History) -> None:
    app = show(add_run(history, device=CARD))
    assert r"Asked for any device; used cuda\:0, Example GPU." in said(app, "caption")


def test_steps_of_the_example_match_its_epochs(history: History) -> None:
    run_id = add_run(history, epochs=2)
    assert len(history.steps(run_id).step) == 2 * STEPS_PER_EPOCH


def test_browsers_that_look_at_one_moment_share_its_charts(
    history, quiet_lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    curves = run_view.analysis.curves

    def counted(series, *given):
        if len(series):  # the ghost of an earlier run has none
            drawn.append(len(series))
        return curves(series, *given)

    monkeypatch.setattr(run_view.analysis, "curves", counted)
    run_id, live = begin(history, quiet_lab)
    for event in (started(TINY, CARD), *epoch(1, 10.0)):
        live.apply(event)
    for _ in range(3):
        show(run_id)
    assert drawn == [STEPS_PER_EPOCH]
    for event in epoch(2, 10.0):
        live.apply(event)
    show(run_id)
    assert drawn == [STEPS_PER_EPOCH, 2 * STEPS_PER_EPOCH]


def test_the_wait_for_data_stands_beside_the_mean_that_it_is_a_part_of(history: History) -> None:
    card = history.card(add_run(history, epochs=1))
    timing = Timing(step_ms_median=47.8, step_ms_mean=102.0, data_wait_ms_mean=10.2)
    assert (
        "A step took 102 ms on average, of which 10.2 ms went into making the next batch (10 %)."
        in achieved(card.model_copy(update={"timing": timing}))
    )


@pytest.mark.parametrize(("share", "told"), [(None, False), (0.002, False), (0.381, True)])
def test_a_run_says_how_many_of_its_numbers_a_processor_is_slow_with(
    share: float | None, told: bool, history: History
) -> None:
    card = history.card(add_run(history, epochs=1))
    said = " ".join(achieved(card.model_copy(update={"timing": Timing(subnormal_share=share)})))
    assert ("In the end 38.1 % of the numbers that the optimizer keeps were subnormal" in said) == (
        told
    )


@pytest.mark.parametrize(("arithmetic", "said"), [("TF32", "TF32 "), (None, "")])
def test_the_share_of_the_peak_names_the_arithmetic_that_the_peak_was_taken_in(
    arithmetic: str | None, said: str, history: History
) -> None:
    """Older cards do not know it."""
    card = history.card(add_run(history, epochs=1))
    timing = Timing(gflops=500.0, matmul_peak_gflops=2000.0, matmul_peak_arithmetic=arithmetic)
    assert f"That is 25 % of what one large {said}matrix product reaches here, 2,000." in achieved(
        card.model_copy(update={"timing": timing})
    )
