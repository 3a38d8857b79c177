"""`runs export`, `runs import` and `compare`, as a person types them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnlab import takeaway
from cnnlab.__main__ import main
from cnnlab.commands.cards import FORMATS
from cnnlab.history import History
from cnnlab.report.cards import read_file
from cnnlab.spec import PRESETS, Status, change
from tests.commands.instant_lab import InstantLab
from tests.example_runs import CARD, CPU, add_run

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cnnlab(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command in this process: exit code, stdout, stderr on one line."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cnnlab", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return int(ended.value.code or 0), said.out, " ".join(said.err.split())

    return run


@pytest.fixture
def ids(home: Path) -> list[str]:
    """One spec on the accelerator and on the CPU."""
    history = History()
    return [
        add_run(history, name="quick", device=CARD, step_ms=2),
        add_run(history, name="slow", device=CPU, step_ms=20),
    ]


@pytest.mark.parametrize("kind", ["json", "parquet"])
def test_runs_travel_to_another_lab_and_back(cnnlab, ids, tmp_path, monkeypatch, kind):
    cards = [History().card(run_id) for run_id in ids]
    file = tmp_path / f"meetup.{kind}"
    code, said, _ = cnnlab("runs", "export", *ids, "--format", kind, "-o", file)
    assert (code, said) == (0, f"Wrote 2 runs to {file}.\n")
    assert read_file(file) == cards
    monkeypatch.setenv("CNNLAB_HOME", str(tmp_path / "other"))
    for _ in range(2):  # the second time finds them there
        code, said, _ = cnnlab("runs", "import", file, "--json")
        assert (code, json.loads(said)) == (0, ids)
    history = History()
    assert [history.card(run_id) for run_id in ids] == cards
    assert {run.origin for run in history.summaries()} == {f"imported from meetup.{kind}"}


OF_ONE_RUN = {"script", "notebook", *takeaway.SUFFIXES}


@pytest.mark.parametrize("kind", sorted(set(FORMATS) - OF_ONE_RUN))
def test_every_format_is_written_once_and_again_only_by_force(cnnlab, ids, tmp_path, kind):
    folder = tmp_path / "out"
    folder.mkdir()
    export = ("runs", "export", *ids, "--format", kind, "-o", folder / "report.out")
    code, said, _ = cnnlab(*export)
    written = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert code == 0
    assert all(name in said for name in written)
    code, said, complaint = cnnlab(*export)
    assert (code, said) == (2, "")
    assert "is there already; choose another name, or add --force" in complaint
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == written
    assert cnnlab(*export, "--force")[0] == 0
    assert {path.name for path in folder.iterdir()} == set(written)


def test_a_file_beside_is_not_overwritten_either(cnnlab, ids, tmp_path):
    steps = tmp_path / "runs-steps.csv"
    steps.write_text("mine")
    export = ("runs", "export", ids[0], "--format", "csv", "-o", tmp_path / "runs.csv")
    code, _, complaint = cnnlab(*export)
    assert code == 2
    assert "runs-steps.csv is there already" in complaint
    assert steps.read_text() == "mine"
    assert not (tmp_path / "runs.csv").exists()


def test_a_write_that_fails_leaves_what_was_there(cnnlab, ids, tmp_path, monkeypatch):
    file = tmp_path / "runs.csv"
    file.write_text("before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, _, complaint = cnnlab("runs", "export", *ids, "--format", "csv", "-o", file, "--force")
    assert code == 2
    assert "cannot be written: No space left on device" in complaint
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["runs.csv"]
    assert file.read_text() == "before"


@pytest.mark.parametrize(
    ("output", "complaint"),
    [("nowhere/run.json", "cannot be written"), (".", "is a folder")],
)
def test_a_place_that_cannot_be_written_is_named(cnnlab, ids, tmp_path, output, complaint):
    code, _, said = cnnlab("runs", "export", ids[0], "-o", tmp_path / output)
    assert code == 2
    assert complaint in said


def test_what_is_refused_leaves_the_history_as_it_was(cnnlab, home, tmp_path):
    file = tmp_path / "cards.json"
    for content in ("{", '{"schema": "cnnlab.run/2"}', "[]", "run_id,name\n1,2\n"):
        file.write_text(content)
        code, said, complaint = cnnlab("runs", "import", file)
        assert (code, said) == (2, "")
        assert complaint.startswith("Error: cards.json is refused: ")
    assert History().summaries(include_deleted=True) == []


def test_a_card_that_is_not_over_keeps_all_of_its_file_out(cnnlab, ids, tmp_path, monkeypatch):
    file = tmp_path / "cards.json"
    cnnlab("runs", "export", *ids, "-o", file)
    cards = json.loads(file.read_text())
    cards[1]["status"] = "running"
    file.write_text(json.dumps(cards))
    monkeypatch.setenv("CNNLAB_HOME", str(tmp_path / "other"))
    code, _, complaint = cnnlab("runs", "import", file)
    assert code == 2
    assert "still running" in complaint
    assert History().summaries(include_deleted=True) == []


def test_a_script_comes_with_the_pictures_that_keras_does_not_have(cnnlab, home, tmp_path):
    spec = change(PRESETS["tiny"].spec, train_limit=60)
    run_id = add_run(History(), spec=spec)
    script = tmp_path / "again.py"
    code, said, _ = cnnlab("runs", "export", run_id, "--format", "script", "-o", script)
    assert code == 0
    assert "Beside it: again-data.npz" in said
    assert 'with_name("again-data.npz")' in script.read_text()
    with np.load(tmp_path / "again-data.npz") as data:
        assert data["x_train"].shape == (60, 32, 32, 3)
        assert data["x_train"].dtype == np.uint8
        assert data["y_train"].shape == (60,)


def test_a_script_of_a_keras_data_set_needs_nothing_beside_it(cnnlab, home, tmp_path):
    run_id = add_run(History(), spec=PRESETS["article"].spec)
    script = tmp_path / "again.py"
    assert cnnlab("runs", "export", run_id, "--format", "script", "-o", script)[0] == 0
    assert [path.name for path in tmp_path.glob("again*")] == ["again.py"]
    assert "keras.datasets.cifar100.load_data()" in script.read_text()


def test_a_notebook_comes_with_its_data_and_the_form_of_its_link(cnnlab, home, tmp_path):
    run_id = add_run(History(), spec=change(PRESETS["tiny"].spec, train_limit=60))
    file = tmp_path / "again.ipynb"
    code, said, told = cnnlab("runs", "export", run_id, "--format", "notebook", "-o", file)
    assert code == 0
    assert "Beside it: again-data.npz" in said
    assert "https://colab.research.google.com/github/OWNER/REPOSITORY" in told
    assert json.loads(file.read_text())["nbformat"] == 4
    with np.load(tmp_path / "again-data.npz") as data:
        assert data["x_train"].shape == (60, 32, 32, 3)


@pytest.mark.parametrize("kind", sorted(OF_ONE_RUN))
def test_code_and_networks_are_of_one_run(cnnlab, ids, tmp_path, kind):
    code, _, said = cnnlab("runs", "export", *ids, "--format", kind, "-o", tmp_path / "x.py")
    assert code == 2
    assert "of one run" in said


@pytest.mark.parametrize("kind", sorted(takeaway.SUFFIXES))
def test_a_run_whose_weights_were_not_kept_has_no_network_to_export(cnnlab, ids, tmp_path, kind):
    file = tmp_path / "run.out"
    code, _, said = cnnlab("runs", "export", ids[0], "--format", kind, "-o", file)
    assert code == 2
    assert "was not kept" in said
    assert "train it again" in said
    assert not file.exists()


# --- compare --------------------------------------------------------------------------------


def test_compare_says_who_is_faster_by_how_much_and_what_differs(cnnlab, ids):
    code, said, _ = cnnlab("compare", *ids)
    assert code == 0
    assert said.startswith("The GPU ran 10 times as fast")
    for part in ("Name of the device", "Example GPU", "best_val_accuracy", "12 %"):
        assert part in said
    (speed,) = [line for line in said.splitlines() if " Speed " in line]
    assert "1 ★" in speed
    assert "ms an example" in speed
    assert "Time to accuracy (12 %)" in said


def test_compare_prints_one_document_with_ratios(cnnlab, ids):
    code, said, _ = cnnlab("compare", *ids, "--json")
    found = json.loads(said)
    assert code == 0
    assert found["runs"] == [ids[1], ids[0]]  # the CPU first
    (pair,) = found["pairs"]
    assert pair["reasons"] == []
    assert pair["speed_up"] == pytest.approx(10)
    assert pair["ratios"]["step_ms_median"] == pytest.approx(10)
    assert pair["ratios"]["step_ms_p95"] is None
    assert found["differences"]["device.name"] == {ids[1]: "Example CPU", ids[0]: "Example GPU"}
    assert found["results"][ids[0]]["last"]["epoch"] == 3


def test_where_more_than_the_device_differs_the_number_says_whose_it_is(cnnlab, ids):
    other = change(PRESETS["tiny"].spec, batch_size=64)
    odd = add_run(History(), name="[/bold] odd", spec=other, status=Status.STOPPED)
    found = json.loads(cnnlab("compare", ids[1], odd, "--json")[1])
    (pair,) = found["pairs"]
    assert pair["reasons"] == ["batch size is 32 against 64"]
    assert pair["speed_up"] is None
    speed, accuracy = pair["speed"], pair["accuracy"]
    assert speed["ratio"] == pytest.approx(20 / 12)
    assert speed["low"] <= speed["ratio"] <= speed["high"]
    assert (speed["grade"], speed["differs"]) == ("one thing differs", ["batch_size"])
    assert accuracy["difference"] == 0
    assert accuracy["low"] == pytest.approx(-accuracy["high"])
    assert set(found["ranking"]) == {"speed", "time_to_accuracy", "accuracy", "memory", "energy"}
    assert found["ranking"]["speed"]["best"] == found["take"]["speed"] == odd
    code, said, _ = cnnlab("compare", ids[1], odd)
    assert code == 0
    assert "Batch size 64 ran 1.67 times as fast as batch size 32" in said
    assert "Take for speed “[/bold] odd”" in said


def test_runs_that_did_other_work_have_no_ratio_and_say_why(cnnlab, ids):
    odd = add_run(History(), name="odd", spec=change(PRESETS["tiny"].spec, dataset="mnist"))
    found = json.loads(cnnlab("compare", ids[1], odd, "--json")[1])
    (pair,) = found["pairs"]
    assert pair["speed"]["grade"] == pair["accuracy"]["grade"] == "other work"
    assert pair["speed"]["ratio"] is pair["accuracy"]["difference"] is None
    assert "data set is shapes10 against mnist" in pair["speed"]["why"]
    assert "“odd” did other work" in found["left_out"]


def test_a_ladder_trains_what_lies_between_and_its_factors_multiply(cnnlab, home, monkeypatch):
    monkeypatch.setattr("cnnlab.commands.driving.Lab", InstantLab)
    typed = change(PRESETS["tiny"].spec, engine="stock")
    ends = [
        add_run(History(), name="typed", spec=typed, step_ms=20.0),
        add_run(History(), name="best", spec=change(typed, engine="fast", batch_size=64)),
    ]
    code, said, _ = cnnlab("compare", *ends, "--ladder", "--json")
    found = json.loads(said)
    assert (code, found["runs"]) == (0, ends)
    steps = found["ladder"]["steps"]
    assert [step["change"] for step in steps] == ["engine: stock to fast", "batch size: 32 to 64"]
    assert [step["factor"] for step in steps] == pytest.approx([2, 2])
    assert found["ladder"]["product"] == pytest.approx(found["ladder"]["whole"]["factor"])
    assert len(found["ladder"]["runs"]) == 3
    code, said, _ = cnnlab("compare", *ends, "--ladder")
    assert said.startswith("All changes together: 4 times as fast")
    assert "engine: stock to fast" in said
    assert {run.session for run in History().summaries()} == {"today", "ladder"}


def test_a_ladder_wants_two_runs_or_none_and_the_same_data(cnnlab, ids):
    assert "name two, or none" in cnnlab("compare", ids[0], "--ladder")[2]
    other = add_run(History(), spec=change(PRESETS["tiny"].spec, dataset="mnist"))
    code, _, complaint = cnnlab("compare", ids[0], other, "--ladder")
    assert code == 2
    assert "did other work" in complaint


@pytest.mark.parametrize("pick", [lambda ids: ids[:1], lambda ids: [ids[0], ids[0][:11]]])
def test_compare_wants_two_runs(cnnlab, ids, pick):
    code, said, complaint = cnnlab("compare", *pick(ids), "--json")
    assert (code, said) == (2, "")
    assert "two runs or more" in complaint
