"""Prepared data sets: whole or not there at all."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cnnlab import datasets
from cnnlab.datasets import (
    names,
    pictures,
    store,
)
from cnnlab.spec import LabError
from tests.datasets.examples import (
    as_folder,
    as_zip,
    picture,
    refusal,
    two_classes,
)


def test_a_prepared_data_set_is_mapped_and_not_decoded_again(tmp_path, monkeypatch):
    path = as_zip(tmp_path / "a.zip", two_classes())
    datasets.load(str(path))
    monkeypatch.setattr(pictures, "plan", lambda *_: pytest.fail("decoded again"))
    images = datasets.load(str(path)).images
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError):
        images[0] = 0


def test_a_changed_source_is_prepared_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(names, "LISTING_SECONDS", 0)
    folder = as_folder(tmp_path / "a", two_classes())
    assert len(datasets.load(str(folder)).images) == 6
    (folder / "cat" / "new.png").write_bytes(picture())
    assert not datasets.info(str(folder)).ready
    assert len(datasets.load(str(folder)).images) == 7


def test_a_full_disk_is_noticed_before_it_is_filled(tmp_path, monkeypatch):
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(store.shutil, "disk_usage", lambda path: usage(1, 1, 1))
    assert "make room" in refusal(as_zip(tmp_path / "a.zip", two_classes()))


def test_a_home_that_cannot_be_written_is_named(tmp_path, home):
    home.write_text("a file where a folder should be")
    with pytest.raises(LabError, match="CNNLAB_HOME"):
        datasets.load(str(as_zip(tmp_path / "a.zip", two_classes())))


def test_what_fails_in_the_middle_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "SMALL_PIXELS", 0)

    def fail(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(pictures, "fitted", fail)
    with pytest.raises(KeyboardInterrupt):
        datasets.load(str(as_zip(tmp_path / "a.zip", two_classes())))
    assert list((store.folder() / ".prepared").iterdir()) == []


def test_what_a_killed_process_left_is_removed_when_it_is_old(tmp_path):
    shelf = store.folder() / ".prepared"
    for name in (".draft-old", ".draft-new"):
        (shelf / name).mkdir(parents=True)
    os.utime(shelf / ".draft-old", (0, 0))
    datasets.load(str(as_zip(tmp_path / "a.zip", two_classes())))
    assert not (shelf / ".draft-old").exists()
    assert (shelf / ".draft-new").exists()


def test_a_damaged_store_says_what_to_delete(tmp_path):
    path = str(as_zip(tmp_path / "a.zip", two_classes()))
    datasets.load(path)
    (shelf,) = (store.folder() / ".prepared").iterdir()
    for name in ("images.npy", "meta.json"):
        (shelf / name).write_bytes((shelf / name).read_bytes()[:40])
        with pytest.raises(LabError, match="delete that folder"):
            datasets.load(path)


def test_two_processes_may_prepare_at_once(tmp_path, home):
    path = str(as_zip(tmp_path / "a.zip", two_classes(each=30)))
    code = f"from cnnlab import datasets; print(datasets.load({path!r}).images.sum())"
    command = [sys.executable, "-c", code]
    with ThreadPoolExecutor(3) as pool:
        runs = list(
            pool.map(
                lambda _: subprocess.run(command, capture_output=True, text=True, check=True),
                range(3),
            )
        )
    assert len({run.stdout for run in runs}) == 1
    assert len(list((home / "datasets" / ".prepared").iterdir())) == 1


def test_a_second_writer_leaves_the_first_ones_work(tmp_path):
    path = as_zip(tmp_path / "a.zip", two_classes())
    plan = pictures.plan(path, lambda share, what: None)
    store.prepare("same-key", plan)
    before = store.place("same-key").stat().st_ino
    store.prepare("same-key", plan)
    assert store.place("same-key").stat().st_ino == before
    assert len(list(store.place("same-key").parent.iterdir())) == 1
