"""The Explore page: empty, one sweep under way, many, and one beside another."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from cnnlab import datasets, sweep
from cnnlab.history import History
from cnnlab.recorded import sweeps
from cnnlab.runner.sweep_job import SweepSnapshot
from cnnlab.spec import PRESETS, Axis, DeviceFacts, RunEnded, Status, SweepStatus, change
from cnnlab.ui.explore import form as explore_form
from tests.example_runs import add_run
from tests.example_sweeps import AXES, CPU, GPU, add_sweep
from tests.quiet_lab import QuietLab, leads, own_history, page, said
from tests.ui.hardware.test_page import CARD_HERE, hello


@pytest.fixture
def history(quiet_lab: QuietLab) -> History:
    return own_history()


def button(app: AppTest, label: str) -> AppTest:
    return next(item for item in app.button if item.label == label)


def labels(app: AppTest) -> list[str]:
    return [item.label for item in app.button]


def drawings(app: AppTest) -> list[str]:
    """What a screen reader hears of each heat map."""
    return [chart.proto.alt for chart in app.get("vega_lite_chart")]


# --- empty ----------------------------------------------------------------------------------


def test_an_empty_page_says_what_appears_here_and_offers_to_start(quiet_lab) -> None:
    app = page("explore")
    assert "its map appears here, cell by cell" in app.expander[0].label
    assert not button(app, "Start the sweep").disabled
    assert "9 cells in 1 min" in said(app, "caption")
    assert "The 9 cells that this sweep is going to measure, still empty." in drawings(app)


def test_a_machine_without_a_card_begins_with_what_it_can_answer(quiet_lab: QuietLab) -> None:
    quiet_lab.found = hello()
    assert page("explore").button_group(key="sweep.offer").value == "threads"
    quiet_lab.found = hello(CARD_HERE)
    assert page("explore").button_group(key="sweep.offer").value == "dense"


def test_a_browser_that_missed_the_first_drawing_is_told_what_the_form_holds(quiet_lab) -> None:
    app = page("explore")
    assert not app.button_group(key="sweep.offer").proto.set_value or app.run()
    app.session_state[explore_form.TOLD] = False  # as a drawing that was broken off leaves it
    app.run()
    for widget in (app.button_group(key="sweep.offer"), app.selectbox(key="sweep.base")):
        assert widget.proto.set_value
    assert app.session_state[explore_form.TOLD]
    app.run()
    assert not app.selectbox(key="sweep.base").proto.set_value


@pytest.mark.parametrize("offer", explore_form.OFFERS)
def test_every_offer_can_be_started_as_it_is(history: History, quiet_lab, offer: str) -> None:
    app = page("explore")
    app.button_group(key="sweep.offer").set_value(offer).run()
    button(app, "Start the sweep").click().run()
    assert not app.exception
    assert not app.error, app.error[0].value
    (record,) = history.sweeps.all()
    assert record.status is SweepStatus.QUEUED
    assert app.query_params["sweep"] in (record.sweep_id, [record.sweep_id])
    assert [one.sweep_id for one in quiet_lab.swept] == [record.sweep_id]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ("", "has no values"),
        ("32,many", "takes whole numbers"),
        ("0", "cannot work"),
        (",".join(map(str, range(1, 70))), "too small for 207 cells; give at least"),
        (",".join(map(str, range(1, 1000))), "This sweep has 2,997 cells"),
    ],
)
def test_axes_that_make_no_sweep_are_refused_before_it_is_started(quiet_lab, values, says) -> None:
    app = page("explore")
    field = app.text_input(key="sweep.values0")
    assert len(values) <= field.proto.max_chars  # a browser would drop the rest without a word
    field.set_value(values).run()
    assert says in said(app, "error")
    assert button(app, "Start the sweep").disabled


def test_without_sweeps_of_ones_own_a_recorded_one_is_explored(quiet_lab) -> None:
    app = page("explore")
    assert "Dense, NVIDIA H200 beside 16-core Xeon, 27 Nov 2026" in said(app, "caption")
    assert "was not measured here" in said(app, "caption")
    assert "7 of 18 cells were not measured" in said(app, "caption")
    assert "NVIDIA H200 is the faster one in every cell that was measured on both" in said(
        app, "subheader"
    )
    ratio, cpu, gpu = drawings(app)[-3:]
    assert "how many times as fast NVIDIA H200 is as Intel(R) Xeon(R) Processor" in ratio
    assert ("Processor" in cpu, "NVIDIA H200" in gpu) == (True, True)
    rows = app.dataframe[0].value
    assert set(rows["Batch size"]) == {32, 128, 512}
    assert list(rows["µs per image"].isna()) == list(rows["Why not"] == "not measured")
    assert (rows["Why not"] == "not measured").sum() == 7
    assert rows["Run"].isna().all()  # they are in no history that could show them
    assert not {"Pause", "Stop", "Go on"} & {*labels(app)}


# --- one ------------------------------------------------------------------------------------


def test_a_finished_sweep_is_a_sentence_a_ratio_and_a_map_for_each_device(history) -> None:
    sweep_id = add_sweep(history)
    app = page("explore")
    assert app.query_params["sweep"] in (sweep_id, [sweep_id])
    (sentence,) = [item.value for item in app.subheader]
    assert "Example GPU wins above about" in sentence
    assert "parameters at batch size 32" in sentence
    (says,) = leads(app)
    assert says == "as fast at best: Example GPU against Example CPU"
    ratio, cpu, gpu = drawings(app)
    assert ratio.startswith("Heat map of how many times as fast Example GPU is")
    assert "per image on Example CPU" in cpu
    assert "per image on Example GPU" in gpu
    rows = app.dataframe[0].value
    assert len(rows) == 18
    assert rows["Run"].notna().all()
    assert "This sweep" not in said(app, "caption")
    assert not {"Pause", "Stop", "Go on"} & {*labels(app)}


def test_one_device_alone_says_what_is_fastest(history) -> None:
    add_sweep(history, devices=[CPU], axes=[Axis(name="threads", values=(1, 2))])
    app = page("explore")
    assert app.subheader[0].value.startswith("On Example CPU, threads 1 is the fastest")
    assert len(drawings(app)) == 1


def test_the_cells_of_a_calibration_are_not_ranked(history) -> None:
    names = sweep.calibration(["cpu"], compiles=True).axes[0].values[:3]
    add_sweep(history, devices=[CPU], axes=[Axis(name="probe", values=names)])
    app = page("explore")
    assert app.subheader[0].value.startswith("What small networks take on Example CPU")
    assert not leads(app)


def test_noisy_cells_are_marked_and_the_mark_is_explained(history) -> None:
    add_sweep(history, spread=0.4)
    app = page("explore")
    assert "marks a cell whose figure is noisy" in said(app, "caption")
    assert set(app.dataframe[0].value["Noisy"]) == {"yes"}


def test_a_layer_has_the_accuracy_of_what_was_trained_of_each_cell(history) -> None:
    add_sweep(history, devices=[CPU])
    base = PRESETS["dense"].spec
    model = base.model.model_dump() | {"dense": [256] * len(base.model.dense)}
    wide = change(base, batch_size=128, model=model)
    for seed in (1, 2):
        add_run(history, spec=change(wide, seed=seed, threads=2), epochs=base.epochs)
    app = page("explore")
    app.session_state["explore.layer"] = "accuracy"
    app.run()
    (drawing,) = drawings(app)
    assert drawing.startswith("Heat map of the validation accuracy")
    data = app.get("vega_lite_chart")[0].proto.datasets[0].data.data
    shown = pa.ipc.open_stream(data).read_all().to_pandas().set_index("cell")["text"]
    assert shown["batch size 128, units 256"] == "20 %"
    assert list(shown).count("–") == 8
    assert "A cell without a figure was never trained" in said(app, "caption")


# --- under way ------------------------------------------------------------------------------


def test_a_sweep_under_way_shows_its_cells_and_can_be_paused_and_stopped(
    history, quiet_lab: QuietLab
) -> None:
    sweep_id = add_sweep(history, status=SweepStatus.RUNNING, done=7)
    now = "batch size 128, units 64 on cuda:0"
    quiet_lab.swept.append(
        SweepSnapshot(sweep_id, "Dense", SweepStatus.RUNNING, 7, 18, 33.0, now, False)
    )
    app = page("explore", sweep=sweep_id)
    bar = app.get("progress")[0].proto
    assert bar.value == 38
    assert "7 of 18 cells measured, about 33 s to go; now batch" in bar.text
    assert app.dataframe[0].value["µs per image"].notna().sum() == 7
    button(app, "Pause").click().run()
    button(app, "Stop").click().run()
    assert quiet_lab.sweeps_ended == [
        (sweep_id, SweepStatus.PAUSED),
        (sweep_id, SweepStatus.STOPPED),
    ]


@pytest.mark.parametrize("status", [SweepStatus.PAUSED, SweepStatus.INTERRUPTED])
def test_a_sweep_that_broke_off_goes_on(history, quiet_lab, status: SweepStatus) -> None:
    sweep_id = add_sweep(history, status=status, done=4)
    app = page("explore", sweep=sweep_id)
    button(app, "Go on").click().run()
    assert history.sweeps.get(sweep_id).status is SweepStatus.QUEUED
    assert quiet_lab.swept[0].sweep_id == sweep_id
    assert "Waits for its training process" in app.get("progress")[0].proto.text


@pytest.mark.parametrize("devices", [(CPU,), (CPU, GPU)])
@pytest.mark.parametrize(
    ("status", "says"),
    [
        (SweepStatus.QUEUED, "A figure appears here as soon as one of its"),
        (SweepStatus.RUNNING, "A figure appears here as soon as one of its"),
        (SweepStatus.PAUSED, "“Go on” measures them"),
        (SweepStatus.STOPPED, "“Go on” measures them"),
        (SweepStatus.INTERRUPTED, "“Go on” measures them"),
        (SweepStatus.FINISHED, "1 min were too short to measure one of its"),
    ],
)
def test_a_sweep_of_which_nothing_is_measured_says_what_comes_or_what_to_do(
    history, status: SweepStatus, says: str, devices: tuple[DeviceFacts, ...]
) -> None:
    add_sweep(history, status=status, done=0, devices=devices)
    app = page("explore")
    assert says in app.subheader[0].value
    assert f"{9 * len(devices)} cells" in app.subheader[0].value
    assert not leads(app)
    assert not drawings(app)
    assert not app.dataframe
    assert ("Go on" in labels(app)) == ("Go on" in says)


def test_before_two_devices_have_a_cell_in_common_the_one_that_was_measured_leads(history) -> None:
    add_sweep(history, status=SweepStatus.PAUSED, done=1)
    (of,) = leads(page("explore"))
    assert of == "per image at best, on Example CPU"


# --- many -----------------------------------------------------------------------------------


def test_the_address_holds_the_sweep_and_the_one_beside_it(history) -> None:
    first = add_sweep(history, name="First", devices=[CPU])
    add_sweep(history, name="Other axes", axes=AXES[:1])
    second = add_sweep(history, name="Second", devices=[CPU], time=lambda cell: 40.0)
    app = page("explore", sweep=first, against=second)
    choice = next(item for item in app.selectbox if item.label == "Beside it")
    assert choice.options[:2] == ["No other sweep", "Second"]
    (recorded,) = choice.options[2:]  # of the same axes too
    assert recorded.startswith("Recorded: Dense")
    assert len(drawings(app)) == 3
    assert f"Example CPU ({second})" in said(app, "subheader")
    choice.select_index(0).run()
    assert "against" not in app.query_params
    assert len(drawings(app)) == 1


def test_a_recorded_sweep_is_laid_beside_ones_own(history) -> None:
    mine = add_sweep(history, name="Mine", devices=[CPU])
    (recorded,) = sweeps()
    app = page("explore", sweep=mine, against=recorded)
    assert "NVIDIA H200 (27 Nov 2026)" in " ".join(drawings(app))
    assert page("explore").query_params["sweep"] in (mine, [mine])  # one's own comes first


def test_a_sweep_that_is_gone_is_said_so_and_another_one_shown(history) -> None:
    sweep_id = add_sweep(history)
    app = page("explore", sweep="nowhere")
    assert "There is no sweep nowhere here" in said(app, "warning")
    assert app.query_params["sweep"] in (sweep_id, [sweep_id])


def test_cells_that_were_brought_in_are_a_sweep_again(history, home, monkeypatch) -> None:
    """From another machine: its cards are all there is; no row in the table of sweeps."""
    monkeypatch.setenv("CNNLAB_HOME", str(home / "elsewhere"))
    other = own_history()
    sweep_id = add_sweep(other, name="Far away", devices=[GPU])
    cards = [other.card(run.run_id) for run in other.summaries()]
    history.add_cards(cards, origin="imported from bundle.json")
    monkeypatch.setenv("CNNLAB_HOME", str(home))
    mine = add_sweep(history, name="Mine", devices=[CPU])
    app = page("explore", sweep=mine, against=sweep_id)
    assert len(drawings(app)) == 3
    assert "Example GPU (imported from bundle.json)" in drawings(app)[0]
    alone = page("explore", sweep=sweep_id)
    assert len(drawings(alone)) == 1
    assert not {"Pause", "Stop", "Go on"} & {*labels(alone)}


def test_a_sweep_reads_first_what_was_never_read(home, history: History, quiet_lab) -> None:
    (home / "datasets").mkdir(parents=True)
    images = np.random.default_rng(0).integers(0, 200, (600, 9, 8), dtype=np.uint8)
    np.savez(home / "datasets" / "mine.npz", x_train=images, y_train=np.arange(600) % 4)
    spec = change(PRESETS["dense"].spec, dataset="mine.npz", train_limit=None)
    run_id = history.create(spec, name="own", session="s")
    history.record(run_id, RunEnded(status=Status.FINISHED))
    app = page("explore")
    base = app.selectbox(key=f"{explore_form.KEY}base")
    base.select_index(len(base.options) - 1).run()
    button(app, "Start the sweep").click().run()
    assert not app.exception
    assert not app.error, app.error[0].value
    assert datasets.info("mine.npz").ready
    assert len(quiet_lab.swept) == 1
