"""Sweeps that train: the form, what is queued, the points and lines, a visitor."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from cnnlab.history import History
from cnnlab.spec import LabError, Part, Status, change
from cnnlab.sweep.variants import parts, variants
from tests.example_runs import TINY, add_run
from tests.quiet_lab import QuietLab, leads, own_history, page, said


@pytest.fixture
def history(quiet_lab: QuietLab) -> History:
    return own_history()


@pytest.fixture
def queued(history: History, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs that are put into the queue, where nobody trains them."""
    found: list[str] = []

    def submit(_: QuietLab, spec: Any, *, keep: bool, **facts: Any) -> str:
        assert not keep  # of so many, what they learn would fill the disk
        found.append(history.create(spec, **facts))
        return found[-1]

    monkeypatch.setattr(QuietLab, "submit", submit)
    return found


def add_trained(history: History, *axes: str, epochs: int = 2) -> list[str]:
    """Write a sweep whose variants were trained, a later one longer; the ids of its runs."""
    found = variants(change(TINY, epochs=epochs), axes)
    return [
        add_run(
            history,
            name=f"Variant {part.turn}",
            spec=variant.spec,
            part=part,
            epochs=epochs,
            step_ms=10.0 + part.turn,
        )
        for variant, part in zip(found, parts(found, "g1", "Sweep: Tiny"), strict=True)
    ]


def training() -> AppTest:
    app = page("explore")
    app.session_state["explore.kind"] = "train"
    return app.run()


def drawings(app: AppTest) -> list[str]:
    return [chart.proto.alt for chart in app.get("vega_lite_chart")]


def labels(app: AppTest) -> list[str]:
    return [item.label for item in app.button]


def test_without_a_sweep_the_page_says_what_comes_and_offers_one_that_can_be_started(
    queued: list[str], history: History
) -> None:
    app = training()
    assert "Each variant of a recipe is trained and becomes a point" in said(app, "markdown")
    assert "6 runs of 5 epochs each" in said(app, "caption")
    app.button(key="trained.start").click().run()
    assert not app.exception
    assert not app.error, app.error[0].value
    cards = [history.card(run_id) for run_id in queued]
    assert [(c.spec.learning_rate, c.spec.batch_size) for c in cards][:3] == [
        (0.0003, 32),
        (0.0003, 128),
        (0.001, 32),
    ]
    assert {card.spec.epochs for card in cards} == {5}
    (part, *_) = [card.part for card in cards]
    assert part
    assert part.kind == "sweep"
    assert app.query_params["sweep"] in (part.group_id, [part.group_id])
    assert "0 of 6 runs trained" in app.get("progress")[0].proto.text


def test_seeds_and_any_field_by_its_dotted_name_are_axes(
    queued: list[str], history: History
) -> None:
    app = training()
    app.selectbox(key="trained.field0").set_value("model.dropout").run()
    app.text_input(key="trained.values0").set_value("0,0.5").run()
    app.selectbox(key="trained.field1").select_index(0).run()
    app.number_input(key="trained.seeds").set_value(3).run()
    assert "6 runs of" in said(app, "caption")
    app.button(key="trained.start").click().run()
    specs = [history.card(run_id).spec for run_id in queued]
    assert [(spec.model.dropout, spec.seed) for spec in specs] == [
        (dropout, seed) for dropout in (0.0, 0.5) for seed in (0, 1, 2)
    ]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ("", "has no values"),
        ("0.1,many", "Learning rate"),
        (",".join(str(n / 1000) for n in range(1, 80)), "at most 100 are queued"),
    ],
)
def test_what_makes_no_variants_is_refused_before_it_is_started(
    queued: list[str], values: str, says: str
) -> None:
    app = training()
    app.text_input(key="trained.values0").set_value(values).run()
    assert says.casefold() in said(app, "error").replace("\\", "").casefold()
    assert app.button(key="trained.start").disabled


def test_a_full_queue_takes_back_what_was_queued_and_says_why(
    history: History, quiet_lab: QuietLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []

    def submit(_: QuietLab, spec: Any, *, keep: bool, **facts: Any) -> str:
        if len(taken) == 2:
            raise LabError("The queue is full; wait.")
        taken.append(history.create(spec, **facts))
        return taken[-1]

    monkeypatch.setattr(QuietLab, "submit", submit)
    app = training()
    app.button(key="trained.start").click().run()
    assert "The queue is full" in said(app, "error")
    assert "sweep" not in app.query_params


def test_trained_variants_are_points_lines_a_map_and_a_table(history: History) -> None:
    add_trained(history, "batch_size=32,64", "learning_rate=0.001,0.01", "seed=0,1")
    app = page("explore", sweep="g1")
    scatter, parallel, heat = drawings(app)
    assert scatter.startswith("Points for the validation accuracy")
    assert parallel.startswith("Parallel coordinates")
    assert heat.startswith("Heat map of the validation accuracy")
    ((says, figure),) = leads(app).items()
    assert says == "the most accurate: batch size 32, learning rate 0.001"
    assert f"{figure} ± " in said(app, "markdown")
    table = app.dataframe[0].value
    assert len(table) == 4
    assert set(table["Runs"]) == {2}
    assert list(table.columns[:2]) == ["Batch size", "Learning rate"]
    assert "Stop" not in labels(app)


def test_three_things_that_vary_make_no_map(history: History) -> None:
    add_trained(history, "batch_size=32,64", "learning_rate=0.001,0.01", "engine=stock,fast")
    assert len(drawings(page("explore", sweep="g1"))) == 2


def test_one_variant_alone_is_drawn_too(history: History) -> None:
    add_trained(history, "batch_size=32")
    app = page("explore", sweep="g1")
    assert len(drawings(app)) == 2
    assert list(leads(app)) == ["the most accurate: every seed"]


def test_a_sweep_under_way_counts_its_runs_once_and_can_be_stopped(
    history: History, quiet_lab: QuietLab
) -> None:
    add_trained(history, "batch_size=32,64")
    part = Part(kind="sweep", group_id="g1", group="Sweep: Tiny", turn=2)
    waits = history.create(change(TINY, batch_size=128), name="Waits", session="s", part=part)
    app = page("explore", sweep="g1")
    assert app.get("progress")[0].proto.text == "2 of 3 runs trained"
    app.button(key="trained-stop").click().run()
    assert quiet_lab.stopped == [waits]


def test_a_sweep_that_broke_off_goes_on_with_what_is_left(
    history: History, quiet_lab: QuietLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    again: list[str] = []
    monkeypatch.setattr(QuietLab, "resume_or_begin", lambda _, run_id: again.append(run_id))
    add_trained(history, "batch_size=32,64")
    endings = (Status.STOPPED, Status.FAILED, Status.INTERRUPTED)
    runs = []
    for turn, ending in enumerate(endings, 2):
        part = Part(kind="sweep", group_id="g1", group="Sweep: Tiny", turn=turn)
        runs.append(history.create(change(TINY, seed=turn), name="Left", session="s", part=part))
        history.mark(runs[-1], ending)
    app = page("explore", sweep="g1")
    app.button(key="trained-go-on").click().run()
    assert again == [runs[0], runs[2]]


def test_a_sweep_that_is_finished_has_nothing_to_go_on_with(history: History) -> None:
    add_trained(history, "batch_size=32,64")
    assert "Go on" not in labels(page("explore", sweep="g1"))


def test_only_what_was_trained_here_goes_on(
    history: History, quiet_lab: QuietLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    again: list[str] = []
    monkeypatch.setattr(QuietLab, "resume_or_begin", lambda _, run_id: again.append(run_id))
    made = add_trained(history, "batch_size=32,64")
    cards = [
        history.card(run_id).model_copy(
            update={"run_id": f"guest{number}", "status": Status.STOPPED, "part": part("g2")}
        )
        for number, run_id in enumerate(made)
    ]
    history.add_cards(cards, origin="cards.json")
    assert "Go on" not in labels(page("explore", sweep="g2"))
    own = history.create(change(TINY, seed=7), name="Own", session="s", part=part("g2"))
    history.mark(own, Status.STOPPED)
    app = page("explore", sweep="g2")
    app.button(key="trained-go-on").click().run()
    assert not app.error
    assert again == [own]


def part(group_id: str) -> Part:
    return Part(kind="sweep", group_id=group_id, group="Sweep: Tiny", turn=2)


def test_a_run_that_never_learnt_is_left_out_and_counted(history: History) -> None:
    add_trained(history, "batch_size=32,64")
    part = Part(kind="sweep", group_id="g1", group="Sweep: Tiny", turn=2)
    add_run(history, spec=TINY, part=part, epochs=0, status=Status.FAILED)
    app = page("explore", sweep="g1")
    assert "1 run ended without an epoch" in said(app, "warning")
    assert len(app.dataframe[0].value) == 2


def test_variants_on_other_data_are_counted_and_not_drawn(history: History) -> None:
    add_trained(history, "dataset=shapes10,mnist")
    app = page("explore", sweep="g1")
    assert "1 run learnt from other data than the first" in said(app, "caption")
    assert len(app.dataframe[0].value) == 1


def test_a_visitor_may_look_and_not_begin(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlab.ui.rights.may_act", lambda: False)
    add_trained(history, "batch_size=32,64")
    app = page("explore", sweep="g1")
    assert app.button(key="trained.start").disabled
    assert len(drawings(app)) == 3


def test_the_history_has_one_row_for_a_sweep_which_leads_to_it(history: History) -> None:
    runs = add_trained(history, "batch_size=32,64")
    app = page("history", run=runs)
    assert list(app.dataframe[0].value["name"]) == ["Sweep: Tiny (2 runs)"]
    links = {item.proto.page: item.proto.query_string for item in app.get("page_link")}
    assert links["explore"] == "sweep=g1"


def test_the_other_kind_of_sweep_is_one_click_away(history: History) -> None:
    add_trained(history, "batch_size=32,64")
    app = page("explore", sweep="g1")
    app.button_group(key="explore.kind").set_value("measure").run()
    assert "sweep" not in app.query_params
    assert "NVIDIA H200 is the faster one" in said(app, "subheader")  # a recorded one
