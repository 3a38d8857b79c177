"""The History page: empty, one run, many, two side by side, and putting in order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from cnnlab.history import History
from cnnlab.spec import Status, change, network_name
from cnnlab.ui import tables
from tests.example_runs import CARD, CPU, TINY, add_run
from tests.example_sweeps import add_sweep
from tests.quiet_lab import leads, own_history, page, said

pytestmark = pytest.mark.usefixtures("quiet_lab")


@pytest.fixture
def history() -> History:
    return own_history()


def button(app: AppTest, label: str) -> AppTest:
    return next(item for item in app.button if item.label == label)


def names(app: AppTest) -> list[str]:
    """The run names in the table."""
    return list(app.dataframe[0].value["name"])


def opened(app: AppTest) -> list[str]:
    found = app.query_params.get("run", [])
    return [found] if isinstance(found, str) else list(found)


def test_an_empty_history_says_what_will_appear_and_offers_to_train() -> None:
    app = page("history")
    assert said(app, "subheader") == "No runs yet"
    assert [item.proto.page for item in app.get("page_link")] == ["train"]
    assert not app.dataframe


def test_one_run_stands_in_the_table_with_its_figures(history: History) -> None:
    add_run(history, name="Mine", device=CARD, step_ms=12.345)
    row = page("history").dataframe[0].value.iloc[0]
    assert row["status"] == "✓ finished"
    assert row["device"] == "Accelerator: Example GPU"
    assert row["network"] == "Tiny"
    assert row["parameters"] == 13_620
    assert row["step_ms_median"] == 12.3
    assert row["best_val_accuracy"] == pytest.approx(0.12)


def test_another_session_is_shown_on_demand(history: History) -> None:
    add_run(history, name="Here")
    add_run(history, name="There", session="meetup")
    app = page("history")
    assert names(app) == ["Here"]
    assert "session" not in app.dataframe[0].value.columns
    app.session_state["history.scope"] = "all"
    app.run()
    assert names(app) == ["There", "Here"]
    assert list(app.dataframe[0].value["session"]) == ["meetup", "today"]


def test_where_nothing_was_run_in_this_session_those_of_others_are_shown(history: History) -> None:
    add_run(history, name="There", session="meetup")
    app = page("history")
    assert names(app) == ["There"]
    app.session_state["history.scope"] = "session"
    assert "No runs yet in the session “today”" in said(app.run(), "subheader")


def test_cells_of_sweeps_are_shown_on_demand(history: History) -> None:
    add_sweep(history)
    add_run(history, name="Mine")
    app = page("history")
    assert names(app) == ["Mine"]
    app.toggle(key="history.cells").set_value(True).run()
    assert names(app) == ["Mine", *["Dense"] * 18]


def test_without_sweeps_no_switch_for_their_cells_is_offered(history: History) -> None:
    add_run(history)
    assert not page("history").toggle


def test_a_run_is_found_by_its_id(history: History) -> None:
    add_run(history, name="Other")
    run_id = add_run(history, name="Mine")
    app = page("history")
    app.text_input(key="history.find").set_value(run_id.upper()).run()
    assert names(app) == ["Mine"]


def test_the_table_is_filtered_by_text_status_and_device(history: History) -> None:
    add_run(history, name="First")
    add_run(history, name="Second", device=CARD)
    add_run(history, name="Third", epochs=0, status=Status.FAILED)
    app = page("history")
    assert names(app) == ["Third", "Second", "First"]
    app.text_input(key="history.find").set_value("gpu SEC").run()
    assert names(app) == ["Second"]
    app.text_input(key="history.find").set_value("").run()
    app.session_state["history.states"] = ["failed"]
    app.run()
    assert names(app) == ["Third"]
    app.session_state["history.kinds"] = ["Accelerator"]
    app.run()
    assert "No run fits the filter" in said(app, "info")
    assert "Click a run" not in said(app, "caption")


def test_what_all_runs_share_is_no_filter(history: History) -> None:
    add_run(history, name="First")
    assert not {"Status", "Device"} & {item.label for item in page("history").button_group}
    add_run(history, name="Second", device=CARD)
    assert "Device" in {item.label for item in page("history").button_group}


def test_the_most_accurate_run_leads_until_one_is_opened(history: History) -> None:
    short = add_run(history, name="Short", epochs=2)
    add_run(history, name="Long", epochs=5)
    add_run(history, name="Other data", epochs=9, spec=change(TINY, dataset="mnist"))
    add_run(history, name="Nothing learnt", epochs=0, status=Status.FAILED)
    ((says, figure),) = leads(page("history")).items()
    assert figure == "20 %"
    assert says.startswith("validation accuracy, the best of 2 on ")
    assert says.endswith(": Long")
    assert "validation accuracy, the best" not in str(leads(page("history", run=short)))


def test_a_link_opens_its_run_and_ticks_it(history: History) -> None:
    first = add_run(history, name="First")
    add_run(history, name="Second")
    app = page("history", run=first)
    assert "First" in said(app, "subheader")
    assert json.loads(app.dataframe[0].proto.selection_default)["selection"]["rows"] == [1]


def test_the_best_come_first_by_whatever_the_runs_are_ordered_by(history: History) -> None:
    for name, ms in (("Middle", 20.0), ("Fast", 10.0), ("Slow", 30.0)):
        add_run(history, name=name, step_ms=ms)
    app = page("history")
    assert list(app.dataframe[0].value["name"]) == ["Slow", "Fast", "Middle"]  # the newest first
    app.selectbox(key="history.order").select("Step time").run()
    assert list(app.dataframe[0].value["name"]) == ["Fast", "Middle", "Slow"]


def test_a_run_that_stopped_early_is_listed_with_what_it_reached(history: History) -> None:
    add_run(history, epochs=2, status=Status.STOPPED)
    row = page("history").dataframe[0].value.iloc[0]
    assert row["status"] == "■ stopped"
    assert row["last_val_accuracy"] == pytest.approx(0.08)


def test_a_run_that_ended_without_an_epoch_says_what_it_lacks(history: History) -> None:
    app = page("history", run=add_run(history, epochs=0, status=Status.STOPPED))
    assert "before its first epoch ended, so there is nothing to resume" in said(app, "warning")
    assert "Resume" not in [item.label for item in app.button]
    failed = history.create(TINY, name="Failed", session="today")
    history.mark(failed, Status.FAILED, "The data are gone.")
    assert "Asked for any device; none was used." in said(page("history", run=failed), "caption")


def test_a_link_to_no_run_leads_to_all_of_them() -> None:
    app = page("train", run="nonsense")
    assert "choose one from the history" in said(app, "error")
    assert ("history", "All runs") in [
        (link.proto.page, link.proto.label) for link in app.get("page_link")
    ]


def test_a_thousand_runs_are_listed(history: History) -> None:
    for number in range(1000):
        history.create(TINY, name=f"Run {number}", session="today")
    assert len(page("history").dataframe[0].value) == 1000


# --- the table's columns --------------------------------------------------------------------


def shown(app: AppTest) -> list[str]:
    """The columns that are shown until others are asked for."""
    return list(app.dataframe[0].proto.column_order)


def test_a_row_tells_a_run_apart_by_colour_curve_and_recipe(history: History) -> None:
    add_run(history, spec=change(TINY, batch_size=64, engine="stock"), epochs=3)
    row = page("history").dataframe[0].value.iloc[0]
    assert row["colour"].startswith("data:image/svg+xml;base64,")
    assert list(row["curve"]) == pytest.approx([0.04, 0.08, 0.12])
    assert (row["epochs_done"], row["batch_size"], row["engine"]) == (3, 64, "stock")
    assert row["disturbed"] == ""


def test_a_long_curve_is_thinned_and_ends_where_the_run_did(history: History) -> None:
    add_run(history, epochs=70)
    curve = page("history").dataframe[0].value.iloc[0]["curve"]
    assert len(curve) <= 30
    assert curve[-1] == pytest.approx(2.8)


def test_a_run_without_an_epoch_has_an_empty_curve(history: History) -> None:
    add_run(history, epochs=0, status=Status.FAILED)
    assert list(page("history").dataframe[0].value.iloc[0]["curve"]) == []


def test_what_disturbed_a_run_is_a_mark_in_its_row(history: History) -> None:
    card = history.card(add_run(history))
    parts = card.model_copy(update={"run_id": "parts", "timing": card.timing.in_parts((2,))})
    history.add_card(parts, origin="elsewhere")
    table = page("history").dataframe[0].value
    assert sorted(table["disturbed"]) == ["", "≈"]


def test_what_all_rows_share_and_what_is_rarely_asked_for_is_hidden(history: History) -> None:
    add_run(history)
    app = page("history")
    assert "dataset" not in shown(app)
    assert "parameters" not in shown(app)
    assert "parameters" in app.dataframe[0].value.columns
    assert len(shown(app)) == 12
    add_run(history, spec=change(TINY, dataset="mnist"))
    assert "dataset" in shown(page("history"))


# --- high scores ----------------------------------------------------------------------------


def test_an_empty_board_says_what_will_stand_there() -> None:
    app = page("history", board="1")
    assert "No scores yet" in said(app, "subheader")
    assert [item.proto.page for item in app.get("page_link")] == ["train"]


def test_the_board_has_the_best_by_data_set_of_all_sessions(history: History) -> None:
    add_run(history, name="Good", epochs=5, session="meetup")
    add_run(history, name="Quick", step_ms=2.0)
    app = page("history")
    app = switch(app).set_value("board").run()
    assert "board" in app.query_params
    assert said(app, "subheader").endswith("· 2 runs")
    assert "1 · **20 %**" in said(app, "markdown")
    assert "5 epochs in" in said(app, "caption")
    [best] = [item for item in app.button if item.label == "Good"][:1]
    best.click().run()
    assert len(opened(app)) == 1
    assert "Good" in said(app, "subheader")
    assert switch(app).value == "runs"


def test_runs_or_scores_is_a_choice_that_any_drawing_of_the_page_tells_whole() -> None:
    chosen = {"runs": page("history"), "board": page("history", board="1")}
    for place, (name, app) in enumerate(chosen.items()):
        for again in (app, app.run()):
            assert switch(again).value == name
            assert list(switch(again).proto.default) == [place]


def test_which_sessions_are_shown_is_kept_while_the_scores_are_looked_at(history: History) -> None:
    add_run(history, name="There", session="meetup")
    app = page("history")
    scope = app.button_group(key="history.scope")
    app = scope.set_value("all").run()
    app = switch(app).set_value("board").run()
    app = switch(app).set_value("runs").run()
    assert names(app) == ["There"]


def switch(app: AppTest) -> Any:
    """Between the runs and the best of them."""
    return next(item for item in app.button_group if item.label == "What to see")


# --- several runs ---------------------------------------------------------------------------


def test_two_comparable_runs_get_a_verdict(history: History) -> None:
    slow = add_run(history, name="Slow", device=CPU, step_ms=150.0)
    fast = add_run(history, name="Fast", device=CARD, step_ms=10.0)
    for order in ([slow, fast], [fast, slow]):
        app = page("history", run=order)
        assert said(app, "header").startswith("The GPU ran 15 times as fast")


def test_two_runs_that_differ_in_more_than_their_device_get_a_verdict_too(history: History) -> None:
    one = add_run(history, name="One", spec=TINY)
    two = add_run(history, name="Two", spec=change(TINY, batch_size=64))
    app = page("history", run=[one, two])
    assert said(app, "header").startswith(r"About equally fast\: batch size 32 at ")


def test_a_run_that_never_learnt_stands_beside_one_that_did(history: History) -> None:
    one = add_run(history, name="One")
    two = add_run(history, name="Two", epochs=0, status=Status.FAILED)
    app = page("history", run=[one, two])
    assert "(by their median steps)" in said(app, "header")


def test_several_runs_lead_to_their_comparison(history: History) -> None:
    runs = [add_run(history) for _ in range(3)]
    [link] = page("history", run=runs).get("page_link")
    assert (link.proto.page, link.proto.label) == ("compare", "Compare these 3 runs")
    assert link.proto.query_string == "runs=" + "%2C".join(runs)


# --- putting in order -----------------------------------------------------------------------


def test_a_run_gets_another_name_and_a_note(history: History) -> None:
    run_id = add_run(history, name="Old")
    app = page("history", run=run_id)
    app.text_input(key=f"name-{run_id}").set_value("New")
    app.text_area(key=f"note-{run_id}").set_value("With the window open")
    button(app, "Save").click().run()
    card = history.card(run_id)
    assert (card.name, card.note) == ("New", "With the window open")
    assert "New" in said(app, "subheader")


def test_a_name_that_is_refused_says_why_and_changes_nothing(history: History) -> None:
    run_id = add_run(history, name="Old")
    app = page("history", run=run_id)
    app.text_input(key=f"name-{run_id}").set_value("   ")
    button(app, "Save").click().run()
    assert "The name has 0 characters" in app.toast[0].value
    assert history.card(run_id).name == "Old"


def test_runs_move_to_another_session(history: History) -> None:
    add_run(history, session="meetup")
    runs = [add_run(history), add_run(history)]
    app = page("history", run=runs)
    app.selectbox(key="history.target").select("meetup")
    button(app, "Move").click().run()
    assert {history.card(run_id).session for run_id in runs} == {"meetup"}


def test_a_deleted_run_comes_back(history: History) -> None:
    run_id = add_run(history, name="Gone")
    app = page("history", run=run_id)
    button(app, "Delete").click().run()
    assert history.summaries() == []
    assert opened(app) == []
    assert "The run is deleted" in said(app, "markdown")
    button(app, "Undo").click().run()
    assert names(app) == ["Gone"]
    assert opened(app) == [run_id]
    assert "deleted" not in said(app, "markdown")


def test_a_link_to_a_deleted_run_offers_only_to_undo_that(history: History) -> None:
    run_id = add_run(history, name="Gone")
    history.delete(run_id)
    app = page("history", run=run_id)
    assert "The run is deleted" in said(app, "markdown")
    assert "Gone" not in said(app)
    assert "Delete" not in [item.label for item in app.button]
    button(app, "Dismiss").click().run()
    assert opened(app) == []
    app = page("history", run=run_id)
    button(app, "Undo").click().run()
    assert names(app) == ["Gone"]
    assert opened(app) == [run_id]


def test_a_deleted_run_is_not_shown_on_any_page(history: History) -> None:
    run_id = add_run(history, name="Gone")
    history.delete(run_id)
    app = page("train", run=run_id)
    assert f"The run {run_id} is deleted" in said(app, "error")
    assert "Compare it" not in [item.proto.label for item in app.get("page_link")]
    assert f"The run {run_id} is deleted" in said(page("race", runs=run_id), "error")
    assert run_id in said(page("compare", runs=run_id), "warning")


def test_a_running_run_is_not_deleted(history: History) -> None:
    run_id = history.create(TINY, name="Busy", session="today")
    history.mark(run_id, Status.RUNNING)
    app = page("history", run=run_id)
    button(app, "Delete").click().run()
    assert "stop it before you delete it" in app.toast[0].value
    assert len(history.summaries()) == 1


def test_closing_a_run_leaves_the_table(history: History) -> None:
    app = page("history", run=add_run(history))
    button(app, "Close").click().run()
    assert opened(app) == []
    assert "Click a run" in said(app, "caption")


# --- the words ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (12.4, "12 s"), (253, "4 min 10 s"), (4321, "1 h 12 min")],
)
def test_a_guess_at_a_duration_is_no_finer_than_a_guess(seconds: float, words: str) -> None:
    assert tables.about(seconds) == words


def test_a_network_is_its_preset_or_its_layers() -> None:
    wide = change(TINY, model={**TINY.model.model_dump(mode="json"), "dense": [64, 32]})
    rnn = change(TINY, model={"family": "rnn", "cell": "gru", "recurrent": [64, 32]})
    dense = change(TINY, model={"family": "dense", "dense": [50]})
    assert network_name(TINY.model) == "Tiny"
    assert network_name(wide.model) == "CNN 16 – 32, dense 64-32"
    assert network_name(rnn.model) == "GRU 64-32"
    assert network_name(dense.model) == "Dense 50"
