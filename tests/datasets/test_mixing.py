"""Which examples train and which validate: the last ones, or of each class its share."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from cnnlab import datasets, training
from cnnlab.datasets import mixing
from cnnlab.report import script
from cnnlab.spec import PRESETS, EpochEnded, Event, RunStarted, SpecError, change, training_part


def sorted_set(path: Path, classes: int = 8, each: int = 50) -> str:
    """Pictures sorted by class, each class bright in a place of its own."""
    y = np.repeat(np.arange(classes), each)
    x = np.random.default_rng(0).integers(0, 60, (len(y), 8, 8), dtype=np.uint8)
    for number, label in enumerate(y):
        x[number, label // 4 * 4 : label // 4 * 4 + 4, label % 4 * 2 : label % 4 * 2 + 2] += 190
    np.savez(path, x_train=x, y_train=y)
    return str(path)


@pytest.mark.parametrize("sizes", [(50, 50, 50), (200, 40, 7), (3, 300, 90)])
@pytest.mark.parametrize("share", [0.15, 0.4])
def test_every_part_has_of_each_class_its_share(sizes: tuple[int, ...], share: float) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    order = mixing.evenly(labels)
    assert sorted(order) == list(range(len(labels)))
    for part in (order[: len(order) // 3], order[training_part(len(order), share) :]):
        counts = np.bincount(labels[part], minlength=len(sizes))
        np.testing.assert_allclose(counts, np.array(sizes) * len(part) / len(labels), atol=1)


@pytest.mark.parametrize("limit", [None, 80])
def test_a_stratified_set_keeps_each_picture_with_its_label(tmp_path: Path, limit) -> None:
    name = sorted_set(tmp_path / "sorted.npz")
    data = datasets.load(name, limit, split="stratified")
    count = limit or 400
    assert len(data.labels) == count
    assert set(np.bincount(data.labels)) == {count // 8}
    for picture, label in zip(data.images[..., 0], data.labels, strict=True):
        place = picture[label // 4 * 4 : label // 4 * 4 + 4, label % 4 * 2 : label % 4 * 2 + 2]
        assert place.min() >= 190
    again = datasets.load(name, limit, split="stratified")
    np.testing.assert_array_equal(again.images, data.images)


def test_sorted_data_are_warned_of_and_mixed_ones_are_not(tmp_path: Path) -> None:
    name = sorted_set(tmp_path / "sorted.npz", classes=20, each=20)
    spec = change(PRESETS["dense"].spec, dataset=name, train_limit=None)
    assert datasets.warnings_for(spec) == ()  # not read yet: nothing is known
    datasets.fetch(name)
    [said] = datasets.warnings_for(spec)
    told = datasets.info(name).understood
    assert told is not None
    assert told.notes == (said,)
    assert said.startswith("60 of the 60 examples to validate on are of classes that have none")
    assert "(17, 18, 19)" in said
    assert "split=stratified" in said
    assert datasets.warnings_for(change(spec, split="stratified")) == ()
    shuffled = np.random.default_rng(0).permutation(400)
    labels = np.repeat(np.arange(20), 20)[shuffled]
    assert mixing.warnings_of(labels, list("abcdefghijklmnopqrst"), 0.15) == ()


def test_a_class_that_hardly_trains_is_warned_of() -> None:
    labels = np.concatenate([np.arange(160) % 2, [2] * 40])
    assert mixing.warnings_of(labels[:200], ("a", "b", "c"), 0.15)
    assert not mixing.warnings_of(np.arange(200) % 3, ("a", "b", "c"), 0.15)


def test_windows_over_time_are_validated_on_the_last_alone(tmp_path: Path) -> None:
    walk = np.random.default_rng(0).normal(0, 1, 90).cumsum()
    lines = ["time,price", *(f"{n},{v}" for n, v in enumerate(walk))]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    with pytest.raises(SpecError, match=r"split is \"stratified\".*only the last ones"):
        datasets.load(str(tmp_path / "a.csv"), split="stratified")


@pytest.mark.parametrize("engine", ["stock", "fast"])
def test_both_engines_validate_on_the_same_pictures_and_the_card_says_so(tmp_path, engine) -> None:
    spec = change(
        PRESETS["dense"].spec,
        dataset=sorted_set(tmp_path / "sorted.npz"),
        train_limit=None,
        engine=engine,
        epochs=12,
        device="cpu",
    )
    found: dict[str, float] = {}
    for split in ("last", "stratified"):
        events: list[Event] = []
        training.train(change(spec, split=split), events.append, bool, launched_at=time.monotonic())
        started = next(event for event in events if isinstance(event, RunStarted))
        assert bool(started.dataset.warnings) == (split == "last")
        assert started.dataset.understood is not None
        assert started.dataset.understood.classes == {str(n): 50 for n in range(8)}
        ended = [event for event in events if isinstance(event, EpochEnded)]
        found[split] = float(ended[-1].row.val_accuracy)
    assert found["last"] < 0.4
    assert found["stratified"] > 0.8


def test_an_exported_script_takes_the_examples_in_the_same_order() -> None:
    labels = np.random.default_rng(0).choice(4, 200, p=(0.5, 0.3, 0.15, 0.05))
    there = {"np": np, "x": np.arange(200), "y": labels[:, None]}
    exec("\n".join(script.EVENLY), there)
    np.testing.assert_array_equal(there["x"], mixing.evenly(labels))
    np.testing.assert_array_equal(there["y"][:, 0], labels[mixing.evenly(labels)])
