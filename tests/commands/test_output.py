"""Commands say what they have to say wherever they run: any encoding, no reader, no home."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnnlab.commands import output, shared
from cnnlab.commands.options import make_spec
from cnnlab.history import History
from cnnlab.report.cards import read, to_json
from cnnlab.spec import PRESETS, LabError, change, home
from cnnlab.training.measuring import noise
from tests.patience import PATIENCE_SECONDS

LIST = [sys.executable, "-m", "cnnlab", "runs", "list"]


def run(home: Path, *more: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """`runs list` in a shell, with what follows it there."""
    settings = os.environ | {"CNNLAB_HOME": str(home)} | environment
    command = ["sh", "-c", " ".join([*LIST, *more])]
    return subprocess.run(command, env=settings, capture_output=True, timeout=PATIENCE_SECONDS)


def test_a_document_is_ascii_and_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    shared.emit_json({"name": "날씨 Zürich 日本 🙂"})
    said = capsys.readouterr().out
    assert said.isascii()
    assert json.loads(said) == {"name": "날씨 Zürich 日本 🙂"}


def test_a_name_beyond_the_encoding_of_a_pipe_ends_no_command(home: Path) -> None:
    with_name = History()
    with_name.create(PRESETS["tiny"].spec, name="날씨 Zürich 🙂", session="s")
    with_name.close()
    done = run(home, PYTHONIOENCODING="cp1252")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\U0001f642" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_sentence(home: Path) -> None:
    done = run(home, ">/dev/full")
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        "Error: the output could not be written (No space left on device); what was done is kept "
        "in the history."
    ]


@pytest.mark.parametrize("closed", [">&- 2>&- <&-", "--json >&-"])
@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_a_closed_output_ends_no_command(home: Path, closed: str) -> None:
    done = run(home, closed)
    assert (done.returncode, done.stderr) == (0, b"")
    History().close()  # what is kept was not taken for the output


def test_a_reader_that_had_enough_is_no_fault(capfd: pytest.CaptureFixture[str]) -> None:
    assert output.is_lost(BrokenPipeError(32, "Broken pipe"))
    assert not output.is_lost(FileNotFoundError(2, "No such file", "x"))
    assert not output.is_lost(OSError(28, "No space left on device", "history.db"))


def test_no_warning_of_a_library_reaches_the_terminal() -> None:
    code = (
        "import warnings; from cnnlab.commands import output; output.open_to_all(); "
        "warnings.warn('of a library'); warnings.warn('old', DeprecationWarning)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# --- no home --------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare of util-linux")
@pytest.mark.parametrize("with_home", [False, True])
def test_a_user_without_a_home_is_told_in_a_sentence(tmp_path: Path, with_home: bool) -> None:
    here = tmp_path / "lab"
    here.mkdir(mode=0o777)
    own = [f"CNNLAB_HOME={here}"] if with_home else []
    alone = ["unshare", "--user", "--map-user=54321", "--map-group=54321", "env", "-i"]
    done = subprocess.run([*alone, *own, LIST[0], "-B", *LIST[1:]], capture_output=True, text=True)
    if "unshare" in done.stderr:
        pytest.skip("no user namespaces here")
    assert done.returncode == (0 if with_home else 2), done.stderr
    assert ("set CNNLAB_HOME" in done.stderr) == (not with_home)
    assert len(done.stderr.splitlines()) == (0 if with_home else 1)


def test_an_empty_name_of_the_home_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CNNLAB_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home() == tmp_path / ".cnnlab"


def test_the_home_of_nobody_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNLAB_HOME", "~nobody-of-that-name/lab")
    with pytest.raises(LabError, match="set CNNLAB_HOME to a folder"):
        home()


# --- marks of an encoding, files that were never read ---------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_spec_and_a_card_are_read_with_their_marks(tmp_path: Path, encoding: str) -> None:
    spec = {"dataset": "shapes", "model": {"family": "dense", "dense": [8]}, "epochs": 1}
    file = tmp_path / "spec.json"
    file.write_bytes(json.dumps(spec, indent=1).replace("\n", "\r\n").encode(encoding))
    assert make_spec(None, file).epochs == 1
    history = History()
    card = history.card(history.create(PRESETS["tiny"].spec, name="Größe", session="s"))
    history.close()
    assert read(to_json([card]).encode(encoding)) == [card]


def sorted_file(path: Path) -> str:
    np.savez(path, x_train=np.zeros((80, 9, 7), np.uint8), y_train=np.arange(80) % 4)
    return str(path)


def test_a_sweep_reads_first_what_was_never_read(tmp_path: Path, capfd) -> None:
    name = sorted_file(tmp_path / "mine.npz")
    found = shared.make_known(name)
    assert (found.ready, found.classes) == (True, 4)
    assert "Classes: 0 20, 1 20, 2 20, 3 20." in capfd.readouterr().err
    assert shared.make_known(name) == found
    assert not shared.make_known("cifar100").ready  # its shape is known: nothing is downloaded
    assert capfd.readouterr().err == ""


def test_a_measured_cell_reads_first_what_was_never_read(tmp_path: Path) -> None:
    name = sorted_file(tmp_path / "mine.npz")
    pictures, facts = noise(change(PRESETS["dense"].spec, dataset=name, train_limit=None))
    assert pictures.images.shape[1:] == (9, 7, 1)
    assert facts.classes == 4
