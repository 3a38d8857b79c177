"""The test part of a data set: prepared as the training part is, and never learnt from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlab import datasets
from cnnlab.datasets import lookup, store
from cnnlab.spec import PRESETS, LabError, change
from tests.datasets.examples import (
    as_tar,
    as_zip,
    cifar10_files,
    cifar100_files,
    cifar_pixels,
    npz,
    picture,
    python2,
    two_classes,
)

GREY = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
LABELS = np.arange(40) % 4


def test_cifar10_is_tested_on_its_test_batch(tmp_path):
    files = cifar10_files()
    pixels = cifar_pixels(3, 9)
    files["cifar-10-batches-py/test_batch"] = python2({b"data": pixels, b"labels": [7, 8, 9]})
    data = datasets.load(str(as_tar(tmp_path / "cifar-10-python.tar.gz", files)))
    assert data.labels.shape == (20,)
    assert data.test.labels.tolist() == [7, 8, 9]
    red, green, blue = pixels[1].reshape(3, 32, 32)
    assert np.array_equal(data.test.images[1], np.stack([red, green, blue], axis=2))
    assert data.understood.test_classes["name 8"] == 1


def test_cifar100_is_tested_on_its_test_file(tmp_path):
    files = cifar100_files()
    test = {b"data": cifar_pixels(2, 9), b"fine_labels": [5, 99]}
    files["cifar-100-python/test"] = python2(test)
    data = datasets.load(str(as_tar(tmp_path / "any.tar.gz", files)))
    assert (len(data.labels), data.test.labels.tolist()) == (6, [5, 99])


def test_binary_cifar_is_tested_too(tmp_path):
    def rows(count: int, seed: int) -> bytes:
        labels = np.arange(count, dtype=np.uint8)[:, None] % 10
        return np.concatenate([labels, cifar_pixels(count, seed)], axis=1).tobytes()

    folder = "cifar-10-batches-bin"
    files = {f"{folder}/data_batch_{i}.bin": rows(4, i) for i in range(1, 6)}
    files[f"{folder}/batches.meta.txt"] = b"\n".join(b"class%d" % i for i in range(10))
    files[f"{folder}/test_batch.bin"] = rows(3, 8)
    data = datasets.load(str(as_tar(tmp_path / "a.tar", files)))
    assert (len(data.labels), data.test.labels.tolist()) == (20, [0, 1, 2])


def test_a_cifar_archive_without_its_test_part_is_learnt_from_all_the_same(tmp_path):
    data = datasets.load(str(as_tar(tmp_path / "a.tar.gz", cifar10_files())))
    assert data.test is None
    assert data.understood.test_classes is None


# --- arrays ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pictures", "labels"),
    [("x_test", "y_test"), ("test_images", "test_labels"), ("X_val", "Y_val"), ("testX", "testY")],
)
def test_arrays_are_tested_on_what_is_called_so(tmp_path, pictures, labels):
    held = {pictures: GREY[30:], labels: LABELS[30:, None]}
    data = datasets.load(str(npz(tmp_path / "a.npz", GREY[:30], LABELS[:30], **held)))
    assert data.test.images.shape == (10, 8, 8, 1)
    assert np.array_equal(data.test.images[..., 0], GREY[30:])
    assert data.test.labels.tolist() == LABELS[30:].tolist()
    assert data.understood.left_out == ()


def test_test_pictures_are_scaled_as_those_that_are_learnt_from(tmp_path):
    shades = (GREY / 255).astype(np.float32)
    held = {"x_test": shades[30:] / 2, "y_test": LABELS[30:]}
    data = datasets.load(str(npz(tmp_path / "a.npz", shades[:30], LABELS[:30], **held)))
    np.testing.assert_allclose(data.test.images[..., 0], GREY[30:] / 2, atol=0.51)


def test_classes_keep_their_numbers_and_those_not_learnt_are_left_out(tmp_path):
    learnt = np.where(LABELS[:30] == 0, 9, LABELS[:30])  # 1, 2, 3, 9
    held = {"x_test": GREY[30:35], "y_test": np.array([9, 1, 0, 3, 9])}
    data = datasets.load(str(npz(tmp_path / "a.npz", GREY[:30], learnt, **held)))
    assert data.class_names == ("1", "2", "3", "9")
    assert data.test.labels.tolist() == [3, 0, 2, 3]
    assert np.array_equal(data.test.images[2, ..., 0], GREY[33])
    assert "not learnt are left out: 1" in data.understood.notes[-1]


@pytest.mark.parametrize(
    ("held", "why"),
    [
        ({"y_test": LABELS[:5]}, "no pictures to test on"),
        ({"x_test": GREY[:5], "y_test": np.eye(5)}, "no class numbers"),
        ({"x_test": GREY[:5, :4], "y_test": LABELS[:5]}, "shapes or values"),
        ({"x_test": GREY[:5] / 255, "y_test": LABELS[:5]}, "shapes or values"),
        ({"x_test": GREY[:5], "y_test": LABELS[:4]}, "shapes or values"),
        ({"x_test": np.array([{}] * 5), "y_test": LABELS[:5]}, "Python objects"),
        ({"x_test": GREY[:0], "y_test": LABELS[:0]}, "is empty"),
    ],
)
def test_a_test_part_that_cannot_be_used_is_told_and_stops_nobody(tmp_path, held, why):
    data = datasets.load(str(npz(tmp_path / "a.npz", GREY, LABELS, **held)))
    assert (len(data.labels), data.test) == (40, None)
    assert why in data.understood.notes[-1]


# --- pictures -------------------------------------------------------------------------------


def split(tmp_path: Path, test: dict[str, bytes], train: dict[str, bytes] | None = None) -> str:
    files = (train or two_classes(4, "train/")) | test
    return str(as_zip(tmp_path / "a.zip", files))


def test_a_test_folder_is_prepared_in_the_training_parts_size(tmp_path):
    test = {"test/dog/a.png": picture((10, 200, 10), size=(12, 20)), **two_classes(2, "test/")}
    data = datasets.load(split(tmp_path, test))
    assert (data.images.shape, data.test.images.shape) == ((8, 5, 6, 3), (5, 5, 6, 3))
    shades = {50: 0, 250: 1, 10: 1}
    for image, label in zip(data.test.images, data.test.labels, strict=True):
        assert shades[int(image[0, 0, 0])] == label


def test_colours_are_tested_in_grey_where_grey_is_learnt(tmp_path):
    train = {
        f"train/{kind}/{n}.png": picture((shade,) * 3, mode="L")
        for kind, shade in (("cat", 50), ("dog", 250))
        for n in range(3)
    }
    data = datasets.load(split(tmp_path, two_classes(2, "test/"), train))
    assert data.test.images.shape[3] == 1
    expected = np.asarray(Image.new("RGB", (1, 1), (50, 0, 0)).convert("L"))[0, 0]
    assert data.test.images[0, 0, 0, 0] == expected


def test_a_broken_test_picture_is_left_out_with_its_reason(tmp_path):
    broken = {"test/cat/broken.jpg": b"no picture", "test/dog/ok.png": picture()}
    data = datasets.load(split(tmp_path, broken))
    assert data.test.labels.tolist() == [1]
    (left,) = data.understood.left_out
    assert (left.what, left.count) == ("test/cat/broken.jpg", 1)
    assert "cannot be read" in left.why


def test_beside_a_part_called_test_another_is_not_tested_on(tmp_path):
    data = datasets.load(split(tmp_path, two_classes(2, "test/") | two_classes(3, "val/")))
    assert len(data.test.labels) == 4
    assert data.understood.test_classes == {"cat": 5, "dog": 5}
    assert data.understood.notes == ("Tested on test alone; 6 more are not learnt from either.",)


def test_a_part_called_otherwise_is_tested_on_where_there_is_no_other(tmp_path):
    data = datasets.load(split(tmp_path, two_classes(3, "valid/")))
    assert len(data.test.labels) == 6


# --- the store ------------------------------------------------------------------------------


def test_a_test_part_does_not_depend_on_how_much_is_learnt_from(tmp_path):
    held = {"x_test": GREY[30:], "y_test": LABELS[30:]}
    name = str(npz(tmp_path / "a.npz", GREY[:30], LABELS[:30], **held))
    assert len(datasets.load(name, 12, split="stratified").test.labels) == 10
    assert isinstance(datasets.load(name).test.images, np.memmap)


def test_a_damaged_test_part_is_named(tmp_path):
    held = {"x_test": GREY[30:], "y_test": LABELS[30:]}
    name = str(npz(tmp_path / "a.npz", GREY[:30], LABELS[:30], **held))
    datasets.load(name)
    (file,) = store.folder().rglob("test-labels.npy")
    file.unlink()
    with pytest.raises(LabError, match="damaged"):
        datasets.load(name)


def test_what_is_drawn_has_no_test_part():
    assert datasets.load("shapes10", 50).test is None


# --- single pictures ------------------------------------------------------------------------


def test_pictures_are_found_again_by_where_they_lie(tmp_path):
    held = {"x_test": GREY[30:], "y_test": LABELS[30:]}
    name = str(npz(tmp_path / "a.npz", GREY[:30], LABELS[:30], **held))
    spec = change(PRESETS["tiny"].spec, dataset=name, split="stratified", train_limit=20)
    places = np.array([29, 3])
    assert lookup.some(spec, places) is None  # nothing is prepared for a look
    data = datasets.for_spec(spec)
    assert np.array_equal(lookup.some(spec, places)[..., 0], GREY[places])
    assert np.array_equal(lookup.some(spec, data.order), data.images)
    assert np.array_equal(lookup.some(spec, np.array([1]), "test")[..., 0], GREY[31:32])
    assert lookup.some(spec, np.array([30])) is None


def test_drawn_pictures_are_found_without_being_prepared():
    spec = change(PRESETS["tiny"].spec, dataset="shapes10", train_limit=60)
    data = datasets.for_spec(spec)
    assert np.array_equal(lookup.some(spec, np.array([59, 0])), data.images[[59, 0]])
