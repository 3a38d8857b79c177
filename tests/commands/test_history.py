"""`history copy`: what it says, and what it takes for an address."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path

import pytest

from cnnlab.__main__ import main
from cnnlab.history import History
from tests.example_runs import TINY, add_run


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["cnnlab", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_a_file_is_copied_to_an_address_and_the_counts_are_said(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = f"sqlite:///{tmp_path}/other.db"
    with closing(History()) as history:
        run_id = add_run(history)
        history.create(TINY, name="Waiting", session="today")
        assert run(monkeypatch, "history", "copy", home / "history.db", target) == 0
    said = capsys.readouterr().out
    assert "Runs: 1 copied; 1 left out, as they are not over: copy again when they are" in said
    assert "3 epochs" in said
    assert "Sweeps: 0 copied." in said
    with closing(History(target)) as copied:
        assert [each.run_id for each in copied.summaries()] == [run_id]
    assert run(monkeypatch, "history", "copy", home / "history.db", target, "--json") == 0
    counts = json.loads(capsys.readouterr().out)
    assert (counts["runs"]["new"], counts["runs"]["there"]) == (0, 1)


def test_a_source_that_is_not_there_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "history", "copy", tmp_path / "none.db", tmp_path / "to.db") == 2
    assert "There is no history" in capsys.readouterr().err
