"""Folders and archives of pictures: what loads, and as what."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cnnlab import datasets
from cnnlab.datasets import (
    archives,
    cifar,
)
from tests.datasets.examples import (
    SHARED,
    as_folder,
    as_tar,
    as_zip,
    picture,
    two_classes,
)


@pytest.mark.parametrize("kind", ["", ".zip", ".tar", ".tar.gz", ".tar.xz", ".tar.bz2", ".tgz"])
def test_every_container_gives_the_same_data_set(tmp_path, kind):
    files = two_classes()
    reference = datasets.load(str(as_folder(tmp_path / "reference", files)))
    pack = as_zip if kind == ".zip" else as_tar if kind else as_folder
    data = datasets.load(str(pack(tmp_path / f"animals{kind}", files)))
    assert data.class_names == ("cat", "dog")
    assert data.images.shape == (6, 5, 6, 3)
    assert data.images.dtype == np.uint8
    assert data.labels.dtype == np.int32
    assert not data.synthetic
    assert np.array_equal(data.images, reference.images)
    assert np.array_equal(data.labels, reference.labels)


def test_pixels_stay_with_their_labels_and_classes_are_mixed(tmp_path):
    data = datasets.load(str(as_zip(tmp_path / "a.zip", two_classes(each=20))))
    assert np.array_equal(data.images[:, 0, 0, 0] == 250, data.labels == 1)
    assert 0 < data.labels[:20].sum() < 20


def test_limit_takes_the_first_pictures(tmp_path):
    path = str(as_zip(tmp_path / "a.zip", two_classes()))
    whole, part = datasets.load(path), datasets.load(path, limit=4)
    assert np.array_equal(part.images, whole.images[:4])
    assert part.class_names == whole.class_names


@pytest.mark.parametrize("other", ["test", "val", "Validation"])
def test_of_train_and_test_only_train_is_taken(tmp_path, other):
    files = two_classes(prefix="pets/train/") | {f"pets/{other}/bird/0.png": b"not read"}
    data = datasets.load(str(as_zip(tmp_path / "a.zip", files)))
    assert data.class_names == ("cat", "dog")
    assert len(data.images) == 6


def test_a_class_may_be_called_train(tmp_path):
    files = two_classes() | {f"train/{i}.png": picture() for i in range(2)}
    assert datasets.load(str(as_zip(tmp_path / "a.zip", files))).class_names == (
        "cat",
        "dog",
        "train",
    )


def test_files_that_are_no_pictures_and_hidden_ones_are_left_out(tmp_path):
    files = two_classes() | {
        "README.md": b"words",
        "cat/.DS_Store": b"x",
        "__MACOSX/cat/._0.png": b"x",
        ".git/dog/0.png": b"x",
    }
    assert len(datasets.load(str(as_zip(tmp_path / "a.zip", files))).images) == 6
    assert len(datasets.load(str(as_folder(tmp_path / "a", files))).images) == 6


def test_an_archive_made_with_dot_in_front_loads(tmp_path):
    data = datasets.load(str(as_tar(tmp_path / "a.tar", two_classes(prefix="./"))))
    assert data.class_names == ("cat", "dog")


def test_grey_pictures_have_one_channel_and_one_coloured_one_makes_three(tmp_path):
    grey = {f"{c}/{i}.png": picture(mode="L") for c in "ab" for i in range(2)}
    assert datasets.load(str(as_zip(tmp_path / "g.zip", grey))).images.shape == (4, 5, 6, 1)
    mixed = datasets.load(str(as_zip(tmp_path / "m.zip", grey | {"a/c.png": picture()})))
    assert mixed.images.shape == (5, 5, 6, 3)
    assert sorted(np.ptp(mixed.images[:, 0, 0], axis=1).tolist()) == [0, 0, 0, 0, 170]


def test_the_most_common_size_wins_and_the_longest_side_is_capped(tmp_path):
    odd = two_classes() | {"cat/odd.png": picture(size=(40, 9))}
    assert datasets.load(str(as_zip(tmp_path / "a.zip", odd))).images.shape == (7, 5, 6, 3)
    large = {f"{c}/{i}.jpg": picture(size=(1024, 512), form="JPEG") for c in "ab" for i in (0, 1)}
    data = datasets.load(str(as_zip(tmp_path / "b.zip", large)))
    assert data.images.shape == (4, 128, 256, 3)
    assert np.abs(data.images.astype(int) - (200, 30, 30)).max() <= 3


def test_transparent_pictures_lie_on_white(tmp_path):
    out = io.BytesIO()
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(out, "PNG")
    files = {f"{c}/{i}.png": out.getvalue() for c in "ab" for i in (0, 1)}
    assert (datasets.load(str(as_zip(tmp_path / "a.zip", files))).images == 255).all()


def test_sixteen_bit_grey_keeps_its_upper_bits(tmp_path):
    out = io.BytesIO()
    Image.fromarray(np.full((4, 4), 0x8123, np.uint16)).save(out, "PNG")
    files = {f"{c}/{i}.png": out.getvalue() for c in "ab" for i in (0, 1)}
    data = datasets.load(str(as_zip(tmp_path / "a.zip", files)))
    assert data.images.shape == (4, 4, 4, 1)
    assert (data.images == 0x81).all()


@pytest.mark.parametrize("size", [(8, 4), (400, 200)])  # decoded at the first and the second look
def test_the_exif_orientation_is_honoured(tmp_path, size):
    image = Image.new("RGB", size)
    image.paste((255, 255, 255), (0, 0, size[0] // 2, size[1]))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right to stand upright: what was left is then on top
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif, quality=95)
    files = {f"{c}/{i}.jpg": out.getvalue() for c in "ab" for i in (0, 1)}
    images = datasets.load(str(as_zip(tmp_path / "a.zip", files))).images
    assert images.shape[1] == 2 * images.shape[2]
    assert images[0, 0].min() > 200
    assert images[0, -1].max() < 50


def test_the_real_cifar10_pictures_load():
    path = SHARED / "cifar10-images.tar.xz"
    if not path.exists():
        pytest.skip("needs the real pictures")
    names = [member.name for _, member in zip(range(40), archives.members(path), strict=False)]
    assert all(name.startswith("train/airplane/") for name in names)
    assert cifar.layout_of(path) is None


@pytest.mark.soak
def test_the_whole_of_the_real_cifar10_pictures_is_prepared():
    path = SHARED / "cifar10-images.tar.xz"
    if not path.exists():
        pytest.skip("needs the real pictures")
    data = datasets.load(str(path))
    assert data.images.shape == (50_000, 32, 32, 3)
    assert np.bincount(data.labels).tolist() == [5000] * 10
    assert data.class_names[0] == "airplane"
