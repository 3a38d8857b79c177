"""A history of more runs than the table holds: the first of all of them, by whatever is asked."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from cnnlab.history import History
from cnnlab.spec import Part, Status
from cnnlab.ui.history import choice
from tests.example_runs import CARD, add_run
from tests.quiet_lab import own_history, page, said

pytestmark = pytest.mark.usefixtures("quiet_lab")

NAMES = ("fast", "slow", "middle", "newest")


@pytest.fixture
def history(monkeypatch: pytest.MonkeyPatch) -> History:
    monkeypatch.setattr(choice, "MOST_LISTED", 2)
    history = own_history()
    for name, ms in zip(NAMES, (10.0, 40.0, 20.0, 30.0), strict=True):
        add_run(history, name=name, step_ms=ms)
    return history


def names(app: AppTest) -> list[str]:
    return list(app.dataframe[0].value["name"])


def test_the_newest_are_listed_and_the_page_says_of_how_many(history: History) -> None:
    app = page("history")
    assert names(app) == ["newest", "middle"]
    assert "The table holds the first 2 runs in this order at most, of 4" in said(app, "caption")


def test_the_best_of_all_come_first_not_of_those_that_were_listed(history: History) -> None:
    app = page("history")
    app.selectbox(key="history.order").select("Step time").run()
    assert names(app) == ["fast", "middle"]


def test_find_status_and_device_look_through_all(history: History) -> None:
    add_run(history, name="card", device=CARD)
    add_run(history, name="stopped", status=Status.STOPPED)
    for _ in range(2):
        add_run(history, name="newer")
    app = page("history")
    app.text_input(key="history.find").set_value("SLOW tiny").run()
    assert names(app) == ["slow"]
    app.text_input(key="history.find").set_value("").run()
    app.session_state["history.states"] = ["stopped"]
    app.run()
    assert names(app) == ["stopped"]
    app.session_state["history.states"] = []
    app.session_state["history.kinds"] = ["Accelerator"]
    app.run()
    assert names(app) == ["card"]
    app.text_input(key="history.find").set_value("nowhere").run()
    assert "No run fits the filter" in said(app, "info")


def test_a_race_of_which_one_run_is_listed_is_told_whole(history: History) -> None:
    for turn in range(3):
        part = Part(
            kind="race", group_id="r", group="Race", lane=turn % 2, lane_title="A", turn=turn
        )
        add_run(history, part=part)
    assert names(page("history")) == ["Race (3 runs)"]


def test_as_many_as_the_table_holds_are_listed_without_a_word(history: History) -> None:
    choice.MOST_LISTED = len(NAMES)  # the fixture's patch is undone after the test
    app = page("history")
    assert len(names(app)) == len(NAMES)
    assert "The table holds" not in said(app, "caption")
