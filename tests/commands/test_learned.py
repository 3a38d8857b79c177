"""What runs have learnt goes with them: out of one lab, into another, and away."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cnnlab import learned, takeaway
from cnnlab.__main__ import cli
from cnnlab.history import History
from cnnlab.spec import LabError, Status
from tests.example_runs import add_run
from tests.learned import drawn


def command(*arguments: object) -> Result:
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture
def run_id() -> str:
    """A run that has learnt something."""
    run_id = add_run(History())
    drawn.write(run_id)
    return run_id


@pytest.mark.parametrize("form", ["json", "parquet"])
def test_what_was_learnt_goes_from_lab_to_lab(run_id, form, tmp_path, monkeypatch):
    file = tmp_path / f"runs.{form}"
    out = command("runs", "export", run_id, "--format", form, "-o", file).output
    assert "Beside it: runs-learned.zip" in out
    frames = learned.open_run(run_id).frames
    monkeypatch.setenv("CNNLAB_HOME", str(tmp_path / "other"))
    assert command("runs", "import", file).exit_code == 0
    assert learned.open_run(run_id).frames == frames
    assert command("runs", "import", file).exit_code == 0  # once more changes nothing


def test_nothing_lies_beside_a_run_that_kept_nothing_or_a_form_that_is_not_read(run_id, tmp_path):
    bare = add_run(History())
    assert "Beside" not in command("runs", "export", bare, "-o", tmp_path / "a.json").output
    command("runs", "export", run_id, "--format", "markdown", "-o", tmp_path / "b.md")
    assert not list(tmp_path.glob("*-learned.zip"))


def test_what_is_there_is_not_written_over(run_id, tmp_path):
    beside = tmp_path / "a-learned.zip"
    beside.write_text("mine")
    with pytest.raises(LabError, match="is there already"):
        command("runs", "export", run_id, "-o", tmp_path / "a.json")
    assert beside.read_text() == "mine"
    assert not (tmp_path / "a.json").exists()
    command("runs", "export", run_id, "-o", tmp_path / "a.json", "--force")
    assert beside.read_bytes()[:2] == b"PK"


def test_a_damaged_file_is_told_and_the_runs_are_there(run_id, tmp_path, monkeypatch):
    file = tmp_path / "a.json"
    command("runs", "export", run_id, "-o", file)
    Path(tmp_path / "a-learned.zip").write_bytes(b"PK nothing")
    monkeypatch.setenv("CNNLAB_HOME", str(tmp_path / "other"))
    with pytest.raises(LabError, match="The runs are taken in, but not what they have learnt"):
        command("runs", "import", file)
    assert [run.run_id for run in History().summaries()] == [run_id]


def test_a_deleted_run_takes_it_along(run_id, tmp_path):
    file = tmp_path / "a.json"
    command("runs", "export", run_id, "-o", file)
    command("runs", "delete", run_id)
    assert not learned.kept(run_id)
    command("runs", "import", file)  # which brings the run back
    assert learned.kept(run_id)


# --- the network ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "the final weights, those after epoch 3"),
        (("--weights", "final"), "the final weights, those after epoch 3"),
        (("--weights", "best"), "the best weights, those after epoch 2"),
    ],
)
def test_the_weights_of_the_end_or_of_the_best_epoch_are_exported(
    options, told, tmp_path, monkeypatch
):
    run_id = add_run(History())
    drawn.write(run_id, 3, (0.5, 0.9, 0.7))
    monkeypatch.setattr(takeaway, "make", lambda about, form: f"{about.weights} {form}".encode())
    file = tmp_path / "run.keras"
    done = command("runs", "export", run_id, "--format", "keras", *options, "-o", file)
    assert done.exit_code == 0
    assert told in done.stderr
    assert file.read_text() == f"{told.split()[1]} keras"


def test_of_a_run_that_broke_off_again_the_epoch_is_told_whose_weights_there_are(
    tmp_path, monkeypatch
):
    learned.write_settings(learned.Settings(film_mb=0))
    run_id = add_run(History(), epochs=6, status=Status.INTERRUPTED)
    drawn.write(run_id, 3, (0.9, 0.5, 0.4))
    drawn.go_on(run_id, 3, (0.3, 0.2, 0.1))
    monkeypatch.setattr(takeaway, "make", lambda about, form: str(about.epoch).encode())
    file = tmp_path / "run.keras"
    done = command("runs", "export", run_id, "--format", "keras", "-o", file)
    assert "the final weights, those after epoch 3." in done.stderr
    assert "Those of its last epoch, 6, were not kept" in done.stderr
    assert file.read_text() == "3"


def test_weights_are_chosen_for_no_other_file(run_id, tmp_path):
    file = tmp_path / "run.html"
    with pytest.raises(LabError, match=r"--weights is for the files of a network .*html is none"):
        command("runs", "export", run_id, "--format", "html", "--weights", "best", "-o", file)
    assert not file.exists()
