"""What a run has learnt is kept, within the room it may take, and read as it was written."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cnnlab import learned
from cnnlab.learned import Settings, Writer, files, open_run
from cnnlab.learned.writing import film_every
from cnnlab.spec import LabError, Paired
from tests.learned import drawn


def test_what_was_kept_is_read_as_it_was_written(home):
    drawn.write("a", 3, (0.5, 0.9, 0.7))
    run = open_run("a")
    assert run.frames == (1, 2, 3)
    assert list(run.weights(2)) == list(drawn.NAMES)
    for at, epoch in (("final", 3), ("best", 2), (1, 1), (2, 2), (3, 3)):
        assert all((array == epoch).all() for array in run.weights(at).values()), at
    assert (run.facts.epochs, run.facts.best_epoch) == (3, 2)
    assert run.facts.class_names == ("cat", "dog", "owl")
    found = run.predictions("validation")
    assert found.probabilities.dtype == np.float16
    np.testing.assert_allclose(found.probabilities, drawn.answers(99, 9), atol=1e-3)
    assert found.labels.tolist() == [0, 1, 2] * 3
    assert run.parts == ("validation",)
    assert run.predictions("test") is None
    assert run.predictions("validation", "best") is None
    gallery = run.gallery
    assert gallery.probabilities.shape == (3, drawn.SHOWN, drawn.CLASSES)
    np.testing.assert_allclose(gallery.probabilities[1], drawn.answers(2), atol=1e-3)
    assert gallery.indices.tolist() == [100, 101, 102, 103]
    on_disk = {p.name: p.stat().st_size for p in (home / "learned" / "a").glob("*.safetensors")}
    for part in ("final", "best", "predictions", "gallery"):
        assert run.facts.sizes[part] == on_disk[f"{part}.safetensors"]


def test_arrays_are_kept_whatever_way_they_lie_in_memory(tmp_path):
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    arrays = {"a": array.transpose(2, 0, 1), "b": array[:, ::2], "c": np.asfortranarray(array)}
    files.write_arrays(tmp_path / "a.safetensors", arrays)
    found = files.read_arrays(tmp_path / "a.safetensors")
    assert all(np.array_equal(found[name], array) for name, array in arrays.items())


def test_another_labs_home_can_be_read(home, tmp_path):
    drawn.write("a")
    home.rename(tmp_path / "elsewhere")
    assert open_run("a", home=tmp_path / "elsewhere").frames == (1, 2, 3)


@pytest.mark.parametrize("run_id", ["", "..", "../a", "a/b", ".deleted", "c:\\a"])
def test_a_name_that_leads_elsewhere_is_no_run(run_id):
    with pytest.raises(LabError, match="no run's id"):
        open_run(run_id)


def test_where_nothing_was_kept_the_cure_is_said():
    with pytest.raises(LabError, match="train it again"):
        open_run("nobody")
    assert not learned.kept("nobody")


def test_a_damaged_file_is_named(home):
    drawn.write("a")
    path = home / "learned" / "a" / "final.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(LabError, match=r"final\.safetensors is damaged"):
        open_run("a").weights("final")
    (home / "learned" / "a" / "predictions.safetensors").write_bytes(b"no arrays")
    with pytest.raises(LabError, match=r"predictions\.safetensors is damaged"):
        _ = open_run("a").parts
    (home / "learned" / "a" / "facts.json").write_text("{")
    with pytest.raises(LabError, match=r"facts\.json is damaged"):
        open_run("a")


def test_facts_cannot_name_a_file_elsewhere(home):
    drawn.write("a")
    path = home / "learned" / "a" / "facts.json"
    path.write_text(path.read_text().replace("film/0001.safetensors", "../../secret.safetensors"))
    with pytest.raises(LabError, match="damaged"):
        open_run("a")


@pytest.mark.parametrize(
    ("epochs", "frame", "limit", "every"),
    [
        (20, 4_000_000, 100_000_000, 1),  # the article's network: 80 MB
        (50, 4_000_000, 100_000_000, 2),
        (100, 4_000_000, 100_000_000, 4),
        (1_000, 1_000, 100_000_000, 8),  # no more than anybody looks at
        (3, 4_000_000, 3_000_000, 0),
        (3, 4_000_000, 0, 0),
        (1, 4_000_000, 4_000_000, 1),
    ],
)
def test_a_film_is_thinned_evenly_until_it_fits(epochs, frame, limit, every):
    assert film_every(epochs, frame, limit) == every
    frames = epochs // every if every else 0
    assert frames * frame <= limit
    assert frames <= files.MOST_FRAMES


def test_a_film_that_does_not_fit_leaves_the_end_and_the_best(home):
    learned.write_settings(Settings(film_mb=0))
    drawn.write("a", 3, (0.1, 0.9, 0.2))
    run = open_run("a")
    assert run.frames == (3,)
    assert run.weights(2)[drawn.NAMES[0]].max() == 2  # the best epoch's
    assert list((home / "learned" / "a" / "film").iterdir()) == []
    with pytest.raises(LabError, match="after epoch 1 were not kept"):
        run.weights(1)


def test_an_accuracy_that_is_no_number_is_never_the_best():
    writer = Writer("a")
    writer.begin(drawn.about(2), done=0)
    writer.epoch(drawn.weights(1), math.nan, drawn.answers(1))
    assert writer.facts.best_epoch is None
    writer.epoch(drawn.weights(2), 0.0, drawn.answers(2))
    assert writer.facts.best_epoch == 2


def test_a_run_that_ended_before_its_first_epoch_leaves_nothing():
    writer = Writer("a")
    writer.begin(drawn.about(2), done=0)
    writer.end({})
    assert not learned.kept("a")


# --- resuming -------------------------------------------------------------------------------


def test_a_film_goes_on_where_a_run_is_resumed():
    drawn.write("a", 2)
    writer = Writer("a")
    writer.begin(drawn.about(4), done=2)
    for epoch in (3, 4):
        writer.epoch(drawn.weights(epoch), 0.1, drawn.answers(epoch))
    writer.end({})
    run = open_run("a")
    assert run.frames == (1, 2, 3, 4)
    assert (run.facts.epochs, run.facts.best_epoch) == (4, 2)
    np.testing.assert_allclose(run.gallery.probabilities[0], drawn.answers(1), atol=1e-3)
    np.testing.assert_allclose(run.gallery.probabilities[3], drawn.answers(4), atol=1e-3)


def test_what_was_kept_beyond_the_checkpoint_is_forgotten():
    drawn.write("a", 3, (0.1, 0.2, 0.3))
    writer = Writer("a")
    facts = writer.begin(drawn.about(4), done=2)
    assert [frame.epoch for frame in facts.frames] == [1, 2]
    assert facts.best_epoch is None  # epoch 3 was the best, and is to be trained again


def test_epochs_that_were_lost_in_a_kill_are_unknown_and_not_nought():
    drawn.write("a", 1)
    writer = Writer("a")
    writer.begin(drawn.about(4), done=3)
    writer.epoch(drawn.weights(4), 0.9, drawn.answers(4))
    writer.end({})
    rows = open_run("a").gallery.probabilities
    assert [bool(np.isnan(row).any()) for row in rows] == [False, True, True, False]


def test_a_film_is_thinned_further_where_its_limit_was_lowered(home):
    drawn.write("a", 4)
    learned.write_settings(Settings(film_mb=1))
    facts = Writer("a").begin(drawn.about(8, frame_bytes=200_000), done=4)
    assert facts.film_every == 2
    assert sorted(p.name for p in (home / "learned" / "a" / "film").iterdir()) == [
        "0002.safetensors",
        "0004.safetensors",
    ]


# --- two runs -------------------------------------------------------------------------------


def right_about(*places: int) -> np.ndarray:
    """Answers to nine pictures, right about these alone."""
    labels = np.arange(9) % drawn.CLASSES
    said = np.where(np.isin(np.arange(9), places), labels, (labels + 1) % drawn.CLASSES)
    return np.eye(drawn.CLASSES, dtype=np.float32)[said]


def written(run_id: str, *right: int, count: int = 9) -> None:
    writer = drawn.write(run_id)
    writer.end(drawn.of_validation(right_about(*right)[:count]))


def test_two_runs_are_counted_on_the_same_pictures():
    written("a", 0, 1, 2, 3, 4)
    written("b", 0, 1, 5)
    assert learned.paired(drawn.card("a"), drawn.card("b")) == {"validation": Paired(2, 3, 1, 3)}


def test_runs_of_other_pictures_are_not_paired():
    written("a", 0, 1)
    written("b", 0, 1, count=8)
    assert learned.paired(drawn.card("a"), drawn.card("b")) == {}
    assert learned.paired(drawn.card("a"), drawn.card("nobody")) == {}
