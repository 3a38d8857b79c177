"""The Train page starts what it shows, once, and tells of runs that wait."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from cnnlab import datasets
from cnnlab.spec import (
    PRESETS,
    Status,
    change,
)
from cnnlab.ui import lab, live, top
from cnnlab.ui.train import start
from tests.patience import PATIENCE_SECONDS
from tests.ui.train.pages import button, errors, links, parameters_of, recipe_of, written

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


def test_who_presses_start_as_another_run_begins_gets_an_own_one(page, the_lab):
    other = lab.start(PRESETS["dense"].spec)
    at = page()
    at.session_state[top.MEANWHILE] = other
    at.button(key=start.START).click().run()
    begun = {run.run_id for run in lab.history().summaries()} - {other}
    assert parameters_of(at) == {"run": begun.pop()}


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
