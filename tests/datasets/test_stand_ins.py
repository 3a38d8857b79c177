"""On a node a name means what was sent there: no path that is named elsewhere is opened."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from cnnlab import datasets
from cnnlab.datasets import names, store


def test_a_name_means_what_was_put_into_the_store_for_it(tmp_path, monkeypatch, home):
    monkeypatch.setattr(names, "_stand_ins", {})
    own = tmp_path / "own.npz"
    rng = np.random.default_rng(1)
    pictures = rng.integers(0, 255, (60, 8, 8), dtype=np.uint8)
    np.savez(own, x_train=pictures, y_train=np.arange(60) % 3)
    before = datasets.load(str(own))
    folder = datasets.prepared(str(own))
    assert folder
    shutil.copytree(folder, store.place("shipped-1"))
    own.unlink()
    with pytest.raises(datasets.loading.LabError, match="There is no data set"):
        datasets.load(str(own))
    datasets.stand_in(str(own), "shipped-1")
    after = datasets.load(str(own))
    assert np.array_equal(after.images, before.images)
    assert after.name == before.name


def test_what_is_not_prepared_has_no_folder():
    assert datasets.prepared("cifar10") is None
