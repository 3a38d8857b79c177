"""What holds a training process on a node: lines by number, files below its home alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from cnnlab.cluster import node
from cnnlab.cluster.node import Holder
from tests.patience import until

ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"


@pytest.fixture
def gone() -> list[str]:
    """The machines whose holders have ended their process."""
    return []


@pytest.fixture
def holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: list[str]) -> Holder:
    monkeypatch.setenv("CNNLAB_HOME", str(tmp_path))
    start = subprocess.Popen
    monkeypatch.setattr(
        node.subprocess, "Popen", lambda _, **more: start([sys.executable, "-c", ECHO], **more)
    )
    return Holder("box", "ab12", lambda: gone.append("box"))


def test_lines_are_told_once_and_again_to_who_did_not_hear_them(holder: Holder) -> None:
    assert holder.begin("none", {}) == holder.begin("none", {}) == ""
    for number, line in ((0, "a"), (0, "a"), (1, "b"), (1, "b")):  # each call is repeated
        holder.hear(number, line)
    until(lambda: len(holder.said(0, 0.1)[0]) == 2)
    assert holder.said(0, 0.1)[0] == holder.said(0, 0.1)[0] == ["a\n", "b\n"]
    assert holder.said(1, 0.1) == (["b\n"], None, "")
    holder.hear(2, None)
    until(lambda: holder.said(2, 0.1)[1] is not None)
    assert holder.said(2, 0.1) == ([], 0, "")


def test_a_lab_that_is_silent_loses_its_process_then_what_held_it(
    holder: Holder, gone: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "LEASE_SECONDS", 0.5)
    holder.begin("none", {})
    until(lambda: holder._code is not None)
    assert holder.said(0, 0.0) == ([], -9, "lease")
    until(lambda: gone)


def test_a_process_that_ended_before_the_silence_was_not_ended_by_it(holder: Holder) -> None:
    holder.begin("none", {})
    holder.hear(0, None)
    until(lambda: holder._code is not None)
    holder.kill("lease")
    assert holder.said(0, 0.0) == ([], 0, "")


def test_one_at_a_time_has_the_machine(holder: Holder) -> None:
    other = Holder("box", "ab12", lambda: None)
    assert holder.occupy()
    assert holder.occupy()
    assert not other.occupy()
    holder.vacate()
    assert other.occupy()
    other.vacate()


def test_files_are_written_and_read_in_pieces_below_the_home_alone(holder, tmp_path) -> None:
    holder.put("checkpoints/run/00001.npz", 0, b"abc")
    holder.put("checkpoints/run/00001.npz", 3, b"def")
    ((name, size, _),) = holder.left("run")
    assert (name, size) == ("checkpoints/run/00001.npz", 6)
    assert holder.read(name, 2, 3) == b"cde"
    assert holder.read("checkpoints/run/00009.npz", 0, 1) is None
    for outside in ("../secret", "/etc/hostname"):
        assert holder.read(outside, 0, 1) is None
        with pytest.raises(ValueError, match="not below"):
            holder.put(outside, 0, b"abc")
    holder.forget("run")
    assert holder.read(name, 0, 1) is None
    assert holder.left("run") == []


def test_a_file_that_is_outdated_while_it_is_listed_is_left_out(holder, monkeypatch) -> None:
    for number in (1, 2):
        holder.put(f"checkpoints/run/0000{number}.npz", 0, b"abc")
    opened = Path.open

    def pruned(path: Path, *how: str) -> IO[bytes]:
        if path.name == "00001.npz":
            path.unlink()
        return opened(path, *how)

    monkeypatch.setattr(Path, "open", pruned)
    assert [name for name, _, _ in holder.left("run")] == ["checkpoints/run/00002.npz"]


def test_data_that_did_not_arrive_whole_are_not_kept(holder: Holder, tmp_path: Path) -> None:
    place = "datasets/.prepared/shipped-1"
    holder.put("datasets/.prepared/.draft-1/images.npy", 0, b"abc")
    assert not holder.settle("datasets/.prepared/.draft-1", place, "0" * 64)
    assert not holder.has("shipped-1")
    holder.put("datasets/.prepared/.draft-2/meta.json", 0, b"{}")
    draft = node.home_of("box") / "datasets/.prepared/.draft-2"
    assert holder.settle("datasets/.prepared/.draft-2", place, node.content_hash(draft))
    assert holder.has("shipped-1")
