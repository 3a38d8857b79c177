"""A run's page: where a step's time goes, what bounds it, and the cures that are tried there."""

import pytest

from cnnlab.history import History
from cnnlab.models import layer_table
from cnnlab.runner import Errand
from cnnlab.spec import PRESETS
from cnnlab.ui import network
from tests.example_profiles import DENSE, TRIAL
from tests.example_runs import CARD, CPU, add_run
from tests.quiet_lab import own_history, page, said

pytestmark = pytest.mark.usefixtures("quiet_lab")

SPEC = PRESETS["dense"].spec


class QuietErrands:
    """Errands that stay where they are put."""

    def __init__(self, *_):
        self.asked = []
        self.failures = {}

    def ask(self, errand):
        self.asked.append(errand)

    def open_for(self, run_id):
        return tuple(errand for errand in self.asked if errand.run_id == run_id)

    def cancel(self, run_id):
        self.asked = [errand for errand in self.asked if errand.run_id != run_id]

    def failed(self, run_id):
        return self.failures.get(run_id)

    def close(self):
        pass


@pytest.fixture(autouse=True)
def errands(monkeypatch) -> QuietErrands:
    quiet = QuietErrands()
    monkeypatch.setattr("cnnlab.ui.lab.Errands", lambda *_: quiet)
    return quiet


@pytest.fixture
def history() -> History:
    return own_history()


@pytest.fixture
def run_id(history) -> str:
    return add_run(history, name="Mine", spec=SPEC, device=CPU)


def buttons(app):
    return {button.label: button for button in app.button}


def charts(app):
    return [chart.proto.alt.split(".")[0] for chart in app.get("vega_lite_chart")]


def test_a_run_without_a_profile_offers_to_take_one(run_id, errands):
    app = page("history", run=run_id)
    assert "Where a step's time goes" in said(app)
    buttons(app)["Take a step apart"].click().run()
    assert [(one.run_id, one.change) for one in errands.asked] == [(run_id, None)]


def test_what_is_under_way_is_said_and_cannot_be_asked_for_twice(run_id, errands):
    errands.ask(Errand(run_id, SPEC, "Taking a step apart"))
    errands.ask(Errand(run_id, SPEC, "Trying batch size 256", {"batch_size": 256}))
    app = page("history", run=run_id)
    assert "Taking a step apart, 1 more to come" in said(app, "info")
    assert buttons(app)["Take a step apart"].disabled


def test_what_is_under_way_can_be_called_off_from_the_page(run_id, errands):
    errands.ask(Errand(run_id, SPEC, "Taking a step apart"))
    errands.ask(Errand("another", SPEC, "Taking a step apart"))
    app = page("history", run=run_id)
    app.button(key=f"call-off-{run_id}").click().run()
    assert [errand.run_id for errand in errands.asked] == ["another"]
    assert not buttons(app)["Take a step apart"].disabled
    assert "Cancel" not in buttons(app)


def test_why_it_came_to_nothing_is_said(run_id, errands):
    errands.failures[run_id] = "The memory is full: use a smaller batch."
    assert "The memory is full" in said(page("history", run=run_id), "error")


def test_a_profile_is_drawn_on_the_network_as_bars_and_beneath_roofs(history, run_id):
    history.keep_profile(run_id, DENSE)
    app = page("history", run=run_id)
    assert "% of this step is overhead" in said(app, "markdown")
    drawn = charts(app)
    assert any(alt.startswith("The network as blocks") for alt in drawn)
    assert any(alt.startswith("Stacked bars of the milliseconds") for alt in drawn)
    assert any(alt.startswith("Operations a second") for alt in drawn)
    assert "The marks added 0.02 ms to a step (2 %)" in said(app, "caption")


def test_without_ceilings_there_is_no_roof_and_the_page_says_so(history, run_id):
    history.keep_profile(run_id, DENSE.model_copy(update={"ceilings": None}))
    app = page("history", run=run_id)
    assert not any(alt.startswith("Operations a second") for alt in charts(app))
    assert "The ceilings of the device are not known" in said(app, "caption")


def test_one_click_tries_a_cure_and_its_result_is_told(history, run_id, errands):
    history.keep_profile(run_id, DENSE)
    app = page("history", run=run_id)
    buttons(app)["Try it"]
    first = next(button for button in app.button if button.key == f"cure-{run_id}-0")
    first.click().run()
    (errand,) = errands.asked
    assert set(errand.change) == {"batch_size"}
    assert errand.what == f"Trying batch size {errand.change['batch_size']}"
    errands.asked.clear()
    nothing = {"change": dict(errand.change), "outcome": "nothing", "ratio": 1.0}
    history.add_trial(run_id, TRIAL.model_copy(update=nothing))
    assert "brings nothing" in said(page("history", run=run_id))


def test_two_runs_of_one_network_stand_side_by_side(history, run_id):
    other = add_run(history, name="Theirs", spec=SPEC, device=CARD)
    history.keep_profile(run_id, DENSE)
    key = f"beside-{run_id}"
    assert key not in {box.key for box in page("history", run=run_id).selectbox}
    history.keep_profile(other, DENSE.model_copy(update={"step_ms": 2.0}))
    app = page("history", run=run_id)
    assert len(networks(app)) == 1
    app.selectbox(key=key).set_value(other).run()
    assert len(networks(app)) == 2
    assert "2 ms a step" in said(app, "caption")


def networks(app):
    return [alt for alt in charts(app) if alt.startswith("The network as blocks")]


def test_a_run_from_elsewhere_shows_its_profile_and_tries_nothing(history, run_id):
    history.keep_profile(run_id, DENSE)
    card = history.card(run_id).model_copy(update={"run_id": "theirs"})
    history.add_card(card, origin="imported from a file")
    app = page("history", run="theirs")
    assert "% of this step is overhead" in said(app, "markdown")
    assert all(button.disabled for button in app.button if button.label.startswith("Try"))
    bare = card.model_copy(update={"run_id": "bare", "profile": None})
    history.add_card(bare, origin="imported from a file")
    assert "brought no profile" in said(page("history", run="bare"), "caption")


def test_the_time_of_a_layer_without_a_block_is_that_of_the_block_before_it():
    layers = layer_table(SPEC.model, (28, 28, 1), 10)
    frame = network.timed_frame(layers, [0.5, 2.0, 1.0, 0.5], most_ms=2.0)
    assert list(frame["level"]) == [0.25, 1.0, 0.5, 0.25]
    assert list(frame["time"]) == ["0.5 ms", "2 ms", "1 ms", "0.5 ms"]
    assert list(frame["share"])[1] == "50 %"
