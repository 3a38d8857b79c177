"""The drawn pictures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cnnlab import datasets
from cnnlab.datasets import (
    shapes,
)


def test_shapes_are_synthetic_pictures_of_a_hundred_classes():
    data = datasets.load("shapes", limit=600)
    assert data.synthetic
    assert data.images.shape == (600, 32, 32, 3)
    assert (data.images.dtype, data.labels.dtype) == (np.uint8, np.int32)
    assert len(set(data.class_names)) == 100
    assert np.bincount(data.labels, minlength=100).tolist() == [6] * 100


def test_ten_shapes_are_told_apart_by_their_shape_and_not_by_their_colour():
    data = datasets.load("shapes10", limit=2000)
    assert data.class_names[:3] == ("disc", "ring", "square")
    assert np.bincount(data.labels).tolist() == [200] * 10
    means = data.images.reshape(2000, -1, 3).mean(axis=1)
    centres = np.stack([means[:1500][data.labels[:1500] == c].mean(axis=0) for c in range(10)])
    nearest = np.linalg.norm(means[1500:, None] - centres, axis=2).argmin(axis=1)
    assert (nearest == data.labels[1500:]).mean() < 0.3


def test_fewer_shapes_are_the_first_of_more():
    few, more = datasets.load("shapes", limit=130), datasets.load("shapes", limit=1100)
    assert np.array_equal(few.images, more.images[:130])
    assert np.array_equal(few.labels, more.labels[:130])


def test_all_shapes_are_drawn_once_and_then_mapped(monkeypatch):
    entry = dataclasses.replace(datasets.REGISTRY["shapes"], train_images=500)
    monkeypatch.setitem(datasets.REGISTRY, "shapes", entry)
    monkeypatch.setattr(shapes, "PICTURES", 500)
    first = datasets.load("shapes")
    monkeypatch.setattr(shapes, "draw", lambda count: pytest.fail("drawn again"))
    again = datasets.load("shapes", limit=40)
    assert first.synthetic
    assert again.synthetic
    assert np.array_equal(first.images[:40], again.images)


def test_colour_alone_does_not_tell_shapes_apart():
    data = datasets.load("shapes", limit=2000)
    means = data.images.reshape(2000, -1, 3).mean(axis=1)
    centres = np.stack([means[:1500][data.labels[:1500] == c].mean(axis=0) for c in range(100)])
    nearest = np.linalg.norm(means[1500:, None] - centres, axis=2).argmin(axis=1)
    right = (nearest == data.labels[1500:]).mean()
    assert 0.01 < right < 0.3
