"""What goes first where room is wanted, what goes with a run, and what comes with one."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cnnlab import learned
from cnnlab.learned import Settings, files, open_run
from cnnlab.spec import LabError
from tests.learned import drawn


class Runs:
    """Of which some are on their way."""

    def __init__(self, *open_runs: str) -> None:
        self._open = set(open_runs)

    def open_runs(self) -> set[str]:
        return self._open


def heavy(home: Path, run_id: str, made_at: str) -> None:
    """A run of 3 MB, 2 MB of them its film."""
    drawn.write(run_id)
    place = home / "learned" / run_id
    (place / "film" / "0001.safetensors").write_bytes(bytes(2_000_000))
    (place / "best.safetensors").write_bytes(bytes(1_000_000))
    facts = files.read_facts(place).model_copy(update={"made_at": made_at})
    files.write_facts(place, facts)


@pytest.fixture
def three(home) -> Path:
    for number, run_id in enumerate(("old", "middle", "new")):
        heavy(home, run_id, f"2026-01-0{number + 1}T00:00:00+00:00")
    return home / "learned"


def has(place: Path) -> list[str]:
    """Of the runs that are kept, those with a film in capitals."""
    found = []
    for run_id in ("old", "middle", "new"):
        if learned.kept(run_id):
            film = (place / run_id / "film" / "0001.safetensors").exists()
            found.append(run_id.upper() if film else run_id)
    return found


@pytest.mark.parametrize(
    ("total_mb", "left"),
    [
        (10, ["OLD", "MIDDLE", "NEW"]),
        (8, ["old", "MIDDLE", "NEW"]),
        (6, ["old", "middle", "NEW"]),
        (4, ["old", "middle", "new"]),
        (3, ["middle", "new"]),
        (0, []),
    ],
)
def test_the_oldest_films_go_first_then_all_of_the_oldest(three, total_mb, left):
    learned.write_settings(Settings(total_mb=total_mb))
    learned.tidy(Runs())
    assert has(three) == left
    assert learned.used_bytes() <= max(total_mb * 10**6, 1_000)
    if "old" in left:
        assert open_run("old").facts.frames == ()
        assert open_run("old").frames == (3,)


def test_a_run_on_its_way_is_left_alone(three):
    learned.write_settings(Settings(total_mb=0))
    learned.tidy(Runs("old"))
    assert has(three) == ["OLD"]


def test_a_deleted_run_takes_what_it_learnt_along_and_brings_it_back(three):
    learned.set_aside("middle")
    assert has(three) == ["OLD", "NEW"]
    with pytest.raises(LabError, match="train it again"):
        open_run("middle")
    learned.bring_back("middle")
    assert has(three) == ["OLD", "MIDDLE", "NEW"]


def test_what_was_deleted_goes_before_anything_else(three):
    learned.write_settings(Settings(total_mb=7))
    learned.set_aside("new")
    learned.tidy(Runs())
    learned.bring_back("new")
    assert has(three) == ["OLD", "MIDDLE"]


def test_what_was_deleted_a_day_ago_goes_for_good(three):
    for run_id in ("old", "new"):
        learned.set_aside(run_id)
    os.utime(three / ".deleted" / "old", (0, 0))
    learned.tidy(Runs())
    assert [path.name for path in (three / ".deleted").iterdir()] == ["new"]


def test_limits_are_kept_and_a_bad_file_of_them_is_named(home):
    assert learned.settings() == Settings()
    learned.write_settings(Settings(film_mb=7, total_mb=70))
    assert learned.settings() == Settings(film_mb=7, total_mb=70)
    (home / "learned" / "settings.json").write_text('{"film_mb": -1}')
    with pytest.raises(LabError, match="delete it to have the usual limits"):
        learned.settings()


# --- from lab to lab ------------------------------------------------------------------------


def test_what_is_packed_here_is_unpacked_there(tmp_path, monkeypatch):
    drawn.write("a", 2)
    drawn.write("b", 1)
    packed = tmp_path / "runs.zip"
    assert learned.pack(["a", "nobody", "b"], packed) == ["a", "b"]
    assert learned.packed_runs(packed, "runs.zip") == {"a", "b"}
    monkeypatch.setenv("CNNLAB_HOME", str(tmp_path / "there"))
    drawn.write("b-2", 3)
    assert learned.unpack(packed, "runs.zip", {"a": "a", "b": "b-2"}) == ["a"]
    assert open_run("a").frames == (1, 2)
    assert open_run("b-2").frames == (1, 2, 3)  # what is here stays
    np.testing.assert_allclose(open_run("a").gallery.probabilities[1], drawn.answers(2), atol=1e-3)
    assert not list((tmp_path / "there" / "learned").glob(".draft-*"))


def test_nothing_is_packed_where_nothing_is_kept(tmp_path):
    assert learned.pack(["nobody"], tmp_path / "runs.zip") == []
    assert not (tmp_path / "runs.zip").exists()


def archive(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "name", ["../a/facts.json", "a/model.pkl", "a/../../x.safetensors", "/a/facts.json", "a/film/x"]
)
def test_an_archive_with_anything_else_in_it_is_refused(home, tmp_path, name):
    packed = archive(tmp_path / "runs.zip", {name: b"x"})
    with pytest.raises(LabError, match="is refused"):
        learned.unpack(packed, "runs.zip", {"a": "a"})
    assert not (home / "learned" / "a").exists()


def test_what_could_unpack_to_more_than_its_size_is_refused(tmp_path):
    packed = archive(tmp_path / "a.zip", {"a/facts.json": bytes(10**6)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(LabError, match="is refused"):
        learned.unpack(packed, "runs.zip", {"a": "a"})


def test_a_damaged_run_is_refused_and_no_file_that_is_none(home, tmp_path):
    drawn.write("a", 1)
    facts = (home / "learned" / "a" / "facts.json").read_bytes()
    learned.discard("a")
    members = {"a/facts.json": facts, "a/final.safetensors": b"no arrays"}
    with pytest.raises(LabError, match="damaged"):
        learned.unpack(archive(tmp_path / "a.zip", members), "a.zip", {"a": "a"})
    locked = archive(tmp_path / "c.zip", {"a/facts.json": facts}).read_bytes()
    for head, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = locked.index(head) + flags
        locked = locked[:at] + b"\1" + locked[at + 1 :]
    (tmp_path / "c.zip").write_bytes(locked)
    with pytest.raises(LabError, match=r"c\.zip cannot be taken in: .*password"):
        learned.unpack(tmp_path / "c.zip", "c.zip", {"a": "a"})
    (tmp_path / "b.zip").write_bytes(b"no archive")
    with pytest.raises(LabError, match=r"b\.zip cannot be taken in"):
        learned.unpack(tmp_path / "b.zip", "b.zip", {"a": "a"})
    assert not learned.kept("a")
