"""How long a run may take: measured cells come before the rate of earlier runs."""

import pytest

from cnnlab import datasets, sweep
from cnnlab.analysis import durations
from cnnlab.models import layer_table
from cnnlab.spec import (
    PRESETS,
    DatasetFacts,
    DeviceFacts,
    ModelFacts,
    RunEnded,
    RunStarted,
    Status,
    SweepStatus,
    Timing,
    change,
)
from cnnlab.ui import lab
from cnnlab.ui.explore import sweeps
from cnnlab.ui.train import compiling
from tests.example_runs import CPU, add_run
from tests.quiet_lab import page, said

DENSE = PRESETS["dense"].spec
CARD = {"key": "cuda:0", "name": "Example card", "kind": "cuda"}
SHAPE, CLASSES, IMAGES = (28, 28, 1), 10, 60_000


def machine(*cards):
    """What a worker says of a computer with some accelerators."""
    return {
        "cpu": {
            "name": "Example CPU", "physical_cores": 4, "logical_cores": 8, "usable_cores": 4.0,
            "instruction_sets": [], "memory_mb": 16_000, "threads": 4,
        },
        "accelerators": list(cards), "versions": {}, "platform": "Linux",
    }  # fmt: skip


def measured(history, plan, ms, device="cpu", name="A sweep", spread=0.01, **timing):
    """A sweep that is over, each cell of which took `ms(cell)`.

    Args:
        timing: what else was timed, as functions of the cell.
    """
    sweep_id = history.sweeps.create(plan, name=name, session="sweep")
    for cell in sweep.cells(plan):
        place = sweep.place(sweep_id, name, sweep.Turn(cell, 0, 1.0))
        run_id = history.create(cell.spec, name="cell", session="sweep", place=place)
        info = datasets.info(cell.spec.dataset)
        history.record(
            run_id,
            RunStarted(
                model=ModelFacts(parameters=1, flops_per_image=1),
                dataset=DatasetFacts(
                    name="noise", train_images=2048, validation_images=400,
                    classes=info.classes, image_shape=info.image_shape,
                ),
                device=DeviceFacts(requested=cell.device, used=device, name="Example"),
                environment={},
                steps_per_epoch=64,
            ),
        )  # fmt: skip
        more = {name: value(cell) for name, value in timing.items()}
        found = Timing(step_ms_median=ms(cell), step_ms_spread=spread, **more)
        history.record(run_id, RunEnded(status=Status.FINISHED, timing=found))
    history.sweeps.mark(sweep_id, SweepStatus.FINISHED)
    return sweep_id


def grid(spec=DENSE):
    axes = [sweep.parse_axis("batch_size=16,64,256"), sweep.parse_axis("units=32,256")]
    return sweep.plan(spec, axes, ["cpu"], 60)


def guess(spec=DENSE, device="cpu"):
    layers = layer_table(spec.model, SHAPE, CLASSES)
    return durations.estimate(spec, layers, IMAGES, device, lab.history().summaries())


def test_measured_cells_estimate_what_was_never_trained(quiet_lab):
    measured(lab.history(), grid(), lambda cell: 2.0)
    found = guess()
    # Validation runs forward only; training takes the gradients of all but the picture as well.
    first, others = 784 * 300, 300 * 100 + 100 * 10
    passes = (2 * first + 3 * others) / (first + others)
    steps = 51_000 / 32 + 9_000 / 32 / passes
    assert found.seconds == pytest.approx(5 * steps * 0.002, rel=0.01)
    assert found.basis.startswith("6 measured cells, give or take 0 %")


def test_cells_of_another_device_family_or_machine_say_nothing(quiet_lab):
    measured(lab.history(), grid(), lambda cell: 2.0, device="cuda:0")
    assert guess() is None
    assert guess(device="cuda:0") is not None
    assert guess(PRESETS["lstm"].spec, "cuda:0") is None


def test_cells_that_no_model_fits_say_nothing(quiet_lab):
    measured(lab.history(), grid(), lambda cell: 0.1 * 7 ** (cell.number * 5 % 6))
    assert guess() is None  # nor are the cells called earlier runs


def test_an_earlier_run_counts_for_recipes_with_its_own_choices(quiet_lab):
    add_run(lab.history(), device=CPU)
    layers = layer_table(PRESETS["tiny"].spec.model, (32, 32, 3), 100)
    for other in ({"compile": True}, {"threads": 1}, {"precision": "mixed_bfloat16"}):
        spec = change(PRESETS["tiny"].spec, **other)
        runs = lab.history().summaries()
        assert durations.estimate(spec, layers, 50_000, "cpu", runs) is None


def test_an_earlier_run_counts_only_with_as_many_threads_as_it_used(quiet_lab):
    add_run(lab.history(), device=CPU)  # two threads, which nobody asked for
    layers = layer_table(PRESETS["tiny"].spec.model, (32, 32, 3), 100)

    def known(**asked):
        spec = change(PRESETS["tiny"].spec, **asked)
        runs = lab.history().summaries()
        return durations.estimate(spec, layers, 50_000, "cpu", runs) is not None

    assert known()
    assert known(threads=2)
    assert not known(threads=1)


def test_without_cells_earlier_runs_are_the_basis(quiet_lab):
    add_run(lab.history(), device=CPU)
    spec = PRESETS["tiny"].spec
    layers = layer_table(spec.model, (32, 32, 3), 100)
    found = durations.estimate(spec, layers, 50_000, "cpu", lab.history().summaries())
    assert found.basis == "one earlier run"


def calibrated(history):
    return measured(
        history,
        sweep.calibration(["cpu"], compiles=True),
        lambda cell: (
            2.0 if cell.spec.precision == "mixed_bfloat16" else 8.0 * cell.spec.compile or 4.0
        ),
        name=sweep.CALIBRATION,
    )


def test_the_newest_calibration_says_what_a_precision_gains(quiet_lab):
    assert sweeps.gains() == {}
    calibrated(lab.history())
    assert sweeps.gains() == {
        "cpu": {
            "mixed_bfloat16": 2.0,
            "mixed_float16": 1.0,
            "one thread": 1.0,
            "torch.compile": 0.5,
        }
    }


def test_the_train_page_names_the_basis_and_the_gain(quiet_lab):
    calibrated(lab.history())
    app = page("train")
    assert "measured cells, give or take" in said(app, "caption")
    assert "mixed_bfloat16 is about 2 times as fast as float32 here" in said(app, "caption")
    assert "mixed_float16 is about as fast as float32 here, so it is left out" in said(
        app, "caption"
    )


def test_precisions_are_offered_where_the_device_gains_by_them(quiet_lab):
    app = page("train")
    precision = app.selectbox(key="form.precision")
    assert precision.options == ["float32", "mixed_bfloat16", "mixed_float16"]
    assert "Calibrate on the Hardware page to see" in said(app, "caption")
    calibrated(lab.history())
    app.run()
    assert app.selectbox(key="form.precision").options == ["float32", "mixed_bfloat16"]
    assert "mixed_bfloat16 is about 2 times as fast as float32 here. mixed" in said(app, "caption")


def test_compiling_is_offered_where_it_gains_and_kept_where_it_is_on(quiet_lab):
    assert page("train").toggle(key="form.compile")
    calibrated(lab.history())
    app = page("train")
    assert not [toggle for toggle in app.toggle if toggle.key == "form.compile"]
    assert "torch.compile takes about 2 times as long as uncompiled steps here, so it" in said(
        app, "caption"
    )
    app = page("train", compile="true")
    assert app.toggle(key="form.compile").value
    assert "uncompiled steps here." in said(app, "caption")


def calibrated_with_compiling(history, seconds):
    """One that found compiled steps twice as fast, of 2 ms, after so many seconds."""
    measured(
        history,
        sweep.calibration(["cpu"], compiles=True),
        lambda cell: 2.0 if cell.spec.compile else 4.0,
        name=sweep.CALIBRATION,
        build_seconds=lambda cell: 0.5,
        warmup_seconds=lambda cell: 0.5 + seconds * cell.spec.compile,
    )


def has_switch(app):
    return any(toggle.key == "form.compile" for toggle in app.toggle)


def test_compiling_is_offered_where_it_pays_over_the_runs_length(quiet_lab):
    calibrated_with_compiling(lab.history(), 20.0)  # even at 40 s
    gained = "torch.compile is about 2 times as fast as uncompiled steps here, once it has been "
    app = page("train", preset="dense", epochs="100")
    assert has_switch(app)
    assert f"{gained}compiled for about 20 s: over this run, which trains for about 11 min, " in (
        said(app, "caption")
    )
    assert "it is about 1.9 times as fast" in said(app, "caption")
    app = page("train", preset="dense", epochs="3")
    assert not has_switch(app)
    assert f"{gained}compiled for about 20 s: this run, which trains for about 19 s, is too " in (
        said(app, "caption")
    )
    assert "(about 40 s would be even), so it is left out." in said(app, "caption")
    assert has_switch(page("train", preset="dense", epochs="3", compile="true"))


def test_where_the_length_is_not_known_it_is_said_from_which_one_compiling_pays():
    told = compiling.Weighed(sweep.Compiling(seconds=20.0, gain=2.0), None)
    assert told.pays
    assert told.said().endswith(
        "compiled for about 20 s: that pays in a run that trains for more than about 40 s"
    )
    slower = compiling.Weighed(sweep.Compiling(seconds=20.0, gain=0.5), None)
    assert not slower.pays
    assert slower.said() == "torch.compile takes about 2 times as long as uncompiled steps here"


def test_compiling_is_not_offered_without_a_compiler_and_refused_where_it_is_on(
    quiet_lab, monkeypatch, tmp_path
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    app = page("train")
    assert not [toggle for toggle in app.toggle if toggle.key == "form.compile"]
    assert "torch.compile is left out: it needs a C++ compiler" in said(app, "caption")
    app = page("train", compile="true")
    assert app.toggle(key="form.compile").value
    assert app.button(key="start").disabled
    assert "it needs a C++ compiler" in said(app, "error")


def test_nothing_is_withheld_that_was_not_tried(quiet_lab):
    calibrated(lab.history())
    for recipe in ({"preset": "lstm"}, {"preset": "dense", "engine": "stock"}):
        app = page("train", **recipe)
        assert "times as fast as float32" not in said(app, "caption")
        assert app.toggle(key="form.compile")
        assert len(app.selectbox(key="form.precision").options) == 3


def test_a_calibration_under_way_does_not_hide_the_last_one(quiet_lab):
    history = lab.history()
    calibrated(history)
    history.sweeps.create(
        sweep.calibration(["cpu"], compiles=True), name=sweep.CALIBRATION, session="sweep"
    )
    assert sweeps.gains()["cpu"]["mixed_bfloat16"] == 2.0


def test_the_device_that_a_recipe_means(quiet_lab):
    quiet_lab.found = machine(CARD)
    assert sweeps.device_of("auto", "none") == "cuda:0"
    assert sweeps.device_of("cuda", "none") == "cuda:0"
    assert sweeps.device_of("auto", "override") == "cpu"
    assert sweeps.device_of("cpu", "none") == "cpu"


def test_tf32_is_offered_where_there_is_an_nvidia_card(quiet_lab):
    def offered():
        return [box.key for box in page("train").selectbox if box.key == "form.tf32"]

    assert not offered()
    quiet_lab.found = machine(CARD)
    assert offered()


def test_what_threads_and_larger_batches_do_here_is_beside_them(quiet_lab):
    calibrated(lab.history())
    told = said(page("train", preset="dense"), "caption")
    assert "One thread is about as fast as all of them here." in told
    assert "256 instead of 32: about 8 times as fast per example here" in told
    assert "instead of" not in said(page("train", preset="dense", device="cuda:0"), "caption")


def test_a_precision_that_a_link_names_stays_though_it_gains_nothing(quiet_lab):
    calibrated(lab.history())
    app = page("train", precision="mixed_float16")
    precision = app.selectbox(key="form.precision")
    assert precision.value == "mixed_float16"
    assert "mixed_float16" in precision.options


def test_the_hardware_page_offers_a_calibration_and_shows_the_last_one(quiet_lab, monkeypatch):
    quiet_lab.found = machine()
    app = page("hardware")
    assert not app.button(key="calibrate").disabled
    assert "as fast as float32" not in said(app)
    queued = []
    monkeypatch.setattr(quiet_lab, "submit_sweep", lambda record, runs: queued.append(record))
    app.button(key="calibrate").click().run()
    assert not app.exception
    assert [record.name for record in queued] == [sweep.CALIBRATION]
    assert queued[0].plan.devices == ("cpu",)
    calibrated(lab.history())
    assert "mixed_bfloat16 is about 2 times as fast" in said(app.run())


def test_a_noisy_or_unfinished_calibration_says_so(quiet_lab, monkeypatch):
    quiet_lab.found = machine()
    history = lab.history()
    sweep_id = measured(
        history,
        sweep.calibration(["cpu"], compiles=True),
        lambda cell: 4.0,
        name=sweep.CALIBRATION,
        spread=0.3,
    )
    history.sweeps.mark(sweep_id, SweepStatus.STOPPED, "The budget ended.")
    app = page("hardware")
    assert "measured cells are noisy and left out" in said(app, "warning")
    assert "not complete. The budget ended." in said(app, "caption")
    assert "as fast as float32" not in said(app)
    assert "too uneven to tell" in said(page("train"), "caption")
    gone_on = []
    monkeypatch.setattr(quiet_lab, "submit_sweep", lambda record, runs: gone_on.append(record))
    app.button(key="go-on-calibration").click().run()
    assert [record.sweep_id for record in gone_on] == [sweep_id]


def test_a_calibration_under_way_shows_how_far_it_is(quiet_lab, monkeypatch):
    now = sweep_snapshot()
    monkeypatch.setattr(quiet_lab, "sweeps", lambda: (now,))
    app = page("hardware")
    assert app.button(key="stop-calibration")
    assert "calibrate" not in [button.key for button in app.button]


def sweep_snapshot():
    from cnnlab.runner.sweep_job import SweepSnapshot

    return SweepSnapshot(
        sweep_id="a", name=sweep.CALIBRATION, status=SweepStatus.RUNNING, done=3, total=15,
        seconds_left=12.0, current="probe=lstm, batch 32 on cpu", again=False,
    )  # fmt: skip


def test_before_anything_was_measured_the_guess_is_wide_and_falls_with_cores():
    spec = PRESETS["tiny"].spec
    layers = layer_table(spec.model, (32, 32, 3), 10)
    low, high = durations.bracket(spec, layers, 50_000, 2)
    assert 0 < low < 10 < high < 300
    more = durations.bracket(spec, layers, 50_000, 8)
    assert more[0] < low
    assert more[1] < high
