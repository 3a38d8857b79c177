"""The Learn page: a guess, the runs, the answer."""

from __future__ import annotations

import pytest

from cnnlab.lessons import LESSONS
from cnnlab.spec import Status
from cnnlab.ui import lab, top
from tests.example_runs import CPU, add_run
from tests.quiet_lab import arriving, leads, own_history, page, said


def runs_of(name: str, status: Status = Status.FINISHED) -> str:
    """Its runs in the history; their ids as the address names them."""
    history = own_history()
    return ",".join(
        add_run(history, spec=spec, device=CPU, epochs=spec.epochs, status=status)
        for spec in LESSONS[name].runs.values()
    )


def test_the_first_lesson_asks_for_a_guess_and_offers_to_train(quiet_lab):
    app = page("learn")
    assert LESSONS["step"].question in said(app)
    assert app.button(key="lesson-start").label == "Train it and see"
    assert not leads(app)


def test_a_lesson_queues_its_runs_and_puts_them_into_the_address(quiet_lab, monkeypatch):
    begun = []
    monkeypatch.setattr(
        quiet_lab,
        "submit",
        lambda spec, *, name, session: (
            begun.append(name) or own_history().create(spec, name=name, session=session)
        ),
    )
    app = page("learn", lesson="filter")
    app.button(key="lesson-start").click().run()
    assert begun == [f"What one more filter costs: {title}" for title in LESSONS["filter"].runs]
    assert len(app.query_params["runs"].split(",")) == 2
    assert "Run 1 of 2: 8 filters" in said(app)


@pytest.mark.parametrize("name", list(LESSONS))
def test_an_answer_stands_beside_its_figure_and_leads_on(quiet_lab, name):
    app = page("learn", lesson=name, runs=runs_of(name))
    app.run()  # as often as a browser likes
    assert app.radio(key="lesson").value == name
    (figure,) = leads(app).values()
    assert any(sign.isdigit() for sign in figure)
    (drawing,) = app.get("vega_lite_chart")
    assert all(title in drawing.proto.spec for title in LESSONS[name].runs)
    app.button(key="lesson-next").click().run()
    following = [*LESSONS, next(iter(LESSONS))][list(LESSONS).index(name) + 1]
    assert LESSONS[following].question in said(app)
    assert "runs" not in app.query_params


def test_the_address_says_which_lesson_it_is_whatever_a_browser_had_chosen_before(quiet_lab):
    app = arriving("learn")
    app.session_state[top.THROUGH_APP] = True
    app.session_state["lesson"] = "step"
    app.query_params["lesson"] = "filter"
    app.run()
    assert LESSONS["filter"].question in said(app)
    assert app.radio[0].value == "filter"


def test_a_lesson_shows_what_it_trains_before_it_does(quiet_lab):
    assert len(page("learn", lesson="step").get("vega_lite_chart")) == 1
    assert len(page("learn", lesson="filter").get("vega_lite_chart")) == 2


@pytest.mark.parametrize(("guess", "says"), [("54", "right"), ("1,700", "the runs say 54")])
def test_a_guess_is_held_against_the_runs_and_the_lesson_is_counted(quiet_lab, guess, says):
    app = page("learn", lesson="step")
    app.button_group(key="guess-step").set_value(guess).run()
    app.query_params["runs"] = runs_of("step")
    app.run()
    assert says in said(app, "markdown").replace("\\", "")
    app.button(key="lesson-next").click().run()
    assert "1 of 5 answered" in said(app, "caption")


def test_a_run_that_was_stopped_says_so_and_can_be_begun_anew(quiet_lab):
    app = page("learn", lesson="step", runs=runs_of("step", Status.STOPPED))
    assert said(app, "warning")
    assert app.button(key="lesson-start")


def test_a_link_to_runs_that_are_gone_offers_new_ones(quiet_lab):
    app = page("learn", lesson="step", runs="nosuchrun")
    assert "There is no run nosuchrun" in said(app, "error")
    assert app.button(key="lesson-start")


def test_who_only_watches_cannot_begin_one(quiet_lab, monkeypatch):
    monkeypatch.setattr("cnnlab.ui.rights.may_act", lambda: False)
    app = page("learn")
    assert app.button(key="lesson-start").disabled
    assert lab.history().summaries() == []
