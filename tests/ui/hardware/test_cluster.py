"""The machines of a cluster on the pages: told, offered, refused; without one, no word of it."""

from __future__ import annotations

import pytest

from cnnlab import checkpoints, cluster
from cnnlab.cluster import MachineFacts
from cnnlab.devices import Hardware
from cnnlab.spec import PRESETS, LabError, Machine, SpecError, Status, change
from cnnlab.ui import lab, machines
from tests.example_runs import CARD, add_run, started
from tests.quiet_lab import QuietLab, own_history, page, said
from tests.ui.hardware.test_page import CARD_HERE, hello
from tests.ui.test_top import chip

HARDWARE = Hardware.model_validate(hello(CARD_HERE))
BOX = MachineFacts(
    name="box", node="ab12", host="there", address="10.0.0.7", hardware=HARDWARE, busy=False
)
OLD = BOX.model_copy(update={"name": "old", "problem": "old has torch 2.1.0; install the same."})


@pytest.fixture
def known(quiet_lab: QuietLab, monkeypatch: pytest.MonkeyPatch) -> QuietLab:
    """A quiet lab that has looked at its cluster."""
    monkeypatch.setenv("CNNLAB_CLUSTER", "ray://there:10001")
    monkeypatch.setattr(cluster, "look", lambda: [BOX, OLD])
    quiet_lab.found = hello()
    machines.outlook().look()
    machines.outlook()._thread.join()
    return quiet_lab


def test_without_a_cluster_no_page_speaks_of_machines(quiet_lab: QuietLab) -> None:
    quiet_lab.found = hello()
    assert "Machines" not in said(page("hardware"), "subheader")
    assert "Where" not in [item.label for item in page("train").selectbox]
    assert machines.names() == ["here"]


def test_every_machine_is_told_with_what_it_has_and_what_is_wrong(known: QuietLab) -> None:
    app = page("hardware")
    assert "Machines" in said(app, "subheader")
    assert "Example GPU" in said(app, "markdown")
    assert "torch 2.9.0" in said(app, "caption")
    assert "old has torch 2.1.0" in said(app, "error")
    assert {"box", "old"} <= set(said(app, "subheader").split("\n"))


def test_a_cluster_that_does_not_answer_says_so(known: QuietLab, monkeypatch) -> None:
    def silent() -> list[MachineFacts]:
        raise LabError("The cluster ray://there:10001 does not answer; look whether it runs.")

    monkeypatch.setattr(cluster, "look", silent)
    app = page("hardware")
    next(item for item in app.button if item.label == "Look again").click().run()
    machines.outlook()._thread.join()
    assert "does not answer" in said(app.run(), "error")


def test_the_form_offers_the_machines_that_work_with_their_devices(known: QuietLab) -> None:
    app = page("train")
    where = next(item for item in app.selectbox if item.label == "Where")
    assert where.options == ["Here", "box: Example GPU"]
    device = next(item for item in app.selectbox if item.label == "Device")
    assert not [option for option in device.options if "GPU" in option]
    where.set_value("box").run()
    device = next(item for item in app.selectbox if item.label == "Device")
    assert "GPU: Example GPU" in device.options
    assert app.query_params["machine"] in ("box", ["box"])


def test_the_gate_refuses_machines_and_devices_that_are_not_there(known: QuietLab) -> None:
    spec = PRESETS["tiny"].spec
    lab.check(change(spec, machine="box", device="cuda:0"))
    for changes, why in (
        ({"machine": "attic"}, "only here, box"),
        ({"machine": "old"}, "can take no run: old has torch 2.1.0"),
        ({"machine": "box", "device": "mps"}, "only auto, cpu, cuda:0 are on box"),
    ):
        with pytest.raises(SpecError, match=why):
            lab.check(change(spec, **changes))


def test_without_a_cluster_a_link_to_a_machine_is_refused_with_the_cure(quiet_lab) -> None:
    with pytest.raises(SpecError, match="CNNLAB_CLUSTER must name one"):
        lab.check(change(PRESETS["tiny"].spec, machine="box"))


def test_history_and_top_line_say_which_machine_trains(known: QuietLab) -> None:
    history = own_history()
    add_run(history, name="done", device=CARD)
    assert "machine" not in page("history").dataframe[0].value.columns
    spec = change(PRESETS["tiny"].spec, machine="box")
    run_id = history.create(spec, name="far", session="today", status=Status.RUNNING)
    event = started(spec, CARD).model_copy(update={"machine": Machine(name="box", node="ab12")})
    history.record(run_id, event)
    known.add(run_id, spec).apply(event)
    assert "box" in set(page("history").dataframe[0].value["machine"])
    found = chip()
    assert found
    assert " on box" in found.label
    history.close()


def test_a_run_that_broke_off_can_go_on_on_another_machine(known: QuietLab, monkeypatch) -> None:
    went_on: list[tuple[str, str | None]] = []
    monkeypatch.setattr(known, "resume", lambda *asked: went_on.append(asked))
    monkeypatch.setattr(checkpoints, "kept", lambda run_id: [2])
    history = own_history()
    run_id = add_run(history, status=Status.INTERRUPTED, epochs=2)
    app = page("train", run=run_id)
    where = next(item for item in app.selectbox if item.label == "Go on")
    where.set_value("box").run()
    next(item for item in app.button if item.label == "Resume").click().run()
    assert went_on == [(run_id, "box")]
    history.close()


def test_a_sweep_on_two_machines_is_one_on_each_side_by_side(known: QuietLab) -> None:
    known.found = hello(CARD_HERE)
    app = page("explore")
    where = next(item for item in app.multiselect if item.label == "Where")
    where.set_value(["here", "box"]).run()
    next(item for item in app.button if item.label == "Start the sweep").click().run()
    assert not app.error, app.error[0].value
    history = own_history()
    records = {one.plan.spec.machine: one for one in history.sweeps.all()}
    assert set(records) == {"here", "box"}
    asked = app.query_params
    assert asked["sweep"] in (records["here"].sweep_id, [records["here"].sweep_id])
    assert asked["against"] in (records["box"].sweep_id, [records["box"].sweep_id])
    history.close()
