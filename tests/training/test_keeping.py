"""What a run learns is kept as it was, what it answers is told, and neither changes the run."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest

from cnnlab import checkpoints, datasets, learned, models
from cnnlab.checkpoints import Checkpoint
from cnnlab.learned import Writer, open_run
from cnnlab.spec import (
    Answered,
    EpochEnded,
    Event,
    ExperimentSpec,
    GalleryChosen,
    LabError,
    PhaseChanged,
    RunEnded,
    Status,
    change,
    parse_spec,
)
from cnnlab.training import train
from cnnlab.training.keeping import chosen

CLASSES, TRAIN, TEST = 5, 400, 90
CNN = {"family": "cnn", "blocks": [{"convs": [{"filters": 4}], "pool": 2}], "batch_norm": True}
DENSE = {"family": "dense", "dense": [12]}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Bars at places that tell the class, in noise; with a test part."""
    drawn = np.random.default_rng(0)
    y = drawn.integers(0, CLASSES, TRAIN + TEST)
    x = drawn.integers(0, 120, (TRAIN + TEST, 12, 12), dtype=np.uint8)
    for picture, label in zip(x, y, strict=True):
        picture[:, 2 * label] += 100
    path = tmp_path_factory.mktemp("data") / "bars.npz"
    np.savez(path, x_train=x[:TRAIN], y_train=y[:TRAIN], x_test=x[TRAIN:], y_test=y[TRAIN:])
    return path


def spec_of(pictures: Path, **fields) -> ExperimentSpec:
    plain = {"model": CNN, "epochs": 3, "batch_size": 32, "device": "cpu"}
    return parse_spec({**plain, "dataset": str(pictures), "learning_rate": 0.01, **fields})


def fit(
    spec: ExperimentSpec,
    stop: Callable[[list[Event]], bool] = lambda _: False,
    *,
    keep: bool = True,
    resume: Checkpoint | None = None,
) -> list[Event]:
    """Train for real, as the run "a"; the events."""
    events: list[Event] = []
    train(
        spec,
        events.append,
        lambda: stop(events),
        launched_at=time.monotonic(),
        save=partial(checkpoints.write, "a"),
        resume=resume,
        keep=partial(Writer, "a") if keep else None,
    )
    return events


def rows(events: list[Event]) -> list:
    return [event.row for event in events if isinstance(event, EpochEnded)]


def learnt(events: list[Event]) -> list[tuple[float, ...]]:
    return [(row.loss, row.accuracy, row.val_loss, row.val_accuracy) for row in rows(events)]


def rebuilt(spec: ExperimentSpec, weights: dict[str, np.ndarray]) -> keras.Model:
    """The network of a spec with kept weights, by Keras alone."""
    with keras.device("cpu"):
        model = models.build_model(spec, (12, 12, 1), CLASSES)
        model.set_weights(list(weights.values()))
    return model


def answered(model: keras.Model, images: np.ndarray) -> np.ndarray:
    with keras.device("cpu"):
        return model.predict(images / 255.0, verbose=0)


@pytest.mark.parametrize("engine", ["fast", "stock"])
@pytest.mark.parametrize("model", [CNN, DENSE], ids=["cnn", "dense"])
def test_what_is_kept_is_what_the_run_was(pictures, engine, model):
    spec = spec_of(pictures, engine=engine, model=model)
    events = fit(spec)
    run, data = open_run("a"), datasets.for_spec(spec)
    assert run.frames == (1, 2, 3)
    end = checkpoints.newest("a").weights
    assert all(map(np.array_equal, run.weights("final").values(), end))
    best = max(rows(events), key=lambda row: row.val_accuracy)
    assert run.facts.best_epoch == best.epoch
    for at, row in (("final", rows(events)[-1]), ("best", best)):
        network = rebuilt(spec, run.weights(at))
        found = run.predictions("validation", at)
        images, labels = data.images[found.indices], data.labels[found.indices]
        assert labels.tolist() == found.labels.tolist() == data.labels[-60:].tolist()
        np.testing.assert_allclose(found.probabilities, answered(network, images), atol=2e-3)
        right = (found.probabilities.argmax(1) == found.labels).mean()
        assert right == pytest.approx(row.val_accuracy, abs=1 / 60)  # float16 may break a tie
        on_test = run.predictions("test", at)
        expected = answered(network, data.test.images)
        np.testing.assert_allclose(on_test.probabilities, expected, atol=2e-3)


@pytest.mark.parametrize("engine", ["fast", "stock"])
def test_the_test_set_is_what_keras_says_of_the_last_weights(pictures, engine):
    spec = spec_of(pictures, engine=engine)
    events = fit(spec)
    test, data = events[-1].test, datasets.for_spec(spec)
    network = rebuilt(spec, open_run("a").weights("final"))
    network.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    with keras.device("cpu"):
        said = network.evaluate(data.test.images / 255.0, data.test.labels, verbose=0)
    assert (test.loss, test.accuracy) == pytest.approx(said, abs=1e-5)
    assert test.images == TEST
    assert [e.phase for e in events if isinstance(e, PhaseChanged)].count("testing") == 1


def test_the_gallery_is_told_epoch_by_epoch_and_kept(pictures):
    spec = spec_of(pictures)
    events = fit(spec)
    (shown,) = (event for event in events if isinstance(event, GalleryChosen))
    told = [event for event in events if isinstance(event, Answered)]
    gallery, data = open_run("a").gallery, datasets.for_spec(spec)
    assert shown.indices == tuple(gallery.indices.tolist())
    assert len(shown.indices) == 24
    assert data.labels[gallery.indices].tolist() == list(shown.labels)
    assert sorted(set(shown.labels)) == list(range(CLASSES))
    assert min(shown.indices) >= 340
    assert [event.epoch for event in told] == [1, 2, 3]
    for event, row in zip(told, gallery.probabilities, strict=True):
        assert [list(three) for three in event.classes] == np.argsort(-row, axis=1, kind="stable")[
            :, :3
        ].tolist()
        top = [shares[0] for shares in event.shares]
        np.testing.assert_allclose(top, row.max(1), atol=1e-3)
    final = open_run("a").predictions("validation")
    of_gallery = np.isin(final.indices, gallery.indices).nonzero()[0]
    by_index = dict(zip(final.indices[of_gallery], final.probabilities[of_gallery], strict=True))
    for place, index in enumerate(gallery.indices):
        assert np.array_equal(gallery.probabilities[-1][place], by_index[index])


@pytest.mark.parametrize("engine", ["fast", "stock"])
def test_keeping_changes_nothing_of_the_run(pictures, engine):
    spec = spec_of(pictures, engine=engine)
    assert learnt(fit(spec)) == learnt(fit(spec, keep=False))


def test_where_nothing_is_kept_the_run_is_tested_all_the_same(pictures, home):
    ended = fit(spec_of(pictures), keep=False)[-1]
    assert ended.test.images == TEST
    assert not (home / "learned").exists()


def test_a_run_that_is_stopped_while_it_is_tested_has_finished_without_a_figure(pictures):
    def tested(events: list[Event]) -> bool:
        return isinstance(events[-1], PhaseChanged) and events[-1].phase == "testing"

    events = fit(spec_of(pictures, epochs=1), tested)
    assert (events[-1].status, events[-1].test) == (Status.FINISHED, None)
    run = open_run("a")
    assert run.frames == (1,)
    assert run.predictions("validation") is not None
    assert run.predictions("test") is None


def test_data_without_a_test_set_have_no_figure_of_one(pictures):
    spec = change(spec_of(pictures), dataset="shapes10", train_limit=100, epochs=1)
    assert fit(spec)[-1].test is None
    assert open_run("a").predictions("test") is None


def test_shares_of_each_class_are_found_in_the_data_set_again(pictures):
    spec = spec_of(pictures, split="stratified", train_limit=200)
    fit(spec)
    found = open_run("a").predictions("validation")
    whole = datasets.load(str(pictures))
    assert whole.labels[found.indices].tolist() == found.labels.tolist()
    in_order = datasets.for_spec(spec)
    assert np.array_equal(whole.images[found.indices], in_order.images[170:])


@pytest.mark.parametrize("engine", ["fast", "stock"])
def test_a_film_goes_on_and_the_best_is_not_lost_where_a_run_is_resumed(pictures, engine):
    spec = spec_of(pictures, engine=engine, epochs=4)
    whole = fit(spec)
    expected, best = open_run("a"), open_run("a").predictions("test", "best")
    frames = {epoch: expected.weights(epoch) for epoch in expected.frames}
    learned.discard("a")
    checkpoints.discard("a")

    def in_the_third_epoch(events: list[Event]) -> bool:
        return len(rows(events)) == 2 and isinstance(events[-1], PhaseChanged)

    stopped = fit(spec, in_the_third_epoch)[-1]
    assert (stopped.status, stopped.test) == (Status.STOPPED, None)
    halfway = open_run("a")
    assert halfway.frames == (1, 2)
    assert all(map(np.array_equal, halfway.weights("final").values(), frames[2].values()))
    ended = fit(spec, resume=checkpoints.newest("a"))[-1]
    run = open_run("a")
    assert ended.test == whole[-1].test
    assert run.frames == (1, 2, 3, 4)
    for epoch, weights in frames.items():
        assert all(map(np.array_equal, run.weights(epoch).values(), weights.values()))
    assert run.facts.best_epoch == expected.facts.best_epoch
    np.testing.assert_allclose(
        run.predictions("test", "best").probabilities, best.probabilities, atol=2e-3
    )
    expected_best = rebuilt(spec, frames[run.facts.best_epoch])
    found = run.predictions("validation", "best")
    images = datasets.for_spec(spec).images[found.indices]
    np.testing.assert_allclose(found.probabilities, answered(expected_best, images), atol=2e-3)


def test_a_run_that_is_killed_after_it_was_resumed_hands_out_each_epochs_own(pictures):
    learned.write_settings(learned.Settings(film_mb=0))
    spec = spec_of(pictures, epochs=6)
    ends: dict[int, list[np.ndarray]] = {}

    def stopped(events: list[Event]) -> bool:
        if done := len(rows(events)):
            ends.setdefault(rows(events)[-1].epoch, checkpoints.newest("a").weights)
        return done == 2

    def killed(events: list[Event]) -> bool:
        if stopped(events):
            raise KeyboardInterrupt
        return False

    fit(spec, stopped)
    with pytest.raises(KeyboardInterrupt):
        fit(spec, killed, resume=checkpoints.newest("a"))
    run = open_run("a")
    assert sorted(ends) == [1, 2, 3, 4]
    assert run.frames == (2,)
    for at, epoch in (("final", run.end), ("best", run.best), (2, 2)):
        assert all(map(np.array_equal, run.weights(at).values(), ends[epoch])), at
    said = run.predictions("validation")
    assert said.epoch == 2
    network = rebuilt(spec, run.weights(2))
    images = datasets.for_spec(spec).images[said.indices]
    np.testing.assert_allclose(said.probabilities, answered(network, images), atol=2e-3)


def test_a_disk_that_takes_no_more_ends_no_run(pictures, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cnnlab.learned.writing.write_arrays", full)
    ended = fit(spec_of(pictures))[-1]
    assert isinstance(ended, RunEnded)
    assert ended.status == Status.FINISHED
    with pytest.raises(LabError):
        open_run("a").weights("final")


def test_what_it_costs_is_no_part_of_what_is_timed(pictures, monkeypatch):
    slow = Writer.epoch

    def slowly(*arguments: object) -> None:
        time.sleep(0.3)
        slow(*arguments)

    monkeypatch.setattr(Writer, "epoch", slowly)
    events = fit(spec_of(pictures))
    timing = events[-1].timing
    assert timing.other_seconds > 0.9
    assert timing.fit_seconds + 0.9 < timing.total_seconds
    assert sum(row.seconds for row in rows(events)) <= timing.fit_seconds + 0.05


@pytest.mark.parametrize(("classes", "count"), [(3, 10), (10, 500), (100, 1000)])
def test_the_pictures_shown_are_the_same_ones_of_many_classes(classes, count):
    labels = np.random.default_rng(1).integers(0, classes, count)
    places = chosen(labels)
    assert np.array_equal(places, chosen(labels))
    assert len(set(places.tolist())) == min(24, count)
    assert len(set(labels[places].tolist())) == min(classes, 24, len(set(labels.tolist())))
