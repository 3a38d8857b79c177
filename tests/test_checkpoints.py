"""A run that broke off goes on as if it had not; and what is kept for that, for how long."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from cnnlab import checkpoints
from cnnlab.checkpoints import Checkpoint, Facts
from cnnlab.spec import (
    DatasetFacts,
    Epoch,
    EpochEnded,
    Event,
    ExperimentSpec,
    LabError,
    PhaseChanged,
    RunResumed,
    Status,
    Window,
    change,
    parse_spec,
)
from cnnlab.training import train

pytestmark = pytest.mark.usefixtures("peaks")

CNN = {
    "family": "cnn",
    "blocks": [{"convs": [{"filters": 6, "kernel": 3}], "pool": 2}],
    "batch_norm": True,
    "dense": [12],
    "dropout": 0.4,
}
DENSE = {"family": "dense", "dense": [24], "batch_norm": True, "dropout": 0.3}
RNN = {"family": "rnn", "cell": "lstm", "recurrent": [8], "dropout": 0.3}
SPEC = parse_spec({"model": CNN, "train_limit": 300, "epochs": 4, "device": "cpu"})
OPTIMIZERS, ENGINES = ("adam", "adamw", "sgd", "rmsprop"), ("stock", "fast")
TWENTY = [
    *({"engine": e, "optimizer": o, "model": CNN} for e, o in product(ENGINES, OPTIMIZERS)),
    *({"engine": e, "optimizer": o, "model": DENSE} for e, o in product(ENGINES, OPTIMIZERS)),
    *({"engine": engine, "model": RNN} for engine in ENGINES),
    *({"engine": engine, "precision": "mixed_bfloat16", "model": CNN} for engine in ENGINES),
]


def fit(
    spec: ExperimentSpec,
    stop: Callable[[list[Event]], bool] = lambda _: False,
    resume: Checkpoint | None = None,
) -> list[Event]:
    """Train for real, with checkpoints as of the run "a"; the events."""
    events: list[Event] = []

    def save(checkpoint: Checkpoint) -> None:
        checkpoints.write("a", checkpoint)

    started = time.monotonic()
    train(spec, events.append, lambda: stop(events), launched_at=started, save=save, resume=resume)
    return events


def rows(events: list[Event]) -> list[tuple[float, ...]]:
    """What each epoch came to, to the last digit."""
    ends = (event.row for event in events if isinstance(event, EpochEnded))
    return [(row.epoch, row.loss, row.accuracy, row.val_loss, row.val_accuracy) for row in ends]


def weights() -> list[np.ndarray]:
    return checkpoints.newest("a").weights


def is_resumed_as_if_it_had_never_stopped(spec: ExperimentSpec, chance: random.Random) -> bool:
    """Train once as a whole and once stopped somewhere, saved, read and resumed."""
    whole, end = fit(spec), weights()
    epochs_first, steps_more = chance.randint(1, spec.epochs - 1), chance.randint(0, 6)

    def stop(events: list[Event]) -> bool:
        done = [type(event) for event in events].count(EpochEnded)
        begun = done == epochs_first and isinstance(events[-1], PhaseChanged | Window)
        stop.more += begun
        return begun and stop.more > steps_more

    stop.more = 0
    checkpoints.discard("a")
    first = fit(spec, stop)
    assert first[-1].status == Status.STOPPED
    second = fit(spec, resume=checkpoints.newest("a"))
    (resumed,) = (event for event in second if isinstance(event, RunResumed))
    assert len(resumed.epochs) == epochs_first
    same = all(map(np.array_equal, weights(), end))
    return rows(first) + rows(second) == rows(whole) and same


@pytest.mark.parametrize(
    "fields",
    [
        *(TWENTY[number] for number in (0, 4, 11, 13, 17, 19)),
        *({"engine": engine, "precision": "mixed_float16", "model": DENSE} for engine in ENGINES),
    ],
    ids=lambda fields: "-".join(str(v) for v in fields.values() if isinstance(v, str)),
)
def test_a_resumed_run_equals_one_that_never_broke_off(fields: dict) -> None:
    assert is_resumed_as_if_it_had_never_stopped(change(SPEC, **fields), random.Random(1))


@pytest.mark.soak
def test_twenty_resumed_runs_equal_uninterrupted_ones(capsys: pytest.CaptureFixture) -> None:
    chance = random.Random(7)
    equal = [
        is_resumed_as_if_it_had_never_stopped(change(SPEC, seed=seed, **fields), chance)
        for seed, fields in enumerate(TWENTY)
    ]
    with capsys.disabled():
        print(
            f"\nresumed runs: {sum(equal)} of {len(equal)} equal, loss by loss and weight by weight"
        )
    assert len(equal) == 20
    assert all(equal)


def test_steps_and_seconds_of_a_resumed_run_go_on_where_they_were() -> None:
    first = fit(change(SPEC, epochs=2))
    checkpoint = checkpoints.newest("a")
    facts = checkpoint.facts.model_copy(update={"spec": SPEC})
    second = fit(SPEC, resume=Checkpoint(facts, checkpoint.weights, checkpoint.optimizer))
    window = next(event for event in second if isinstance(event, Window))
    assert (window.epoch, window.first_step) == (3, 17)
    before = sum(row.seconds for row in checkpoint.facts.epochs)
    assert window.seconds > before
    assert rows(first)[-1][0] == 2
    last_part = [e.row.seconds for e in second if isinstance(e, EpochEnded)]
    assert second[-1].timing.fit_seconds > before + sum(last_part)


def test_a_run_resumed_after_its_last_epoch_only_ends() -> None:
    fit(SPEC)
    (*_, ended) = again = fit(SPEC, resume=checkpoints.newest("a"))
    assert rows(again) == []
    assert ended.status == Status.FINISHED


def test_what_checkpoints_cost_is_outside_the_fit() -> None:
    events: list[Event] = []

    def slow(checkpoint: Checkpoint) -> None:
        time.sleep(0.3)

    train(SPEC, events.append, lambda: False, launched_at=time.monotonic(), save=slow)
    timing = events[-1].timing
    assert timing.other_seconds > 1.2
    inside = timing.warmup_seconds + timing.train_seconds + timing.validation_seconds
    assert timing.fit_seconds == pytest.approx(inside, abs=0.2)


def test_a_disk_that_takes_no_checkpoint_does_not_end_the_training() -> None:
    events: list[Event] = []

    def full(checkpoint: Checkpoint) -> None:
        raise OSError(28, "No space left on device")

    train(SPEC, events.append, lambda: False, launched_at=time.monotonic(), save=full)
    assert events[-1].status == Status.FINISHED
    assert len(rows(events)) == 4


# --- files ----------------------------------------------------------------------------------

DATASET = DatasetFacts(
    name="shapes", train_images=255, validation_images=45, classes=100, image_shape=(32, 32, 3)
)


def checkpoint(epochs: int = 1) -> Checkpoint:
    row = {"loss": float("nan"), "accuracy": 1, "val_loss": 1, "val_accuracy": 1, "seconds": 1}
    done = tuple(Epoch(epoch=n, step_ms_mean=1, **row) for n in range(1, epochs + 1))
    arrays = [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.int64)]
    return Checkpoint(Facts(spec=SPEC, dataset=DATASET, epochs=done), arrays, arrays[::-1])


def file(number: int, run_id: str = "a") -> Path:
    return checkpoints.folder() / run_id / f"{number:05d}.npz"


def test_a_checkpoint_is_read_as_it_was_written() -> None:
    checkpoints.write("a", checkpoint(2))
    read = checkpoints.newest("a")
    assert read.facts.model_dump_json() == checkpoint(2).facts.model_dump_json()
    for kind in ("weights", "optimizer"):
        for one, other in zip(getattr(read, kind), getattr(checkpoint(), kind), strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


def test_the_two_newest_of_a_run_are_kept_and_nothing_half_written() -> None:
    for number in (1, 2, 3, 11):
        checkpoints.write("a", checkpoint(number))
    assert checkpoints.kept("a") == [11, 3]
    assert {path.name for path in file(1).parent.iterdir()} == {"00003.npz", "00011.npz"}


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "noise"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(damage: str) -> None:
    checkpoints.write("a", checkpoint(1))
    checkpoints.write("a", checkpoint(2))
    whole = file(2).read_bytes()
    middle = whole.index(b"\x93NUMPY", 200) + 140  # in the numbers of an array
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    broken = {"cut": whole[:-200], "flipped": flipped, "empty": b"", "noise": os.urandom(4000)}
    file(2).write_bytes(broken[damage])
    assert len(checkpoints.newest("a").facts.epochs) == 1
    file(1).write_bytes(broken[damage])
    with pytest.raises(LabError, match="Every checkpoint of the run a is damaged; train it again"):
        checkpoints.newest("a")


def test_objects_in_a_checkpoint_are_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return (os.mkdir, (str(tmp_path / "sprung"),))

    file(1).parent.mkdir(parents=True)
    facts = np.array(checkpoint().facts.model_dump_json())
    np.savez(file(1), **{"facts": facts, "weight-0000": np.array([Trap()], dtype=object)})
    with pytest.raises(LabError, match="damaged"):
        checkpoints.newest("a")
    assert not (tmp_path / "sprung").exists()


def test_a_checkpoint_of_another_network_or_other_pictures_is_refused() -> None:
    fit(change(SPEC, epochs=1))
    found = checkpoints.newest("a")
    with pytest.raises(LabError, match="belongs to another run"):
        fit(SPEC, resume=found)
    other = found.facts.dataset.model_copy(update={"train_images": 9})
    facts = found.facts.model_copy(update={"dataset": other})
    with pytest.raises(LabError, match="data set shapes holds other pictures"):
        fit(change(SPEC, epochs=1), resume=Checkpoint(facts, found.weights, found.optimizer))
    lacking = Checkpoint(found.facts, found.weights[:-1], found.optimizer)
    with pytest.raises(LabError, match="does not fit the network"):
        fit(change(SPEC, epochs=1), resume=lacking)


class Runs:
    """What a history says of some runs."""

    def __init__(self, settled: set[str], open_: set[str]) -> None:
        self._settled, self._open = settled, open_

    def settled(self, run_ids: list[str]) -> set[str]:
        return self._settled & set(run_ids)

    def open_runs(self) -> set[str]:
        return self._open


def test_checkpoints_go_when_their_run_is_finished_or_deleted_and_beyond_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checkpoints, "MOST_RUNS", 2)
    for age, run_id in enumerate(["open", "new", "done", "middle", "old"]):
        checkpoints.write(run_id, checkpoint())
        os.utime(file(1, run_id), (1e9 - age, 1e9 - age))
    os.utime(file(1, "open"), (1, 1))
    checkpoints.tidy(Runs({"done"}, {"open"}))
    left = {path.name for path in checkpoints.folder().iterdir()}
    assert left == {"open", "new", "middle"}
    monkeypatch.setattr(checkpoints, "MOST_BYTES", file(1, "new").stat().st_size)
    checkpoints.tidy(Runs(set(), set()))
    assert {path.name for path in checkpoints.folder().iterdir()} == {"new"}


def test_there_is_nothing_to_tidy_before_the_first_checkpoint() -> None:
    checkpoints.tidy(Runs(set(), set()))
    assert checkpoints.kept("a") == []
    with pytest.raises(LabError, match="has no checkpoint"):
        checkpoints.newest("a")
