"""The list of compared runs: eye, colour, name, what differs, and the baseline."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest

from cnnlab.history import History
from cnnlab.spec import Part, change
from tests.example_runs import CARD, CPU, TINY, add_run
from tests.quiet_lab import own_history, page, said

pytestmark = pytest.mark.usefixtures("quiet_lab")


@pytest.fixture
def history() -> History:
    return own_history()


@pytest.fixture
def two(history: History) -> tuple[str, str]:
    """A slow run and a fast one with other filters."""
    slow = add_run(history, name="Tiny · slow", device=CPU, step_ms=30.0)
    wide = change(TINY, batch_size=64)
    return slow, add_run(history, name="Tiny · fast", device=CPU, spec=wide, step_ms=10.0)


def compare(*run_ids: str, **more: str) -> AppTest:
    return page("compare", runs=",".join(run_ids), **more)


def drawn(app: AppTest) -> list[str]:
    """The runs that the chart of the accuracy draws."""
    found = (x.proto for x in app.get("vega_lite_chart") if "the accuracy of" in x.proto.alt)
    scale = json.loads(next(found).spec)["layer"][0]["encoding"]["color"]["scale"]
    return scale["domain"]


def listed(app: AppTest) -> list[str]:
    table = next(item.value for item in app.dataframe if "Run" in item.value.columns)
    return list(table["Run"])


def test_an_eye_hides_a_run_from_the_charts_alone_and_the_address_keeps_that(
    two: tuple[str, str],
) -> None:
    app = compare(*two)
    assert drawn(app) == ["slow", "fast"]
    app.button(key=f"compare.eye-{two[0]}").click().run()
    assert drawn(app) == ["fast"]
    assert listed(app) == ["slow", "fast"]
    assert drawn(compare(*two, hide=two[0])) == ["fast"]
    app.button(key=f"compare.eye-{two[0]}").click().run()
    assert drawn(app) == ["slow", "fast"]
    assert "hide" not in app.query_params


def test_with_all_runs_hidden_the_page_says_how_to_bring_them_back(two: tuple[str, str]) -> None:
    assert "All runs are hidden" in said(compare(*two, hide=",".join(two)), "caption")


def test_a_name_is_changed_where_it_stands(history: History, two: tuple[str, str]) -> None:
    app = compare(*two)
    app.text_input(key=f"compare.name-{two[0]}").set_value("Steady").run()
    assert history.card(two[0]).name == "Steady"
    assert listed(app)[0] == "Steady"


def test_a_name_that_is_refused_stays_what_it_was(history: History, two: tuple[str, str]) -> None:
    app = compare(*two)
    app.text_input(key=f"compare.name-{two[0]}").set_value("   ").run()
    assert "The name has 0 characters" in app.toast[0].value
    names = [field.value for field in app.text_input if field.label == "Name of the run"]
    assert names[0] == "Tiny · slow"


def test_a_visitor_may_hide_and_choose_a_baseline_but_rename_nothing(
    two: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlab.ui.rights.may_act", lambda: False)
    app = compare(*two)
    assert app.text_input(key=f"compare.name-{two[0]}").disabled
    assert not app.button(key=f"compare.eye-{two[0]}").disabled
    assert not app.button(key=f"compare.base-{two[1]}").disabled


def test_another_baseline_turns_the_differences_round(two: tuple[str, str]) -> None:
    slow, fast = two
    app = compare(slow, fast)
    assert "3 times as fast as the baseline." in said(app, "caption").replace("\\", "")
    assert "batch 64" in said(app, "caption")
    app.button(key=f"compare.base-{fast}").click().run()
    assert listed(app) == ["fast", "slow"]
    assert "The baseline itself." in said(app, "caption")
    assert "Baseline · batch 64" in said(app, "caption")
    assert app.button(key=f"compare.base-{fast}").disabled
    assert listed(compare(slow, fast, base=fast)) == ["fast", "slow"]


def test_a_row_is_taken_away(two: tuple[str, str]) -> None:
    app = compare(*two)
    app.button(key=f"compare.away-{two[0]}").click().run()
    assert listed(app) == ["Tiny · fast"]


def test_three_answers_stand_on_top_each_with_its_worth(history: History) -> None:
    base = add_run(history, name="base", step_ms=30.0, epochs=3)
    app = compare(
        base,
        add_run(history, name="long", step_ms=30.0, epochs=6),
        add_run(history, name="card", step_ms=3.0, epochs=3, device=CARD),
    )
    assert [item.label for item in app.metric] == ["Most accurate", "Fastest", "Best trade-off"]
    assert app.metric[0].value == "24 %"
    captions = said(app, "caption").replace("\\", "")
    assert "+12.0 points against the baseline (+7.7 to +16.3)." in captions
    assert "10 times as fast as the baseline." in captions


def test_one_run_alone_is_no_answer(history: History) -> None:
    assert not compare(add_run(history)).metric


def test_caveats_are_footnotes_of_the_runs_that_they_are_about(history: History) -> None:
    one, two = (add_run(history, name=name) for name in ("One", "Two"))
    card = history.card(two)
    parts = card.model_copy(update={"run_id": "parts", "timing": card.timing.in_parts((2,))})
    history.add_card(parts, origin="elsewhere")
    app = compare(one, "parts")
    assert listed(app) == ["One", "Two ¹,²"]
    assert "¹ It was resumed after epoch 2." in said(app, "caption")
    assert "² Not measured here: elsewhere." in said(app, "caption").replace("\\", "")


def test_training_curves_are_drawn_on_demand(two: tuple[str, str]) -> None:
    app = compare(*two)
    assert "Training thin" not in said(app, "caption")
    app.session_state["compare.training"] = True
    app.run()
    assert "Training thin, validation strong." in said(app, "caption")


def test_legs_of_one_race_go_by_lane_and_place_and_the_race_is_told_once(history: History) -> None:
    parts = [
        Part(kind="race", group_id="r", group="Tiny", lane_title="stock engine", turn=turn)
        for turn in (0, 1)
    ]
    app = compare(*(add_run(history, name=part.leg_name, part=part) for part in parts))
    assert drawn(app) == listed(app) == ["stock engine, leg 1", "stock engine, leg 2"]
    captions = said(app, "caption")
    assert "Legs of the race “Tiny”" in captions
    assert "Baseline · stock engine, leg 1" in captions
