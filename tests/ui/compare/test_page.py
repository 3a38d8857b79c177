"""The Compare page: empty, two runs, many, unfair ones, links, names that try to be markup."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

from cnnlab import learned
from cnnlab.charts import alt_text
from cnnlab.history import History
from cnnlab.report.cards import to_json
from cnnlab.report.story import verdicts
from cnnlab.spec import Status, change
from tests.example_runs import CARD, CPU, TINY, add_run
from tests.example_sweeps import add_sweep
from tests.learned import drawn
from tests.quiet_lab import QuietLab, own_history, page, said

pytestmark = pytest.mark.usefixtures("quiet_lab")


@pytest.fixture
def history() -> History:
    return own_history()


def compare(*run_ids: str) -> AppTest:
    return page("compare", runs=",".join(run_ids))


def button(app: AppTest, label: str) -> AppTest:
    return next(item for item in app.button if item.label.startswith(label))


def results(app: AppTest) -> pd.DataFrame:
    return next(item.value for item in app.dataframe if "Run" in item.value.columns)


def asked(app: AppTest) -> list[str]:
    found = app.query_params.get("runs", [])
    return (found if isinstance(found, str) else ",".join(found)).split(",") if found else []


def heard(app: AppTest, *kinds: str) -> str:
    """What is said as a reader sees it, without the signs that keep Markdown away."""
    return said(app, *kinds).replace("\\", "")


def charts(app: AppTest) -> list[str]:
    return [item.proto.alt for item in app.get("vega_lite_chart")]


# --- which runs -----------------------------------------------------------------------------


def test_an_empty_page_says_what_will_appear_and_offers_to_train() -> None:
    app = page("compare")
    assert "No runs yet" in said(app, "subheader")
    assert "Runs stand side by side here" in said(app, "markdown")
    assert [item.proto.page for item in app.get("page_link")] == ["train"]


def test_with_runs_but_none_chosen_it_offers_the_newest_of_one_data_set(history: History) -> None:
    old = [add_run(history, name=f"Old {place}") for place in range(4)]
    new = add_run(history, name="New")
    add_run(history, spec=change(TINY, dataset="mnist"), status=Status.FAILED)
    app = page("compare")
    assert "No runs chosen" in said(app, "subheader")
    assert [item.proto.page for item in app.get("page_link")] == ["history"]
    button(app, "Compare the newest 4").click().run()
    assert asked(app) == [new, *old[:0:-1]]


def test_one_run_has_no_newest_to_be_compared_with(history: History) -> None:
    add_run(history)
    assert not [x for x in page("compare").button if x.label.startswith("Compare the newest")]


def test_without_a_curve_learning_by_heart_is_told_and_nothing_drawn(history: History) -> None:
    text = heard(page("compare"), "markdown")
    assert "Train or choose a run: its accuracy in training is drawn here" in text
    assert "training 81.7 %, validation 41.5 %: it has learnt its pictures by heart" in text
    app = compare(add_run(history, epochs=0, status=Status.FAILED))
    assert "Choose a run that has finished an epoch" in said(app, "markdown")
    assert alt_text("gap") not in charts(app)


def test_of_one_epoch_alone_a_sentence_says_all(history: History) -> None:
    app = compare(add_run(history, epochs=1))
    gap = app.selectbox(key="compare.gap")
    for key in (gap.value, "article-gpu-50"):
        gap.set_value(key).run()
        assert "validation" in heard(app, "markdown")
        assert alt_text("gap") not in charts(app)
    gap.set_value("article-gpu-20").run()
    assert alt_text("gap") in charts(app)


def test_chosen_runs_are_in_the_address_and_a_link_chooses_them(history: History) -> None:
    one, two = add_run(history, name="One"), add_run(history, name="Two")
    app = compare(one)
    assert list(results(app)["Run"]) == ["One"]
    app.selectbox(key="compare.add").select_index(0).run()
    assert asked(app) == [one, two]
    assert list(results(app)["Run"]) == ["One", "Two"]
    button(app, "Clear").click().run()
    assert asked(app) == []


def test_an_unknown_id_in_the_link_is_named_and_the_rest_shown(history: History) -> None:
    app = compare("nosuchrun", add_run(history, name="Here"), "**bold**")
    assert r"The link names nosuchrun, \*\*bold\*\*" in said(app, "warning")
    assert list(results(app)["Run"]) == ["Here"]


def test_a_shortened_id_is_enough(history: History) -> None:
    run_id = add_run(history)
    assert button(compare(run_id[:11]), "Take Example away").key == f"compare.away-{run_id}"


def test_a_search_adds_every_run_that_fits(history: History) -> None:
    wide = change(TINY, batch_size=64)
    chosen = add_run(history, name="Chosen")
    found = [add_run(history, name=f"Meetup {place}", spec=wide) for place in range(3)]
    app = compare(chosen)
    app.text_input(key="compare.find").set_value("meetup").run()
    button(app, "Add 3 runs").click().run()
    assert set(asked(app)) == {chosen, *found}


def test_the_session_is_chosen_at_once(history: History) -> None:
    here = [add_run(history), add_run(history)]
    add_run(history, session="meetup")
    add_sweep(history)  # its cells are the session's too, but no runs that somebody made
    app = page("compare")
    assert len(app.selectbox(key="compare.add").options) == 3
    button(app, "All of this session (2)").click().run()
    assert set(asked(app)) == set(here)


def test_names_with_markup_are_text(history: History) -> None:
    name = "**Bold** [link](http://x) <b>"
    one = add_run(history, name=name)
    two = add_run(history, name=name, epochs=0, status=Status.FAILED)
    app = compare(one, two)
    assert r"\*\*Bold\*\* \[link\](http\://x) \<b\>" in said(app, "header")
    assert all("**Bold**" not in str(item.value) for item in app.markdown)
    assert name in results(app)["Run"][0]


# --- who is faster --------------------------------------------------------------------------


def test_two_runs_that_differ_in_device_alone_get_a_speed_up(history: History) -> None:
    slow = add_run(history, name="Slow", device=CPU, step_ms=150.0)
    fast = add_run(history, name="Fast", device=CARD, step_ms=10.0)
    for order in ((slow, fast), (fast, slow)):
        assert heard(compare(*order), "header").startswith("The GPU ran 15 times as fast: ")


def test_two_runs_that_differ_in_several_things_get_the_number_and_all_their_names(
    history: History,
) -> None:
    slow = add_run(history, name="Slow", spec=TINY, device=CPU, step_ms=150.0)
    other = change(TINY, batch_size=64, engine="stock")
    fast = add_run(history, name="Fast", spec=other, device=CARD, step_ms=10.0)
    app = compare(slow, fast)
    assert "“Fast” ran 15 times as fast as “Slow”" in heard(app, "header")
    assert "batch size is 32 against 64" in heard(app, "header")
    assert "engine is fast against stock" in heard(app, "header")
    assert "Several things differ" in said(app)


def test_two_runs_that_did_other_work_get_the_reason_and_no_number(history: History) -> None:
    one = add_run(history, spec=TINY, step_ms=150.0)
    app = compare(one, add_run(history, spec=change(TINY, dataset="mnist"), step_ms=10.0))
    assert "data set is shapes10 against mnist" in heard(app, "warning")
    assert "times as fast" not in said(app)


def test_repeats_give_the_speed_up_its_spread(history: History) -> None:
    slow = [add_run(history, device=CPU, step_ms=ms) for ms in (100.0, 120.0)]
    fast = [add_run(history, device=CARD, step_ms=ms) for ms in (10.0, 12.0)]
    text = heard(compare(*slow, *fast), "header")
    assert text.startswith("The GPU ran 10 times as fast (8.33 to 12)")
    assert "2 runs on the CPU, 2 on the GPU" in text


def test_of_several_runs_one_is_taken_and_each_held_against_the_first(history: History) -> None:
    other = change(TINY, batch_size=64)
    runs = [
        add_run(history, name="A", device=CPU, step_ms=100.0),
        add_run(history, name="B", device=CARD, step_ms=10.0),
        add_run(history, name="C", device=CARD, spec=other, step_ms=5.0),
    ]
    app = compare(*runs)
    assert "The GPU ran 10 times as fast" in said(app, "header")
    assert "Take for speed “C” (2 times as fast as the next)" in heard(app, "markdown")
    assert "A and C: “C” ran 20 times as fast as “A”" in heard(app, "markdown")


def test_pairs_of_the_whole_history_are_found_when_asked_for(history: History) -> None:
    add_run(history, device=CPU, step_ms=100.0)
    add_run(history, device=CARD, step_ms=10.0)
    app = page("compare")
    assert not app.dataframe
    app.session_state["compare.pairs"] = True
    app.run()
    row = app.dataframe[0].value.iloc[0]
    assert (row["Network"], row["Speed-up"]) == ("Tiny", "10 times")


def test_a_history_of_one_kind_of_device_has_no_pairs(history: History) -> None:
    add_run(history)
    assert not any("Every pair" in item.label for item in page("compare").expander)


# --- accuracy against time ------------------------------------------------------------------


def test_several_runs_are_drawn_by_accuracy_and_time_and_one_is_not(history: History) -> None:
    runs = [add_run(history, name=name, epochs=epochs) for epochs, name in enumerate("AB", 2)]
    assert any("accuracy of each run over the time" in text for text in charts(compare(*runs)))
    assert "Accuracy against time" not in said(compare(runs[0]), "markdown")


# --- the networks ---------------------------------------------------------------------------


def test_two_networks_that_differ_are_drawn_over_each_other(history: History) -> None:
    wide = TINY.model.model_copy(update={"dense": (128,)})
    other = TINY.model_copy(update={"model": wide})
    one, two = add_run(history, name="One"), add_run(history, name="Two", spec=other)
    app = compare(one, two)
    assert "The two networks" in said(app, "subheader")
    assert "They differ in 1 layer." in heard(app, "caption")
    assert any("Two networks as blocks" in text for text in charts(app))
    table = next(x.value for x in app.dataframe if "Parameters: One" in x.value.columns)
    assert list(table[table[""] == "differs"]["Layer: Two"]) == ["Dense 128 relu"]


def test_equal_networks_are_not_drawn(history: History) -> None:
    app = compare(add_run(history), add_run(history, spec=change(TINY, batch_size=64)))
    assert "The two networks" not in said(app, "subheader")


# --- the ladder -----------------------------------------------------------------------------


def test_one_click_queues_the_runs_between_and_the_waterfall_grows(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Queued, and trained by nobody.
    monkeypatch.setattr(
        QuietLab, "submit", lambda _, spec, keep, **facts: history.create(spec, **facts)
    )
    slow = add_run(history, name="Slow", spec=change(TINY, engine="stock"), step_ms=20.0)
    fast = add_run(history, name="Fast", spec=change(TINY, batch_size=64), step_ms=5.0)
    app = compare(slow, fast)
    button(app, "Climb from one to the other").click().run()
    assert not app.exception
    rungs = asked(app)
    assert [history.card(rung).name for rung in rungs] == [
        "Rung 0: start",
        "Rung 1: engine: stock to fast",
        "Rung 2: batch size: 32 to 64",
    ]
    assert "3 rungs are not trained yet" in said(app, "caption")
    done = [
        add_run(history, name=f"Rung {place}", spec=history.card(rung).spec, step_ms=ms)
        for place, (rung, ms) in enumerate(zip(rungs, (20.0, 10.0, 5.0), strict=True))
    ]
    app = page("compare", runs=",".join(done), ladder="1")
    assert "All changes together: 4 times as fast" in heard(app, "header")
    assert any("Waterfall" in text for text in charts(app))


def test_a_visitor_may_not_climb(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnlab.ui.rights.may_act", lambda: False)
    one = add_run(history, spec=change(TINY, engine="stock"))
    app = compare(one, add_run(history, spec=change(TINY, batch_size=64)))
    assert button(app, "Climb from one to the other").disabled


def test_no_ladder_is_offered_where_one_thing_differs(history: History) -> None:
    app = compare(add_run(history), add_run(history, spec=change(TINY, batch_size=64)))
    assert not [item for item in app.button if item.label.startswith("Climb")]


# --- curves ---------------------------------------------------------------------------------


def test_steps_are_read_only_where_they_are_drawn(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = add_run(history)
    read: list[str] = []
    steps = History.steps

    def spy(self: History, wanted: str):
        read.append(wanted)
        return steps(self, wanted)

    monkeypatch.setattr(History, "steps", spy)
    app = compare(run_id)
    for axis in ("seconds", "images", "epoch"):
        app.session_state["compare.axis"] = axis
        app.run()
        assert len(charts(app)) == 3  # accuracy, gap, ledger
    assert read == []
    app.session_state["compare.axis"] = "step"
    app.run()
    assert read == [run_id]


def test_energy_is_offered_only_where_it_was_measured(history: History) -> None:
    app = compare(add_run(history))
    app.session_state["compare.axis"] = "joules"  # chosen while other runs were shown
    app.run()
    assert "Energy" not in str(app.button_group(key="compare.axis").proto.options)
    assert any(text.startswith("Line chart of the accuracy") for text in charts(app))


def test_every_quantity_look_and_axis_draws(history: History) -> None:
    app = compare(add_run(history), add_run(history, device=CARD))
    app.session_state["compare.measures"] = ["accuracy", "loss", "step_ms", "gap"]
    app.session_state["compare.smoothing"] = 0.6
    app.session_state["compare.log"] = True
    app.session_state["compare.published"] = True
    app.run()
    assert not app.exception
    assert len(charts(app)) == 7  # the scatter, four quantities, gap and ledger
    app.session_state["compare.small"] = True
    app.run()
    assert not app.exception
    assert len(charts(app)) == 11
    assert all(charts(app))


def drawing(app: AppTest, alt: str) -> dict[str, Any]:
    """The spec of the chart that is described so."""
    found = (x.proto for x in app.get("vega_lite_chart") if x.proto.alt.startswith(alt))
    return json.loads(next(found).spec)


def colours(app: AppTest) -> dict[str, str]:
    """The colour of each run by its name, as the chart of the accuracy has it."""
    curves = drawing(app, "Line chart of the accuracy")
    line = curves["layer"][0]
    scale = line["encoding"]["color"]["scale"]
    return dict(zip(scale["domain"], scale["range"], strict=True))


def test_a_run_has_its_colour_whoever_stands_beside_it_and_whoever_looks(history: History) -> None:
    runs = [add_run(history, name=name) for name in "ABC"]
    whole = colours(compare(*reversed(runs)))
    assert len(set(whole.values())) == 3
    assert colours(compare(*runs)) == whole
    assert colours(compare(*runs[1:])).items() <= whole.items()
    assert whole["C"] in page("history", run=runs[2]).get("vega_lite_chart")[0].proto.spec


def test_a_run_without_an_epoch_is_listed_and_not_drawn(history: History) -> None:
    app = compare(add_run(history, epochs=0, status=Status.FAILED))
    assert "1 run has no finished epoch" in said(app, "caption")
    assert len(results(app)) == 1


# --- results and differences ----------------------------------------------------------------


def test_the_best_of_each_column_bears_a_star(history: History) -> None:
    one = add_run(history, name="One", epochs=3, step_ms=10.0)
    two = add_run(history, name="Two", epochs=4, step_ms=20.0)
    app = compare(one, two)
    table = next(item for item in app.dataframe if "Run" in item.value.columns)
    assert list(table.value["Step (ms)"]) == [10.0, 20.0]
    shown = pa.ipc.open_stream(table.proto.arrow_data.styler.display_values).read_all().to_pandas()
    assert list(shown["Step (ms)"]) == ["10 ★", "20  (2×)"]
    assert list(shown["Best val."]) == ["12 %", "16 % ★  (+4.0)"]
    assert "★" not in "".join(shown["Parameters"])  # both have as many
    assert "★" not in "".join([*shown["Gap"], *shown["Last training"]])  # nothing to be proud of


def test_of_one_kind_of_device_the_page_says_what_the_report_says(history: History) -> None:
    runs = [
        add_run(history, name=name, epochs=3, step_ms=step_ms, spec=spec)
        for name, step_ms, spec in (
            ("One", 10.0, TINY),
            ("Two", 20.0, change(TINY, batch_size=64)),
            ("Three", 30.0, TINY),
        )
    ]
    app = compare(*runs)
    for sentence in verdicts([history.card(run) for run in runs]):
        assert sentence in heard(app, "markdown")
    assert "Times against the baseline: one thing differs." in heard(app, "caption")
    table = next(item for item in app.dataframe if "Run" in item.value.columns)
    shown = pa.ipc.open_stream(table.proto.arrow_data.styler.display_values).read_all().to_pandas()
    assert list(shown["Step (ms)"]) == ["10 ★", "20  (2×)", "30  (3×)"]


def test_runs_of_one_name_are_told_apart_by_what_stands_first(history: History) -> None:
    runs = [add_run(history, name="Tiny", epochs=2) for _ in range(2)]
    app = compare(*runs)
    assert list(results(app)["Run"]) == [f"{run[-4:]} · Tiny" for run in runs]
    gpu = add_run(history, name="Tiny", device=CARD, epochs=2)
    assert list(results(compare(runs[0], gpu))["Run"]) == ["CPU · Tiny", "Accelerator · Tiny"]


def test_a_run_that_was_resumed_lacks_its_whole_fit_and_its_bar_and_says_so(
    history: History,
) -> None:
    whole, parts = (add_run(history, name=name, epochs=3) for name in ("Whole", "Resumed"))
    card = history.card(parts)
    resumed = card.model_copy(update={"run_id": "r", "timing": card.timing.in_parts((2,))})
    history.add_card(resumed, origin="elsewhere")
    app = compare(whole, "r")
    assert "No bar for Resumed" in said(app, "caption")
    table = next(item for item in app.dataframe if "Run" in item.value.columns)
    assert table.proto.placeholder == "–"


def test_only_what_differs_stands_first_and_the_rest_is_folded(history: History) -> None:
    one = add_run(history, name="One")
    two = add_run(history, name="Two", spec=change(TINY, learning_rate=0.01))
    app = compare(one, two)
    fields = next(item.value for item in app.dataframe if "Field" in item.value.columns)
    assert list(fields["Field"]) == ["Learning rate"]
    assert list(fields.columns) == ["Field", "One", "Two"]
    assert any(item.label.startswith("The same in all") for item in app.expander)


def test_two_hundred_runs_are_compared_at_once(history: History) -> None:
    runs = [
        add_run(history, name=f"Run {place}", device=(CPU, CARD)[place % 2], epochs=2)
        for place in range(200)
    ]
    app = compare(*runs)
    assert len(results(app)) == 200
    assert len(charts(app)) == 3  # the scatter, the accuracy, the gap, and no ledger of 200 bars
    assert "200 runs are too many to read at once" in said(app, "caption")
    assert "And 180 more, which are drawn as well" in said(app, "caption")


# --- files ----------------------------------------------------------------------------------


def test_run_cards_from_a_file_are_kept_by_its_name_and_chosen(history: History) -> None:
    run_id = add_run(history, name="Elsewhere")
    file = to_json([history.card(run_id).model_copy(update={"run_id": "other"})]).encode()
    app = page("compare")
    app.file_uploader[0].set_value([("meetup.json", file, "application/json")]).run()
    assert asked(app) == ["other"]
    assert list(results(app)["Run"]) == ["Elsewhere ¹"]
    assert "¹ Not measured here: imported from meetup.json." in heard(app, "caption")
    [brought] = [run for run in history.summaries() if run.run_id == "other"]
    assert brought.origin == "imported from meetup.json"


def test_files_that_a_browser_sends_again_are_taken_in_once(history: History) -> None:
    file = to_json([history.card(add_run(history)).model_copy(update={"run_id": "other"})])
    app = page("compare")
    app.file_uploader[0].set_value([("meetup.json", file.encode(), "application/json")])
    sent = app._tree.get_widget_states()  # what the browser holds
    app._run(sent)
    assert len(app.toast) == 1
    app._run(sent)
    assert not app.exception
    assert not app.toast
    assert len(history.summaries()) == 2


def packed_run(history: History, tmp_path: Path) -> tuple[Any, Any]:
    """A run of another lab: its card, and what it has learnt, as files of an upload."""
    card = history.card(add_run(history)).model_copy(update={"run_id": "other"})
    drawn.write("other")
    learned.pack(["other"], tmp_path / "a-learned.zip")
    learned.discard("other")
    cards = ("a.json", to_json([card]).encode(), "application/json")
    packed = (tmp_path / "a-learned.zip").read_bytes()
    return cards, ("a-learned.zip", packed, "application/zip")


def test_what_runs_have_learnt_comes_along_with_their_cards_or_later(
    history: History, tmp_path: Path
) -> None:
    cards, packed = packed_run(history, tmp_path)
    app = page("compare")
    app.file_uploader[0].set_value([packed]).run()
    assert "None of the runs of a-learned.zip is here\\: bring in their cards" in said(app, "error")
    app.file_uploader[0].set_value([packed, cards]).run()  # in any order
    assert not app.error
    assert asked(app) == ["other"]
    assert learned.open_run("other").frames == (1, 2, 3)
    learned.discard("other")
    app.file_uploader[0].set_value([packed]).run()
    assert not app.error
    assert learned.kept("other")


def test_a_zip_of_anything_else_is_refused_by_name(history: History) -> None:
    app = page("compare")
    app.file_uploader[0].set_value([("a.zip", b"PK nothing", "application/zip")]).run()
    assert "a.zip cannot be taken in" in said(app, "error")


def test_a_file_that_holds_no_run_cards_is_refused_by_name(history: History) -> None:
    app = page("compare")
    app.file_uploader[0].set_value([("notes.json", b"[1]", "application/json")]).run()
    assert "notes.json" in said(app, "error")
    assert not app.file_uploader[0].value  # not as if it had been taken
    assert not history.summaries()
    app.file_uploader[0].set_value([("other.json", b"[2]", "application/json")]).run()
    assert "other.json" in said(app, "error")
    assert "notes.json" not in said(app, "error")


def test_runs_can_be_taken_along(history: History) -> None:
    app = compare(add_run(history))
    labels = [item.proto.label for item in app.get("download_button")]
    assert labels == [
        "Report (HTML)",
        "Run cards (JSON)",
        "Epochs (CSV)",
        "Steps (CSV)",
        "Run cards (Parquet)",
        "Report (Markdown)",
        "Script",
        "Notebook",
    ]


def test_a_file_with_one_bad_card_brings_in_none_of_its_runs(history: History) -> None:
    card = history.card(add_run(history))
    good = card.model_copy(update={"run_id": "good"})
    unkept = card.model_copy(update={"run_id": "unkept", "status": Status.RUNNING})
    file = to_json([good, unkept]).encode()
    app = page("compare")
    app.file_uploader[0].set_value([("two.json", file, "application/json")]).run()
    assert "still running" in said(app, "error")
    assert [run.run_id for run in history.summaries()] == [card.run_id]
