"""CIFAR's own archives, which hold pickles."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from cnnlab import datasets
from tests.datasets.examples import (
    as_tar,
    cifar10_files,
    cifar100_files,
    cifar_pixels,
    python2,
    refusal,
)


@pytest.mark.parametrize("protocol", [2, 4])
def test_cifar10_as_published_is_read_in_order(tmp_path, protocol):
    files = cifar10_files(protocol)
    data = datasets.load(str(as_tar(tmp_path / "cifar-10-python.tar.gz", files)))
    assert data.images.shape == (20, 32, 32, 3)
    assert data.labels[:8].tolist() == [1, 0, 1, 2, 2, 0, 1, 2]
    assert data.class_names[3] == "name 3"
    red, green, blue = cifar_pixels(4, 1)[2].reshape(3, 32, 32)
    assert np.array_equal(data.images[2], np.stack([red, green, blue], axis=2))


def test_cifar100_as_published_is_read(tmp_path):
    data = datasets.load(str(as_tar(tmp_path / "any-name.tar.gz", cifar100_files())))
    assert data.labels.tolist() == [99, 0, 1, 2, 3, 4]
    assert len(data.class_names) == 100


class Hostile:
    """Unpickled in the usual way, it would make a file."""

    def __init__(self, call, *arguments):
        self.reduced = (call, arguments)

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_a_hostile_pickle_is_refused_and_nothing_of_it_runs(tmp_path, protocol):
    trap = tmp_path / "sprung"
    attacks = [
        Hostile(os.system, f"touch {trap}"),
        Hostile(eval, f"open({str(trap)!r}, 'w')"),
        Hostile(np.save, str(trap), 1),
        Hostile(np.load, str(trap)),
        Hostile(getattr, trap, "touch"),
    ]
    for attack in attacks:
        files = cifar10_files()
        files["cifar-10-batches-py/data_batch_3"] = pickle.dumps({b"data": attack}, protocol)
        assert "data_batch_3" in refusal(as_tar(tmp_path / "a.tar.gz", files))
        assert not list(tmp_path.glob("sprung*"))


def test_a_pickle_cannot_ask_for_memory_it_does_not_need(tmp_path):
    memo = b"\x80\x02}r\xff\xff\xff\x7f."  # LONG_BINPUT 2**31 - 1
    huge = pickle.dumps({b"data": Hostile(np.ndarray, (10**12,))}, 2)
    for content in (memo, huge, b"", b"\x80\x02", b"no pickle"):
        files = cifar100_files() | {"cifar-100-python/train": content}
        refusal(as_tar(tmp_path / "a.tar.gz", files))


@pytest.mark.parametrize(
    "train",
    [
        {b"data": cifar_pixels(6, 0)},
        {b"data": cifar_pixels(6, 0), b"fine_labels": [0, 1]},
        {b"data": cifar_pixels(2, 0), b"fine_labels": [0, 100]},
        {b"data": cifar_pixels(2, 0), b"fine_labels": [0, -1]},
        {b"data": cifar_pixels(2, 0), b"fine_labels": [0, b"1"]},
        {b"data": cifar_pixels(2, 0)[:, :3000], b"fine_labels": [0, 1]},
        {b"data": cifar_pixels(2, 0).astype(np.float32), b"fine_labels": [0, 1]},
        {b"data": b"bytes", b"fine_labels": [0, 1]},
        [1, 2],
    ],
)
def test_a_cifar_archive_of_another_shape_is_refused(tmp_path, train):
    files = cifar100_files() | {"cifar-100-python/train": python2(train)}
    refusal(as_tar(tmp_path / "a.tar.gz", files))


def test_a_cifar_archive_without_a_batch_is_refused(tmp_path):
    files = cifar10_files()
    del files["cifar-10-batches-py/data_batch_4"]
    assert "data_batch_4" in refusal(as_tar(tmp_path / "a.tar.gz", files))
