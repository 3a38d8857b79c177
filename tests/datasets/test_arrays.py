"""Arrays in files of NumPy."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from cnnlab import datasets
from tests.datasets.examples import (
    SHARED,
    X,
    Y,
    npz,
    refusal,
)


@pytest.mark.parametrize("y", [Y, Y[:, None], Y.astype(np.uint8)])
@pytest.mark.parametrize("x", [X, X[..., None], np.stack([X] * 3, axis=3), np.asfortranarray(X)])
def test_npz_files_keep_their_order(tmp_path, x, y):
    data = datasets.load(str(npz(tmp_path / "a.npz", x, y, x_test=X)))
    assert data.class_names == ("0", "1", "2")
    assert data.labels.tolist() == Y.tolist()
    assert data.labels.dtype == np.int32
    assert np.array_equal(data.images[..., 0], X)


def test_floating_point_pixels_follow_the_stated_rule(tmp_path):
    unit = datasets.load(str(npz(tmp_path / "a.npz", (X / 255).astype(np.float32), Y)))
    assert np.array_equal(unit.images[..., 0], X)
    byte = datasets.load(str(npz(tmp_path / "b.npz", X.astype(np.float64) + 0.2, Y)))
    assert np.array_equal(byte.images[..., 0], X)


@pytest.mark.parametrize(
    ("x", "y", "says"),
    [
        (X.astype(np.int64), Y, "int64"),
        (X - 300.0, Y, "from -300"),
        (np.full((5, 4, 3), np.nan), Y, "nan"),
        (X, Y[:4], "shape"),
        (X, np.eye(3)[Y], "one-hot"),
        (X, Y * 1.0, "whole numbers"),
        (X, Y - 1, "from -1"),
        (X, Y * 10**6, "2000000"),
        (X, Y * 0, "only one class"),
        (X[:, 0], Y, "shape"),
        (np.zeros((5, 4, 4, 2), np.uint8), Y, "shape"),
        (X[:0], Y[:0], "empty"),
        (np.array([b"x"] * 5, dtype=object), Y, "objects"),
    ],
)
def test_other_arrays_are_refused(tmp_path, x, y, says):
    assert says in refusal(npz(tmp_path / "a.npz", x, y))


def test_an_npz_without_the_two_arrays_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", images=X)
    assert "x_train" in refusal(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(b"no zip at all")
    assert "corrupt" in refusal(tmp_path / "b.npz")


def test_an_array_that_declares_more_than_it_holds_is_refused_before_memory_is_taken(tmp_path):
    header = io.BytesIO()
    shape = (10**9, 1000, 1000)
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x_train.npy", header.getvalue())
        archive.writestr("y_train.npy", header.getvalue())
    assert "truncated" in refusal(tmp_path / "a.npz")


def test_the_real_mnist_loads():
    path = SHARED / "mnist.npz"
    if not path.exists():
        pytest.skip("needs the real file")
    data = datasets.load(str(path))
    assert data.images.shape == (60_000, 28, 28, 1)
    assert data.labels[:5].tolist() == [5, 0, 4, 1, 9]
