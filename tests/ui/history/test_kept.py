"""The History page says what is kept of what runs learn, by which rule, and sets how much."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from cnnlab import learned
from cnnlab.history import History
from cnnlab.learned import Settings
from tests.example_runs import add_run
from tests.learned import drawn
from tests.quiet_lab import own_history, page, said

pytestmark = pytest.mark.usefixtures("quiet_lab")


@pytest.fixture
def history() -> History:
    return own_history()


def unfolded() -> AppTest:
    app = page("history")
    app.session_state["kept.rule"] = True
    return app.run()


def button(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label)


def test_the_rule_and_the_room_it_takes_are_said(history):
    drawn.write(add_run(history))
    text = said(unfolded(), "markdown")
    assert "films of the oldest runs" in text
    assert f"of {4:,} GB" in text or "4 GB" in text


def test_the_room_can_be_set_and_what_is_beyond_goes_at_once(history, home):
    run_id = add_run(history)
    drawn.write(run_id)
    app = unfolded()
    app.number_input(key="kept.film_mb").set_value(50)
    app.number_input(key="kept.total_mb").set_value(0)
    button(app, "Save").click().run()
    assert learned.settings() == Settings(film_mb=50, total_mb=0)
    assert not learned.kept(run_id)


def test_a_deletion_takes_along_what_was_learnt_and_its_undoing_brings_it_back(history):
    run_id = add_run(history)
    drawn.write(run_id)
    app = page("history", run=run_id)
    button(app, "Delete").click().run()
    assert not learned.kept(run_id)
    button(app, "Undo").click().run()
    assert learned.kept(run_id)
