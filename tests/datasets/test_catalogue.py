"""What pages ask of the data sets."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from cnnlab import datasets
from cnnlab.datasets import (
    archives,
    names,
    shapes,
    store,
)
from cnnlab.spec import LabError
from tests.datasets.examples import (
    X,
    as_folder,
    as_zip,
    npz,
    picture,
    two_classes,
)


def test_known_lists_the_registry_and_what_the_owner_put_there(home):
    as_folder(home / "datasets" / "pets", two_classes())
    as_zip(home / "datasets" / "birds.zip", two_classes())
    as_folder(home / "datasets", {"notes.txt": b"", ".hidden.zip": b""})
    names = [facts.name for facts in datasets.known()]
    assert names == [*datasets.REGISTRY, "birds.zip", "pets"]
    assert len(datasets.load("birds.zip").images) == 6
    assert [facts.ready for facts in datasets.known()][-2:] == [True, False]


def test_one_bad_folder_does_not_hide_the_other_data_sets(home):
    folder = as_folder(home / "datasets" / "pets", two_classes())
    (folder / "broken.png").symlink_to(folder / "nowhere")
    last = datasets.known()[-1]
    assert (last.name, last.ready) == ("pets", False)
    assert "cannot be read" in last.origin
    with pytest.raises(LabError):
        datasets.info("pets")


def test_info_of_a_path_knows_only_what_is_prepared(tmp_path):
    path = as_zip(tmp_path / "a.zip", two_classes())
    before = datasets.info(str(path))
    assert (before.image_shape, before.classes, before.train_images) == (None, None, None)
    assert not before.ready
    after = datasets.fetch(str(path))
    assert (after.image_shape, after.classes, after.train_images) == ((5, 6, 3), 2, 6)
    assert after.ready


def test_a_page_that_asks_twice_lists_a_folder_once_but_a_run_looks_again(tmp_path, monkeypatch):
    folder = as_folder(tmp_path / "a", two_classes())
    datasets.info(str(folder))
    (folder / "cat" / "new.png").write_bytes(picture())
    with monkeypatch.context() as patch:
        patch.setattr(archives, "listing", lambda path: pytest.fail("listed again"))
        assert not datasets.info(str(folder)).ready
    assert len(datasets.load(str(folder)).images) == 7
    assert datasets.info(str(folder)).train_images == 7


@pytest.mark.parametrize("name", [*datasets.REGISTRY])
def test_info_of_the_registry_needs_nothing(name):
    facts = datasets.info(name)
    assert facts.synthetic == facts.ready == (name in ("shapes10", "shapes", "waves"))
    assert facts.origin
    assert facts.classes
    assert facts.train_images


def test_a_gallery_shows_pictures_of_their_class(tmp_path):
    path = str(as_zip(tmp_path / "a.zip", two_classes(each=5)))
    assert datasets.gallery(path) == []
    datasets.load(path)
    shown = datasets.gallery(path, per_class=3)
    assert [name for name, _ in shown] == ["cat", "dog"]
    assert all(pictures.shape == (3, 5, 6, 3) for _, pictures in shown)
    assert (shown[1][1][:, 0, 0, 0] == 250).all()


def test_a_gallery_never_prepares_anything(tmp_path, monkeypatch):
    folder = as_folder(tmp_path / "a", two_classes())
    datasets.load(str(folder))
    (folder / "cat" / "new.png").write_bytes(picture())
    monkeypatch.setattr(names, "LISTING_SECONDS", 0)
    assert datasets.gallery(str(folder)) == []
    assert len(list((store.folder() / ".prepared").iterdir())) == 1


def test_a_gallery_looks_only_for_the_classes_that_it_shows(tmp_path, monkeypatch):
    path = str(npz(tmp_path / "a.npz", X, np.array([7, 900, 3, 3, 500])))
    datasets.load(path)
    looked: list[int] = []
    find = np.flatnonzero
    monkeypatch.setattr(np, "flatnonzero", lambda where: looked.append(1) or find(where))
    shown = datasets.gallery(path, classes=2)
    assert [(name, len(images)) for name, images in shown] == [("3", 2), ("7", 1)]
    assert len(looked) == 2


def test_a_gallery_of_shapes_is_drawn():
    shown = datasets.gallery("shapes", per_class=2, classes=4)
    assert [name for name, _ in shown] == list(shapes.CLASS_NAMES[:4])
    assert all(pictures.shape == (2, 32, 32, 3) for _, pictures in shown)


def test_nothing_here_imports_keras_or_torch(tmp_path):
    path = as_zip(tmp_path / "a.zip", two_classes())
    code = (
        "import sys; from cnnlab import datasets; datasets.known();"
        f"datasets.fetch({str(path)!r}); datasets.gallery({str(path)!r});"
        "datasets.gallery('shapes');"
        "assert not {'keras', 'torch', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
