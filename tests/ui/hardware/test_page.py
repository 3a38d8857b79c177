"""The Hardware page: what is here, an honest wait, the off-switches."""

from __future__ import annotations

from typing import Any

import pytest

from cnnlab.devices import OFF_SWITCHES, Accelerator, Cpu, Hardware, worker_environment
from cnnlab.runner import process as runner
from cnnlab.spec import LabError
from cnnlab.ui import lab
from tests.quiet_lab import QuietLab, figures, leads, page, said

CPU_HERE = Cpu(
    name="Example CPU",
    physical_cores=4,
    logical_cores=8,
    usable_cores=2.5,
    instruction_sets=("AVX2", "AVX-512"),
    memory_mb=16_000,
    threads=4,
)
CARD_HERE = Accelerator(
    key="cuda:0",
    name="Example GPU",
    kind="cuda",
    memory_mb=6_000,
    driver="555.42",
    compute_capability="8.6",
    power_limit_w=80.0,
)


def hello(*cards: Accelerator) -> dict[str, Any]:
    """What a worker would say."""
    found = Hardware(
        cpu=CPU_HERE,
        accelerators=cards,
        versions={"torch": "2.9.0", "cuda": None},
        platform="Linux",
    )
    return found.model_dump(mode="json")


def test_until_the_worker_has_looked_the_page_says_that_it_waits(quiet_lab: QuietLab) -> None:
    app = page("hardware")
    assert "Looking around" in said(app, "info")
    assert not figures(app)
    quiet_lab.found = hello()
    assert "Looking around" not in said(app.run(), "info")


def test_a_machine_without_accelerator_says_so(quiet_lab: QuietLab) -> None:
    quiet_lab.found = hello()
    app = page("hardware")
    assert "Torch can use none here" in said(app, "markdown")
    assert figures(app)["Usable cores"] == "2.5"
    assert leads(app) == {"to train on, and no accelerator": "2.5 cores"}
    assert figures(app)["Memory"] == "16 GB"
    assert "AVX2, AVX-512" in said(app, "caption")


def test_an_accelerator_is_described(quiet_lab: QuietLab) -> None:
    quiet_lab.found = hello(CARD_HERE)
    app = page("hardware")
    assert "Example GPU" in said(app, "subheader")
    assert leads(app) == {"to train on, and 2.5 cores of a CPU": "1 accelerator"}
    assert "Driver 555.42, compute capability 8.6." in said(app, "caption")
    assert [item.value for item in app.metric if item.label == "Memory"] == ["16 GB", "6 GB"]


def test_what_cannot_be_read_is_a_dash_and_never_nought(quiet_lab: QuietLab) -> None:
    bare = Accelerator(key="mps", name="Example chip", kind="mps")
    quiet_lab.found = hello(bare)
    app = page("hardware")
    assert figures(app)["Power limit"] == "–"
    assert "Driver unknown." in said(app, "caption")


def test_versions_are_listed(quiet_lab: QuietLab) -> None:
    quiet_lab.found = hello()
    table = page("hardware").dataframe[0].value
    assert dict(zip(table["Field"], table["Value"], strict=True)) == {
        "Torch": "2.9.0",
        "CUDA": "–",
        "System": "Linux",
    }


@pytest.mark.usefixtures("quiet_lab")
def test_every_off_switch_stands_there_with_its_code() -> None:
    app = page("hardware")
    assert [item.value for item in app.code] == [way.code for way in OFF_SWITCHES.values()]
    assert all(way.title in said(app, "markdown") for way in OFF_SWITCHES.values())


@pytest.mark.parametrize("way", ["environment", "override", "device"])
def test_a_switch_that_is_tried_leaves_a_new_layer_on_the_cpu(way):
    seen = runner.probe(way, worker_environment(way))
    layer = "new_layer_in_cpu_scope" if way == "device" else "new_layer"
    assert seen["keras"][layer] == "cpu"
    if way != "device":
        assert not any(kind["is_available"] for kind in seen["torch"].values())


@pytest.mark.parametrize(
    ("cards", "kind", "answer"),
    [
        ((), "info", "There is no GPU here to hide. A new layer's weights lie on: cpu"),
        ((CARD_HERE,), "success", "A new layer's weights lie on: cpu"),
    ],
)
def test_trying_a_switch_says_where_a_layer_lies_and_whether_that_proves_anything(
    quiet_lab: QuietLab,
    monkeypatch: pytest.MonkeyPatch,
    cards: tuple[Accelerator, ...],
    kind: str,
    answer: str,
) -> None:
    quiet_lab.found = hello(*cards)
    monkeypatch.setattr(lab, "probe", lambda *_: {"keras": {"new_layer": "cpu"}})
    app = page("hardware")
    app.button(key="try-override").click().run()
    assert answer in said(app, kind)


def test_a_probe_that_fails_is_said_in_a_sentence(monkeypatch):
    monkeypatch.setattr(runner, "PROBE_SECONDS", 0.01)
    with pytest.raises(LabError, match="did not answer"):
        runner.probe("none", {})
