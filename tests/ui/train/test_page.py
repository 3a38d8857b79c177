"""The Train page: what it shows, what it refuses, and how long it says that it may take."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st

from cnnlab import models
from cnnlab.analysis import durations
from cnnlab.spec import (
    PRESETS,
    LabError,
    ModelFacts,
    RunCard,
    SpecError,
    Status,
    Timing,
    change,
)
from cnnlab.ui import lab, link
from cnnlab.ui.train import plan, recipe
from tests.ui.train.pages import button, errors, links, metric, parameters_of, recipe_of, written

ROOT = Path(__file__).resolve().parents[3]

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
