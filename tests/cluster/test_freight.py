"""What a run leaves on a node comes back whole, however soon it is outdated there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest

from cnnlab import checkpoints
from cnnlab.cluster import freight
from cnnlab.cluster.freight import Returns
from cnnlab.cluster.node import Holder
from cnnlab.learned.files import MOST_FRAMES


def holder_at(home: Path, monkeypatch: pytest.MonkeyPatch) -> Holder:
    """One that has another home than the lab here."""
    with monkeypatch.context() as there:
        there.setenv("CNNLAB_HOME", str(home))
        return Holder("box", "ab12", lambda: None)


class Far:
    """A holder whose run trains on, by two epochs, after each look at what it has left."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._holder = holder_at(home, monkeypatch)
        self._place = home / "cluster" / "box" / "checkpoints" / "run"
        self._place.mkdir(parents=True)
        self.answers = True
        self.train()

    def train(self) -> None:
        epochs = sorted(int(path.stem) for path in self._place.iterdir()) or [0]
        for path in self._place.iterdir():
            path.unlink()
        for epoch in (epochs[-1] + 1, epochs[-1] + 2):
            (self._place / f"{epoch:05d}.npz").write_bytes(b"epoch %d" % epoch)

    def call(self, method: str, *arguments: Any) -> Any:
        if method == "read" and not self.answers:
            return None
        answer = getattr(self._holder, method)(*arguments)
        if method == "left":
            self.train()
        return answer


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Far:
    return Far(tmp_path / "far", monkeypatch)


class Learning:
    """A holder whose run puts another best epoch in the place of its best, after each call."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.holder = holder_at(home, monkeypatch)
        self.place = home / "cluster" / "box" / "learned" / "run"
        (self.place / "film").mkdir(parents=True)
        self._epoch = 0
        self.train()

    def train(self) -> None:
        self._epoch += 1
        for name in ("best.safetensors", "facts.json", f"film/{self._epoch:04d}.safetensors"):
            part = self.place / f"{name}.part"
            part.write_text(f"{self._epoch % 10}" * 20)
            part.replace(self.place / name)

    def call(self, method: str, *arguments: Any) -> Any:
        answer = getattr(self.holder, method)(*arguments)
        self.train()
        return answer


def test_a_file_that_is_replaced_while_it_is_fetched_arrives_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freight, "PIECE", 6)
    run = Learning(tmp_path / "far", monkeypatch)
    returns, learned = Returns("run", run.call), checkpoints.home() / "learned" / "run"
    for _ in range(2):
        returns.bring()
        best, facts = (learned / name for name in ("best.safetensors", "facts.json"))
        assert len(set(best.read_text())) == 1
        assert best.read_text() == facts.read_text()
    assert (learned / "film" / "0001.safetensors").read_text() == "1" * 20


def test_what_a_run_has_no_more_there_is_no_more_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Learning(tmp_path / "far", monkeypatch)
    learned = checkpoints.home() / "learned" / "run"
    learned.mkdir(parents=True)
    (learned / "final.safetensors").write_text("of the part before")
    Returns("run", run.call).bring()
    assert not (learned / "final.safetensors").exists()
    assert (learned / "best.safetensors").exists()


def test_a_whole_film_is_held_by_fewer_files_than_a_process_may_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Learning(tmp_path / "far", monkeypatch)
    for _ in range(MOST_FRAMES):
        run.train()
    process = psutil.Process()
    before = process.num_fds()
    for _ in range(3):
        run.call("left", "run")
    assert process.num_fds() - before < 256
    run.holder.forget("run")
    assert process.num_fds() == before


def kept() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (checkpoints.folder() / "run").iterdir()}


def test_a_checkpoint_that_is_outdated_before_it_was_read_arrives_as_it_was(far: Far) -> None:
    returns = Returns("run", far.call)
    returns.bring()
    assert kept() == {"00001.npz": b"epoch 1", "00002.npz": b"epoch 2"}
    returns.bring()
    assert kept() == {"00003.npz": b"epoch 3", "00004.npz": b"epoch 4"}


def test_the_last_checkpoint_here_stays_until_a_later_one_has_arrived(far: Far) -> None:
    returns = Returns("run", far.call)
    returns.bring()
    far.answers = False
    returns.bring()
    assert sorted(kept()) == ["00001.npz", "00002.npz"]
    far.answers = True
    returns.bring()
    assert sorted(kept()) == ["00005.npz", "00006.npz"]
