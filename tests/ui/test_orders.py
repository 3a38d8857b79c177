"""A button that begins something and is pressed again before its browser heard begins it once."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from cnnlab.history import History
from cnnlab.ui import orders
from tests.example_runs import add_run
from tests.quiet_lab import QuietLab, own_history, page


@pytest.fixture(autouse=True)
def quiet(quiet_lab: QuietLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lab that only writes down what it is to train."""

    def submit(spec, *, name, session, part=None, keep=True):
        return own_history().create(spec, name=name, session=session, part=part)

    monkeypatch.setattr(quiet_lab, "submit", submit)


def pressed(app: AppTest, key: str):
    """What a browser sends where it presses a button, and the address that it names."""
    app.button(key=key).click()
    return app._tree.get_widget_states(), dict(app.query_params)


def send(app: AppTest, states, address) -> None:
    app.query_params.clear()
    app.query_params.update(address)
    app._run(states)
    assert not app.exception


def begun() -> list[str]:
    return [run.run_id for run in own_history().summaries(statuses=["queued"])]


@pytest.mark.parametrize("times", [1, 2, 5])
def test_start_begins_one_run_however_often_it_is_pressed(times: int) -> None:
    app = page("train")
    sent = pressed(app, "start")
    for _ in range(times):
        send(app, *sent)
        (run_id,) = begun()
        assert app.query_params["run"] == run_id


def test_who_comes_back_begins_another(quiet_lab: QuietLab) -> None:
    app = page("train")
    address = dict(app.query_params)
    for count in (1, 2):
        send(app, *pressed(app, "start"))
        assert len(begun()) == count
        app.query_params.clear()
        app.query_params.update(address)
        app.run()


def test_who_comes_back_to_a_run_runs_it_again_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its button is in a part of the page, of which a page that is drawn anew tells nothing."""
    history = History()
    run_id = add_run(history)
    history.close()
    app = page("train", run=run_id)
    for count in (1, 2):
        with monkeypatch.context() as patch:
            patch.setattr(orders.live, "sent_by_part", lambda: True)
            send(app, *pressed(app, f"again-{run_id}"))
        assert len(begun()) == count
        app.query_params["run"] = run_id
        app.run()


def test_several_runs_are_queued_once() -> None:
    app = page("train")
    sent = pressed(app, "seeds.queue")
    for _ in range(2):
        send(app, *sent)
        assert len(begun()) == 3
