"""The Train page: what it shows, what it refuses, and that it starts what it shows.

The worker process is played by an object that says hello and then trains until it is told to end,
so that nothing here waits for torch.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from cnnlab import datasets, models
from cnnlab.analysis import durations
from cnnlab.runner import process as runner
from cnnlab.spec import (
    PRESETS,
    LabError,
    ModelFacts,
    RunCard,
    SpecError,
    Status,
    Timing,
    change,
    parse_spec,
)
from cnnlab.ui import lab, link, live, top
from cnnlab.ui.train import plan, recipe, start
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).resolve().parents[3]
HARDWARE = {
    "cpu": {
        "name": "Test CPU",
        "physical_cores": 4,
        "logical_cores": 8,
        "usable_cores": 8.0,
        "instruction_sets": [],
        "memory_mb": 16_000.0,
    },
    "accelerators": [{"key": "cuda:0", "name": "Test GPU", "kind": "cuda"}],
    "versions": {},
    "platform": "test",
}


class PlayedWorker:
    """Says hello; then its run goes on until it is asked to stop or killed."""

    def __init__(self, gpu_off, environment) -> None:
        self.gpu_off, self.alive, self.pid = gpu_off, True, 0
        self._greeted = False
        self._over = threading.Event()

    def line(self) -> str:
        if not self._greeted:
            self._greeted = True
            return json.dumps({"kind": "hello", "hardware": HARDWARE})
        self._over.wait()
        return ""

    def send(self, line: str) -> None:
        if line == "stop":
            self._over.set()

    def kill(self) -> None:
        self.alive = False
        self._over.set()

    def close(self, patience_seconds: float = 5.0) -> int:
        self.kill()
        return 0


@pytest.fixture
def the_lab(monkeypatch):
    """A lab with a played worker, which has looked for the devices already."""
    monkeypatch.setattr(runner, "Worker", PlayedWorker)
    found = lab.lab()
    with found._changed:
        assert found._changed.wait_for(lambda: found.hardware() is not None, PATIENCE_SECONDS)
    return found


@pytest.fixture
def page(the_lab):
    """Open the page under a link."""

    def open_page(**parameters: str) -> AppTest:
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
        for name, value in parameters.items():
            at.query_params[name] = value
        at.run()
        assert not at.exception
        return at

    return open_page


def metric(at: AppTest, label: str) -> str:
    return next(item.value for item in at.metric if item.label == label)


def button(at: AppTest, label: str):
    return next(item for item in at.button if item.label == label)


def parameters_of(at: AppTest) -> dict[str, str]:
    """The address; a value that the page wrote is a list, one that the test wrote a text."""
    pairs = at.query_params.items()
    return {name: value if isinstance(value, str) else value[-1] for name, value in pairs}


def recipe_of(at: AppTest):
    return parse_spec(at.session_state["recipe"])


def errors(at: AppTest) -> str:
    return written(at.error)


def written(elements) -> str:
    """What stands in elements, as a person reads it: without the backslashes that tame Markdown."""
    return " ".join(item.value.replace("\\", "") for item in elements)


def links(at: AppTest) -> list[str]:
    return [item.proto.label for item in at.get("page_link")]


# --- what it shows --------------------------------------------------------------------------


def test_fields_of_a_page_that_was_interrupted_are_given_to_the_browser_again(page, monkeypatch):
    """Streamlit drops what such a page has not sent yet: a field would begin at its least."""
    drawn_to_the_end, interruptions = recipe.depart, iter([True])

    def depart(parameters):
        if next(interruptions, False):
            st.stop()
        drawn_to_the_end(parameters)

    monkeypatch.setattr(recipe, "depart", depart)
    at = page().run()
    field = at.number_input(key="form.epochs")
    assert (field.value, field.proto.set_value, field.proto.value) == (5, True, 5)
    at.run()
    assert not at.number_input(key="form.epochs").proto.set_value  # nor over what somebody types


def test_what_is_typed_before_the_browser_knows_the_new_link_is_kept(page):
    at = page(train_limit="400")
    at.query_params.clear()
    at.query_params["train_limit"] = "400"  # the address as it was when the page was opened
    at.number_input(key="form.epochs").set_value(7).run()
    assert (recipe_of(at).epochs, recipe_of(at).train_limit) == (7, 400)


def test_an_empty_lab_offers_a_recipe_that_can_start_at_once(page):
    at = page()
    assert recipe_of(at) == PRESETS["tiny"].spec
    assert not at.error
    assert not button(at, "Start training").disabled


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_fills_the_form_and_the_address(page, name):
    at = page()
    at.button_group(key="preset_pills").set_value(name).run()
    assert not at.exception
    assert recipe_of(at) == PRESETS[name].spec
    assert link.decode(parameters_of(at)) == PRESETS[name].spec
    assert any(item.value == PRESETS[name].shows for item in at.caption)


def test_the_article_has_its_published_parameters_and_steps(page):
    at = page(preset="article")
    assert metric(at, "Parameters") == "975,692"
    assert metric(at, "Steps per epoch") == "1,329"


def test_devices_bear_their_real_names(page):
    choice = page().selectbox(key="form.device")
    assert "GPU: Test GPU" in choice.options
    assert sum(option.startswith("CPU: ") for option in choice.options) == 1


def test_a_data_set_that_must_be_downloaded_is_announced(page):
    at = page(preset="article")
    assert "downloads 169 MB once" in written(at.caption)


# --- the form -------------------------------------------------------------------------------

HARD = [
    change(PRESETS["article"].spec, epochs=3, learning_rate=3e-5, threads=2, train_limit=2_000),
    change(PRESETS["tiny"].spec, compile=True, device="cuda:0", precision="mixed_bfloat16"),
    change(PRESETS["dense"].spec, model={"family": "dense", "dense": [], "batch_norm": True}),
    change(PRESETS["tiny"].spec, model={"family": "rnn", "cell": "gru", "recurrent": [8, 8]}),
    change(PRESETS["tiny"].spec, gpu_off="override", seed=2**32 - 1, validation_split=0.123456),
    change(
        PRESETS["tiny"].spec,
        model={
            "family": "cnn",
            "padding": "same",
            "blocks": [{"convs": [{"filters": 1, "kernel": 31}] * 16}] * 16,
        },
    ),
]


@pytest.mark.parametrize("spec", HARD, ids=range(len(HARD)))
def test_a_link_opens_the_same_form_in_another_browser(page, spec):
    at = page(**link.encode(spec))
    assert recipe_of(at) == spec
    assert not at.error
    at.run()  # once more, now that the widgets have their own state
    assert recipe_of(at) == spec
    assert parameters_of(at) == link.encode(spec)


def test_a_changed_field_changes_the_figures_and_the_address(page):
    at = page(preset="article")
    at.number_input(key="form.model.blocks.0.convs.0.filters").set_value(64).run()
    assert metric(at, "Parameters") != "975,692"
    assert parameters_of(at) == {"preset": "article", "blocks": "64x7-p2_256x3-256x3"}


def test_dense_units_are_written_as_text(page):
    at = page(preset="dense")
    at.text_input(key="form.model.dense").set_value("300,100, 50").run()
    assert recipe_of(at).model.dense == (300, 100, 50)
    at.text_input(key="form.model.dense").set_value("").run()
    assert recipe_of(at).model.dense == ()


def test_an_empty_number_means_all_pictures(page):
    at = page()
    at.number_input(key="form.train_limit").set_value(None).run()
    assert recipe_of(at).train_limit is None


def test_blocks_are_added_moved_and_removed_without_a_trace(page):
    at = page(preset="tiny")
    before = recipe_of(at).model.blocks
    at.button(key="add_block").click().run()
    assert len(recipe_of(at).model.blocks) == 3
    at.number_input(key="form.model.blocks.2.convs.0.filters").set_value(7).run()
    at.button(key="up_block_2").click().run()
    assert [block.convs[0].filters for block in recipe_of(at).model.blocks] == [16, 7, 32]
    at.button(key="remove_block_1").click().run()
    assert recipe_of(at).model.blocks == before
    assert "form.model.blocks.2.pool" not in at.session_state


def test_a_block_or_conv_whose_button_is_pressed_again_too_soon_takes_no_other_along(page):
    for key in ("remove_block_0", "remove_block_1", "down_block_0", "remove_conv_0_0"):
        at = page(preset="tiny")
        at.button(key="add_conv_0").click().run()
        at.button(key=key).click()
        sent = at._tree.get_widget_states()  # with the button pressed
        for _ in range(3):
            at._run(sent)
            assert not at.exception
        blocks = recipe_of(at).model.blocks
        assert blocks
        assert all(block.convs for block in blocks)


def test_a_conv_is_added_and_removed_in_its_block(page):
    at = page(preset="tiny")
    at.button(key="add_conv_0").click().run()
    assert len(recipe_of(at).model.blocks[0].convs) == 2
    at.button(key="remove_conv_0_0").click().run()
    assert recipe_of(at).model.blocks == PRESETS["tiny"].spec.model.blocks


def test_another_family_begins_with_its_own_network_and_keeps_the_training(page):
    at = page(epochs="7")
    at.button_group(key="form.model.family").set_value("rnn").run()
    assert not at.exception
    assert (recipe_of(at).model.family, recipe_of(at).epochs) == ("rnn", 7)


def test_the_recipe_is_still_there_after_a_visit_to_another_page(page):
    at = page(preset="article", epochs="3")
    at.number_input(key="form.batch_size").set_value(64).run()
    wanted = recipe_of(at)
    at.query_params.clear()
    at.switch_page(str(ROOT / "pages" / "hardware.py")).run()
    at.switch_page(str(ROOT / "pages" / "train.py")).run()
    assert recipe_of(at) == wanted
    assert at.number_input(key="form.batch_size").value == 64


# --- what it refuses ------------------------------------------------------------------------


def test_a_kernel_that_does_not_fit_is_named_and_start_is_off(page):
    at = page(preset="article")
    at.number_input(key="form.model.blocks.1.convs.1.kernel").set_value(31).run()
    assert "Block 2, Conv2D 2, kernel is 31, but what it reads is only 11 x 11 there" in errors(at)
    assert button(at, "Start training").disabled
    assert any(item.value == "The last network that worked:" for item in at.caption)
    at.number_input(key="form.model.blocks.1.convs.1.kernel").set_value(3).run()
    assert not at.error
    assert metric(at, "Parameters") == "975,692"


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("form.model.dense", "300, x", 'Dense units is "x"'),
        ("form.model.dense", "-3", "Dense units is"),
        ("form.learning_rate", "fast", 'Learning rate is "fast"'),
        ("form.learning_rate", "nan", "Learning rate is"),
        ("form.learning_rate", "", "Learning rate is"),
    ],
)
def test_text_that_is_no_number_is_refused_beside_its_field(page, key, text, said):
    at = page()
    at.text_input(key=key).set_value(text).run()
    assert not at.exception
    assert said in errors(at)
    assert said in written(at.caption)
    assert button(at, "Start training").disabled


def test_a_bad_link_is_refused_in_the_forms_words_and_its_preset_taken(page):
    at = page(preset="article", epochs="0")
    assert recipe_of(at) == PRESETS["article"].spec
    said = written(at.warning)
    assert 'Epochs is "0", but it should be greater than or equal to 1.' in said
    assert parameters_of(at) == {"preset": "article"}


def test_a_link_to_a_device_that_is_not_here_says_which_are(page):
    at = page(device="mps")
    assert 'Device is "mps", but only auto, cpu, cuda:0 are here' in errors(at)


def test_an_accelerator_that_is_switched_off_is_refused(page):
    at = page(device="cuda:0", gpu_off="override")
    assert 'Switch the GPU off by is "override"' in errors(at)


@pytest.mark.parametrize("path", ["/etc", "../..", "~/secret.npz", "CLASSES"])
def test_a_link_opens_no_path(page, the_lab, path, tmp_path):
    if path == "CLASSES":  # a folder that could be learnt from, once read
        path = str(tmp_path / "own")
        for name in ("cat", "dog"):
            (tmp_path / "own" / name).mkdir(parents=True)
    at = page(dataset=path)
    assert "Data set is" in errors(at)
    assert button(at, "Start training").disabled
    with pytest.raises(SpecError, match="offers only the data sets listed"):
        lab.start(change(PRESETS["tiny"].spec, dataset=path))


def test_a_link_cannot_put_a_picture_of_its_own_on_the_page(page):
    at = page(epochs="![](//x.test/y)", dataset="[here](//x.test)", z="![](//x.test)")
    for item in [*at.warning, *at.error, *at.caption, *at.subheader]:
        assert not re.search(r"(?<!\\)\]\(", item.value)


def card(spec, **fields) -> RunCard:
    made = {"run_id": "brought-in", "name": "n", "session": "s", "status": Status.FINISHED}
    return RunCard(**made | {"created_at": "2026-01-01T00:00:00Z", "spec": spec} | fields)


def test_a_run_card_that_was_brought_in_opens_no_path_either(the_lab, tmp_path):
    spec = change(PRESETS["tiny"].spec, dataset=str(tmp_path))
    lab.history().add_card(card(spec), origin="upload")
    with pytest.raises(SpecError):
        lab.check(spec)


def test_the_owners_own_path_can_be_chosen_once_used_on_the_command_line(the_lab, tmp_path):
    spec = change(PRESETS["tiny"].spec, dataset=str(tmp_path))
    lab.history().create(spec, name="own", session="command line")
    assert str(tmp_path) in lab.dataset_names()
    with pytest.raises(LabError, match="prepare it on the Data page"):
        lab.check(spec)


# --- start and queue ------------------------------------------------------------------------


def running_page(page) -> AppTest:
    at = page()
    button(at, "Start training").click().run()
    assert not at.exception
    return at


def test_start_queues_what_the_form_says_and_puts_the_run_into_the_address(page, the_lab):
    at = running_page(page)
    run_id = parameters_of(at)["run"]
    kept = lab.history().card(run_id)
    assert kept.spec == PRESETS["tiny"].spec
    assert (kept.name, kept.session) == ("Tiny", "today")
    assert not [item for item in at.button if item.label == "Start training"]


def test_a_runs_link_shows_the_run_and_its_recipe_in_another_browser(page, the_lab):
    spec = change(PRESETS["dense"].spec, epochs=9)
    run_id = lab.start(spec)
    at = page(run=run_id)
    assert recipe_of(at) == spec
    assert parameters_of(at) == {"run": run_id}
    assert datasets.run_name(spec) in written(at.subheader)


def test_beside_a_run_the_recipe_is_one_line_that_opens_for_the_next(page):
    at = running_page(page)
    assert "Tiny · batch 32 · 5 epochs · fast · any device" in written(at.caption)
    button(at, "Edit").click().run()
    assert "run" not in parameters_of(at)
    assert not button(at, "Start training").disabled


def test_what_was_changed_of_a_preset_is_named_and_taken_back(page):
    at = page(preset="tiny", batch_size="64", epochs="9")
    assert [item.label for item in at.button if str(item.key).startswith("undo-")] == [
        "Epochs 9",
        "Batch size 64",
    ]
    at.button(key="undo-batch_size").click().run()
    assert recipe_of(at) == change(PRESETS["tiny"].spec, epochs=9)
    at.button(key="undo-epochs").click().run()
    assert not [item for item in at.button if str(item.key).startswith("undo-")]


def test_what_was_changed_is_told_in_the_words_of_the_form(page):
    at = page(preset="tiny", optimizer="sgd", device="cpu")
    assert [item.label for item in at.button if str(item.key).startswith("undo-")] == [
        "Optimizer SGD",
        "Device CPU",
    ]


def test_a_run_gets_the_name_that_stands_beside_start(page):
    at = page()
    at.text_input(key="run_name").set_value("My first").run()
    button(at, "Start training").click().run()
    assert lab.history().card(parameters_of(at)["run"]).name == "My first"


def test_variants_are_the_recipe_with_other_values_of_one_field():
    tiny = PRESETS["tiny"].spec
    filters = start.variants(tiny, "model.blocks.0.convs.0.filters", ["8", "48"])
    assert [spec.model.blocks[0].convs[0].filters for spec in filters] == [8, 48]
    dense = start.variants(tiny, "model.dense", ["32-16", "none"])
    assert [spec.model.dense for spec in dense] == [(32, 16), ()]
    assert start.variants(tiny, "train_limit", ["none"])[0].train_limit is None


def test_variants_are_queued_together_or_not_at_all(page, the_lab):
    at = page(epochs="2")
    at.text_input(key="variants.values").set_value("16, 0")
    at.button(key="variants.queue").click().run()
    assert 'Batch size is "0"' in errors(at)
    assert lab.history().summaries() == []
    at.text_input(key="variants.values").set_value("16, 64")
    at.button(key="variants.queue").click().run()
    made = lab.history().summaries()
    assert sorted(run.spec.batch_size for run in made) == [16, 64]
    assert {run.name.rpartition(" · ")[2] for run in made} == {"Batch size 16", "Batch size 64"}


def test_a_run_that_began_elsewhere_comes_to_a_page_that_waits_but_not_to_a_recipe(page, the_lab):
    run_id = lab.start(PRESETS["dense"].spec)
    at = page()
    at.session_state[top.MEANWHILE] = run_id
    at.run()
    assert parameters_of(at) == {"run": run_id}
    at = page(epochs="9")
    at.session_state[top.MEANWHILE] = run_id
    at.run()
    assert "run" not in parameters_of(at)


def test_a_link_to_no_run_says_so_and_leaves_a_form_to_use(page):
    at = page(run="nosuchrun")
    assert "There is no run nosuchrun" in errors(at)
    assert recipe_of(at) == PRESETS["tiny"].spec


def test_waiting_runs_are_listed_and_can_be_withdrawn(page, the_lab):
    lab.start(PRESETS["tiny"].spec)
    with the_lab._changed:
        assert the_lab._changed.wait_for(lambda: the_lab.running() is not None, PATIENCE_SECONDS)
    waiting = lab.start(PRESETS["dense"].spec)
    at = page()
    assert "1. Dense" in links(at)
    at.button(key=f"withdraw-{waiting}").click().run()
    assert the_lab.queued() == ()
    assert lab.history().card(waiting).status is Status.STOPPED
    assert "1. Dense" not in links(at)


def test_the_waiting_run_that_is_shown_is_marked_in_the_queue(page, the_lab):
    lab.start(PRESETS["tiny"].spec)
    with the_lab._changed:
        assert the_lab._changed.wait_for(lambda: the_lab.running() is not None, PATIENCE_SECONDS)
    lab.start(PRESETS["article"].spec)
    at = page(run=lab.start(PRESETS["dense"].spec))
    assert "1. Article" in links(at)
    assert "2. Dense, shown above" in links(at)


def test_the_session_that_is_named_gets_the_next_runs(page):
    at = page()
    at.text_input(key="session_text").set_value("meetup").run()
    button(at, "Start training").click().run()
    assert lab.history().card(parameters_of(at)["run"]).session == "meetup"


def test_what_stood_in_the_field_before_names_no_session_when_a_timer_sends_it(page, monkeypatch):
    at = page()
    monkeypatch.setattr(live, "sent_by_part", lambda: True)
    at.text_input(key="session_text").set_value("meetup").run()
    button(at, "Start training").click().run()
    assert lab.history().card(parameters_of(at)["run"]).session == lab.SESSION


def test_a_session_without_a_name_is_refused(the_lab):
    at = AppTest.from_string("from cnnlab.ui import top; top.bar()", default_timeout=300).run()
    at.text_input(key="session_text").set_value("   ").run()
    assert "The session has 0 characters" in errors(at)
    assert at.text_input(key="session_text").value == lab.SESSION


# --- how long it may take -------------------------------------------------------------------


def finished(run_id: str, spec, flops: int, rate: float):
    """An earlier run on the CPU, as the history tells of it."""
    timing = Timing(images_per_second=rate)
    facts = ModelFacts(parameters=1, flops_per_image=flops)
    device = {"requested": "cpu", "used": "cpu", "name": "Test CPU"}
    return card(spec, run_id=run_id, model=facts, device=device, timing=timing)


def measured(cards):
    """The summaries of cards, as if they had been measured here."""
    for item in cards:
        lab.history().add_card(item, origin="test")
    return [replace(run, origin=None) for run in lab.history().summaries()]


def test_an_estimate_rests_on_the_rate_of_a_like_run(the_lab):
    spec = PRESETS["article"].spec
    layers = lab.check(spec)
    flops = sum(layer.flops for layer in layers)
    runs = measured([finished("a", spec, flops, rate=1000.0)])
    guess = durations.estimate(spec, layers, 50_000, "cpu", runs)
    assert guess is not None
    passes = models.training_flops_per_image(layers) / flops
    assert guess.seconds == pytest.approx(20 * (42_500 + 7_500 / passes) / 1000)
    assert guess.basis == "one earlier run"


def test_a_device_without_a_like_run_is_said_to_have_none(page):
    said = written(page().caption)
    assert "GPU: Test GPU**: nothing like it was measured here yet" in said


def test_each_device_has_one_line_for_its_time_and_what_pays_there(page, monkeypatch):
    monkeypatch.setattr(plan.sweeps, "gains", lambda: {"cpu": {"one thread": 3.5}})
    at = page()
    lines = [line for item in at.caption for line in written([item]).splitlines()]
    (line,) = (line for line in lines if line.startswith("**CPU: "))
    assert "very roughly" in line
    assert "nothing like it was measured here yet; one thread is about 3.5 times as fast" in line
    assert "Calibrate this machine" in links(at)


def test_runs_of_another_kind_are_no_measure(the_lab):
    spec = PRESETS["article"].spec
    layers = lab.check(spec)
    flops = sum(layer.flops for layer in layers)
    far = finished("far", spec, flops * 1000, rate=1.0)
    stock = finished("stock", change(spec, engine="stock"), flops, rate=1.0)
    dense = finished("dense", PRESETS["dense"].spec, flops, rate=1.0)
    runs = measured([far, stock, dense])
    assert durations.estimate(spec, layers, 50_000, "cpu", runs) is None
    assert durations.estimate(spec, layers, 50_000, "cuda:0", runs) is None


def test_cards_from_elsewhere_are_no_measure_of_this_machine(the_lab):
    spec = PRESETS["article"].spec
    layers = lab.check(spec)
    flops = sum(layer.flops for layer in layers)
    lab.history().add_card(finished("b", spec, flops, 1000.0), origin="upload")
    assert durations.estimate(spec, layers, 50_000, "cpu", lab.history().summaries()) is None
