"""Folders that split a data set are never its classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnlab import datasets
from cnnlab.datasets.parts import divide
from cnnlab.spec import LabError, Understood
from tests.datasets.drawn_files import as_zip, flat, of_classes


def understood(path: str) -> Understood:
    """What a data set is taken for."""
    told = datasets.fetch(path).understood
    assert told is not None
    return told


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("training_set/training_set/", "test_set/test_set/"),
        ("seg_train/seg_train/", "seg_test/seg_test/"),
        ("Train/", "Valid/"),
        ("pets/TRAIN/", "pets/TEST/"),
        ("train_images/", "test_images/"),
        ("TrainingSet/", "ValidationSet/"),
        ("data/train2017/", "data/val2017/"),
        ("imagesTr/train/", "imagesTr/holdout/"),
        ("train-64x64/", "eval-64x64/"),
        ("my train data/", "my test data/"),
        ("dogsvscats_train/", "dogsvscats_pred/"),
        ("a/b/c/train/", "a/b/c/Hold-Out/"),
        ("训练集/", "测试集/"),
    ],
)
def test_of_split_folders_the_training_part_is_taken(tmp_path: Path, train: str, test: str) -> None:
    files = of_classes(train, 6) | of_classes(test, 3)
    told = understood(as_zip(tmp_path / "a.zip", files))
    assert told.classes == {"cats": 6, "dogs": 6}
    assert told.test_classes == {"cats": 3, "dogs": 3}
    assert "12 pictures" in told.split
    data = datasets.load(str(tmp_path / "a.zip"))
    assert data.class_names == ("cats", "dogs")
    assert len(data.labels) == 12


def test_a_split_below_each_class_is_one_too(tmp_path: Path) -> None:
    files = {
        f"{kind}/{part}/{n}.jpg": data
        for kind in ("cats", "dogs")
        for part, count in (("train", 4), ("test", 2))
        for n, data in enumerate(flat("", count).values())
    }
    told = understood(as_zip(tmp_path / "a.zip", files))
    assert (told.classes, told.test_classes) == (
        {"cats": 4, "dogs": 4},
        {"cats": 2, "dogs": 2},
    )


def test_a_split_in_the_classes_own_names_is_one_too(tmp_path: Path) -> None:
    files = of_classes("", 4, ("cats_train", "dogs_train")) | of_classes(
        "", 2, ("cats_test", "dogs_test")
    )
    told = understood(as_zip(tmp_path / "a.zip", files))
    assert (told.classes, told.test_classes) == (
        {"cats": 4, "dogs": 4},
        {"cats": 2, "dogs": 2},
    )


@pytest.mark.parametrize(
    "files",
    [
        flat("train/", 8) | flat("test/", 4) | {"labels.csv": b"id,breed"},
        flat("dogs/train/", 8) | flat("dogs/test/", 4),
        flat("Training Images/", 8) | flat("Validation Images/", 4),
        flat("data/train/images/", 8) | flat("data/valid/images/", 4),
        flat("train/", 8) | flat("val/", 4) | flat("test/", 4),
    ],
)
def test_flat_parts_are_refused_with_the_layout_that_is_expected(tmp_path: Path, files) -> None:
    with pytest.raises(LabError, match=r"of the training part .*outside any|only one class"):
        datasets.load(as_zip(tmp_path / "a.zip", files))


def test_flat_parts_are_told_the_layout(tmp_path: Path) -> None:
    path = as_zip(tmp_path / "a.zip", flat("train/", 8) | flat("test/", 4))
    with pytest.raises(
        LabError, match=r"8 pictures of the training part.*train/CLASS/picture\.jpg"
    ):
        datasets.load(path)


@pytest.mark.parametrize("copy", ["chest_xray/", "old/chest_xray/", "backup/"])
def test_a_copy_of_the_parts_within_them_is_left_out(tmp_path: Path, copy: str) -> None:
    files = {
        name: data
        for above in ("chest_xray/", f"chest_xray/{copy}")
        for part, count in (("train", 5), ("test", 2), ("val", 1))
        for name, data in of_classes(f"{above}{part}/", count).items()
    }
    files |= {"chest_xray/__MACOSX/train/cats/._0.jpg": b"\0"}
    told = understood(as_zip(tmp_path / "a.zip", files))
    assert told.classes == {"cats": 5, "dogs": 5}
    assert told.test_classes == {"cats": 3, "dogs": 3}
    assert sorted(item.count for item in told.left_out) == [1, 16]
    assert any(copy.split("/")[0] in item.what for item in told.left_out)


def test_a_copy_of_the_classes_beside_them_is_left_out(tmp_path: Path) -> None:
    files = of_classes("", 4, ("Cat", "Dog")) | of_classes("PetImages/", 4, ("Cat", "Dog"))
    told = understood(as_zip(tmp_path / "a.zip", files))
    assert told.classes == {"Cat": 4, "Dog": 4}
    assert [(item.what, item.count) for item in told.left_out] == [("PetImages", 8)]


def test_a_test_part_without_classes_is_counted_as_left_out(tmp_path: Path) -> None:
    told = understood(as_zip(tmp_path / "a.zip", of_classes("train/", 4) | flat("test1/", 5)))
    assert told.classes == {"cats": 4, "dogs": 4}
    assert told.test_classes is None
    assert [(item.count, item.why) for item in told.left_out] == [
        (5, "in the test part, without a class that is learnt")
    ]


@pytest.mark.parametrize(
    "classes",
    [
        ("bus", "train", "tram"),
        ("Train", "car"),
        ("train", "freight train"),
        ("test tube", "flask", "training shoe"),
        ("train", "validator", "ticket"),
    ],
)
def test_a_class_may_be_called_like_a_part(tmp_path: Path, classes: tuple[str, ...]) -> None:
    told = understood(as_zip(tmp_path / "a.zip", of_classes("vehicles/", 3, classes)))
    assert told.classes == dict.fromkeys(sorted(classes), 3)
    assert told.test_classes is None


def test_a_class_called_train_may_have_folders_of_its_own(tmp_path: Path) -> None:
    kinds = ("day", "night")
    files = {
        name: data
        for vehicle in ("train", "bus")
        for name, data in of_classes(f"{vehicle}/", 3, kinds).items()
    }
    assert understood(as_zip(tmp_path / "a.zip", files)).classes == {"bus": 6, "train": 6}


def test_pictures_with_their_masks_are_no_two_classes(tmp_path: Path) -> None:
    path = as_zip(tmp_path / "a.zip", of_classes("train/", 4, ("images", "masks")))
    with pytest.raises(LabError, match="images and masks where its classes should be"):
        datasets.load(path)


def test_names_of_any_depth_and_length_are_sorted_in_no_time() -> None:
    names = ["/".join(["a"] * 5000) + "/x.jpg", "dataset" * 30 + "/x.jpg", "x.jpg"]
    assert len(divide(names).train) == 3


@pytest.mark.parametrize("test", ["test", "Validation", "val_images"])
def test_a_test_folder_among_the_classes_is_none_of_them(tmp_path: Path, test: str) -> None:
    files = of_classes("pets/", 4) | flat(f"pets/{test}/", 5)
    told = understood(as_zip(tmp_path / "a.zip", files))
    assert told.classes == {"cats": 4, "dogs": 4}
    assert [item.count for item in told.left_out] == [5]


def test_what_lies_beside_the_parts_and_test_pictures_of_no_class_are_left_out(
    tmp_path: Path,
) -> None:
    files = of_classes("f/Training/", 4, ("Apple", "Pear")) | of_classes("f/Test/", 2, ("Apple",))
    files |= flat("f/test-multiple_fruits/", 3) | flat("f/papers/", 2)
    told = understood(as_zip(tmp_path / "a.zip", files))
    assert told.classes == {"Apple": 4, "Pear": 4}
    assert told.test_classes == {"Apple": 2}
    assert sorted((item.what, item.count) for item in told.left_out) == [
        ("f/papers", 2),
        ("f/test-multiple_fruits", 3),
    ]


def test_a_test_part_of_one_folder_has_no_class_of_its_own(tmp_path: Path) -> None:
    files = of_classes("train/", 4) | flat("val/images/", 3)
    told = understood(as_zip(tmp_path / "a.zip", files))
    assert (told.classes, told.test_classes) == ({"cats": 4, "dogs": 4}, None)
    assert [item.count for item in told.left_out] == [3]
