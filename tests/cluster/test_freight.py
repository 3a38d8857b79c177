"""What a run leaves on a node comes back whole, however soon it is outdated there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cnnlab import checkpoints
from cnnlab.cluster.freight import Returns
from cnnlab.cluster.node import Holder


class Far:
    """A holder whose run trains on, by two epochs, after each look at what it has left."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        here = checkpoints.home()
        monkeypatch.setenv("CNNLAB_HOME", str(home))
        self._holder = Holder("box", "ab12", lambda: None)
        self._place = home / "cluster" / "box" / "checkpoints" / "run"
        self._place.mkdir(parents=True)
        monkeypatch.setenv("CNNLAB_HOME", str(here))
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
