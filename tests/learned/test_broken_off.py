"""A run that broke off, was resumed and broke off again hands out nothing under another epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from cnnlab import learned
from cnnlab.learned import Learned, Settings, Writer, open_run
from cnnlab.spec import LabError
from tests.learned import drawn

FALLING = (0.9, 0.5, 0.4)
"""Accuracies of epochs, the first of which is the best of them."""


def without_film() -> None:
    learned.write_settings(Settings(film_mb=0))


def of_epoch(run: Learned, at: learned.At | int) -> float:
    """What the weights say of which epoch they are."""
    return float(run.weights(at)[drawn.NAMES[0]].max())


def unsaid(path: Path) -> None:
    """Write a file as older labs did: it does not say of which epochs it is."""
    save_file(load_file(path), path)


def killed_after_a_stop(accuracies: tuple[float, ...] = (0.3, 0.2, 0.1)) -> Learned:
    """Stopped after epoch 3, resumed, and killed in the epoch after the last of these."""
    drawn.write("a", 3, FALLING)
    drawn.go_on("a", 3, accuracies)
    return open_run("a")


def test_the_weights_of_the_part_before_stay_those_of_their_epoch() -> None:
    without_film()
    run = killed_after_a_stop()
    assert (run.frames, run.end, run.best) == ((3,), 3, 1)
    assert [of_epoch(run, at) for at in ("final", "best", 3, 1)] == [3, 1, 3, 1]
    with pytest.raises(LabError, match="after epoch 6 were not kept; choose one of the epochs 3"):
        run.weights(6)


@pytest.mark.parametrize(
    ("film_mb", "accuracies", "end"),
    [(0, (0.3, 0.95, 0.1), 5), (100, (0.3, 0.2, 0.1), 6)],
    ids=["its best epoch", "a frame of its film"],
)
def test_the_newest_weights_that_can_be_had_are_handed_out_as_what_they_are(
    film_mb: int, accuracies: tuple[float, ...], end: int
) -> None:
    learned.write_settings(Settings(film_mb=film_mb))
    run = killed_after_a_stop(accuracies)
    assert run.end == end == of_epoch(run, "final")


def test_answers_stay_those_of_their_epoch() -> None:
    drawn.write("a", 3, FALLING).end(
        drawn.of_validation(drawn.answers(9, drawn.PICTURES), drawn.answers(8, drawn.PICTURES))
    )
    writer = drawn.go_on("a", 3, (0.95, 0.2))
    found = [open_run("a").predictions("validation", at) for at in ("final", "best")]
    assert [said and said.epoch for said in found] == [3, 1]
    writer.end(drawn.of_validation(drawn.answers(7, drawn.PICTURES)))
    found = [open_run("a").predictions("validation", at) for at in ("final", "best")]
    assert [said and said.epoch for said in found] == [5, None]


def test_answers_are_paired_only_where_they_are_those_of_the_last_epoch() -> None:
    drawn.write("b")
    killed_after_a_stop()
    assert sum(learned.paired(drawn.card("a", 3), drawn.card("b"))["validation"]) == drawn.PICTURES
    assert learned.paired(drawn.card("a", 6), drawn.card("b")) == {}
    assert learned.paired(drawn.card("b"), drawn.card("a", 6)) == {}


def test_a_kill_while_the_end_is_written_makes_no_file_anothers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_film()
    drawn.write("a", 3, FALLING)
    writer = drawn.go_on("a", 3, (0.3, 0.2))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cnnlab.learned.writing.write_facts", killed)
    with pytest.raises(KeyboardInterrupt):
        writer.end({})
    run = open_run("a")
    assert run.facts.epochs == 3
    assert (run.frames, run.end, of_epoch(run, "final")) == ((5,), 5, 5)
    assert len(run.gallery.probabilities) == 5


def test_a_best_epoch_that_was_written_as_the_run_was_killed_is_not_taken_for_the_one_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_film()
    drawn.write("a", 3, FALLING)
    writer = drawn.go_on("a", 3, ())

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("cnnlab.learned.writing.write_facts", killed)
        with pytest.raises(KeyboardInterrupt):
            writer.epoch(drawn.weights(4), 0.95, drawn.answers(4))
    run = open_run("a")
    assert (run.best, of_epoch(run, "best")) == (4, 4)
    with pytest.raises(LabError, match="after epoch 1 were not kept"):
        run.weights(1)
    assert drawn.go_on("a", 4, ()).facts.best_epoch is None


def test_what_is_of_an_epoch_that_comes_again_goes() -> None:
    without_film()
    drawn.write("a", 3, (0.1, 0.2, 0.9))
    drawn.go_on("a", 2, ())
    run = open_run("a")
    assert (run.frames, run.end, run.best, run.parts) == ((), None, None, ())
    assert len(run.gallery.probabilities) == 2
    with pytest.raises(LabError, match="final weights of the run a are not kept any more"):
        run.weights("final")


def test_a_run_that_trains_on_while_it_is_read_is_not_taken_for_what_it_was() -> None:
    without_film()
    drawn.write("a", 3, FALLING)
    before = open_run("a")
    drawn.go_on("a", 3, (0.95,)).end({})
    assert (before.end, before.best) == (4, 4)
    with pytest.raises(LabError, match="after epoch 3 were not kept"):
        before.weights(3)


def test_files_of_older_labs_are_of_the_runs_end_until_it_goes_on(home: Path) -> None:
    without_film()
    place = home / "learned" / "a"
    drawn.write("a", 3, FALLING)
    for file in place.glob("*.safetensors"):
        unsaid(file)
    run = open_run("a")
    assert (run.frames, run.end, run.best) == ((3,), 3, 1)
    said = run.predictions("validation")
    assert said
    assert said.epoch == 3
    drawn.go_on("a", 3, (0.3,))
    run = open_run("a")
    assert (run.frames, run.end, run.best, run.parts) == ((), 1, 1, ())
    assert of_epoch(run, "best") == 1


def test_a_run_that_ends_after_it_was_resumed_is_whole() -> None:
    without_film()
    drawn.write("a", 3, FALLING)
    drawn.go_on("a", 3, (0.3, 0.2)).end(drawn.of_validation(drawn.answers(1, drawn.PICTURES)))
    run = open_run("a")
    assert (run.frames, run.end, run.best) == ((5,), 5, 1)
    assert of_epoch(run, "final") == 5
    answered = run.predictions("validation")
    assert answered
    np.testing.assert_allclose(answered.probabilities, drawn.answers(1, drawn.PICTURES), atol=1e-3)


def test_a_run_that_is_stopped_in_its_first_epoch_after_a_resume_keeps_what_it_had() -> None:
    without_film()
    drawn.write("a", 3, FALLING)
    Writer("a").begin(drawn.about(8), done=3)
    assert (open_run("a").end, of_epoch(open_run("a"), "final")) == (3, 3)
