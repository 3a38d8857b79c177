"""Arrays from other people's scripts: values beyond the range, labels with holes, other names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnnlab import datasets
from cnnlab.spec import LabError


def pictures(count: int = 60, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 6, 5), dtype=np.uint8)


LABELS = np.arange(60) % 3


def save(path: Path, **arrays: np.ndarray) -> str:
    np.savez(path, **arrays)
    return str(path)


@pytest.mark.parametrize(
    ("low", "high", "top"),
    [(0, 1.02, 1), (-0.04, 1.1, 1), (0, 1.0000001, 1), (-3, 258, 255), (0, 259.5, 255)],
)
def test_a_little_beyond_the_range_is_clipped_and_said(tmp_path: Path, low, high, top) -> None:
    x = (pictures() / 255 * top).astype(np.float32)
    clean = datasets.load(save(tmp_path / "clean.npz", x_train=x, y_train=LABELS))
    assert clean.understood.notes == ()
    x[7, 3, 3], x[8, 2, 2] = high, low
    data = datasets.load(save(tmp_path / "over.npz", x_train=x, y_train=LABELS))
    rest = np.ones(data.images.shape[:3], dtype=bool)
    rest[7, 3, 3] = rest[8, 2, 2] = False
    np.testing.assert_array_equal(data.images[rest], clean.images[rest])
    assert (data.images[7, 3, 3], data.images[8, 2, 2]) == (255, 0)
    assert "are clipped to the range" in data.understood.notes[0]
    assert data.understood.value_range == pytest.approx((low, high))


@pytest.mark.parametrize(("low", "high"), [(0, 1.6), (0, 16), (-1, 1), (-2.1, 2.6), (0, 1023)])
def test_a_range_that_no_picture_has_is_refused(tmp_path: Path, low: float, high: float) -> None:
    x = low + pictures() / 255 * (high - low)
    with pytest.raises(LabError, match=rf"from {low:g} to {high:g}.*scale them so"):
        datasets.load(save(tmp_path / "a.npz", x_train=x, y_train=LABELS))


@pytest.mark.parametrize("numbers", [(1, 2, 3), (3, 7, 11), (1999, 2024, 2000), (0, 5, 6)])
@pytest.mark.parametrize("kind", [np.uint16, np.int64])
def test_classes_are_the_numbers_that_occur(tmp_path: Path, numbers, kind) -> None:
    labels = np.array(numbers, dtype=kind)[LABELS]
    path = save(tmp_path / "a.npz", x_train=pictures(), y_train=labels)
    data = datasets.load(path)
    assert data.class_names == tuple(map(str, sorted(numbers)))
    assert [data.class_names[label] for label in data.labels] == [str(n) for n in labels]
    assert data.understood.classes == dict.fromkeys(map(str, sorted(numbers)), 20)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ("train_images", "train_labels"),
        ("X", "y"),
        ("images", "labels"),
        ("data", "target"),
        ("X_train", "Y_train"),
        ("arr_0", "arr_1"),
    ],
)
def test_arrays_of_other_names_are_found(tmp_path: Path, x: str, y: str) -> None:
    data = datasets.load(save(tmp_path / "a.npz", **{x: pictures(), y: LABELS}))
    assert data.understood.classes == {"0": 20, "1": 20, "2": 20}
    assert data.understood.split == f"{x} with {y}: 60 pictures"


def test_a_file_without_them_says_what_it_holds(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", embeddings=pictures(), ids=LABELS)
    with pytest.raises(LabError, match=r"no array x_train.* it holds embeddings, ids"):
        datasets.load(path)


@pytest.mark.parametrize("colours", [1, 3])
def test_the_layout_of_medmnist_is_read_with_its_own_split(tmp_path: Path, colours: int) -> None:
    def part(count: int, seed: int) -> np.ndarray:
        grey = pictures(count, seed)
        return np.stack([grey] * 3, axis=3) if colours == 3 else grey

    path = save(
        tmp_path / "bloodmnist.npz",
        train_images=part(60, 0),
        val_images=part(9, 1),
        test_images=part(12, 2),
        train_labels=LABELS[:, None].astype(np.uint8),
        val_labels=LABELS[:9, None].astype(np.uint8),
        test_labels=LABELS[:12, None].astype(np.uint8),
    )
    data = datasets.load(path)
    assert len(data.labels) == 60
    assert data.understood.classes == {"0": 20, "1": 20, "2": 20}
    assert data.understood.test_classes == {"0": 4, "1": 4, "2": 4}
    assert data.test.labels.tolist() == LABELS[:12].tolist()
    assert [item.count for item in data.understood.left_out] == [2]
