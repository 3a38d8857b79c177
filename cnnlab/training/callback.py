"""The Keras callback that turns a `fit` into events, and the checkpoints it takes on the way."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import keras

from cnnlab import devices
from cnnlab.checkpoints import Checkpoint, Facts
from cnnlab.engines import Watcher, optimizer_state, seed_epoch
from cnnlab.spec import (
    Epoch,
    EpochEnded,
    Event,
    ExperimentSpec,
    LabError,
    PhaseChanged,
    Window,
)
from cnnlab.training.clocks import clock_for
from cnnlab.training.quiet import Slices, Waited, quiet_seconds

if TYPE_CHECKING:
    from cnnlab.training.keeping import Keeper
    from cnnlab.training.turns import Turns

log = logging.getLogger(__name__)

Emit = Callable[[Event], None]
Stop = Callable[[], bool]
Save = Callable[[Checkpoint], None]

# Loss and accuracy are read from the device this often: live enough for a chart, and at most a
# few waits a second for the device.
WINDOW_SECONDS = 0.3


class Watch(Protocol):
    """Watches a run from its beginning to its end, but for when it holds."""

    def hold(self) -> None: ...
    def go_on(self) -> None: ...


class Diverged(LabError):
    """The loss is no number any more. From its last checkpoint a run would come to this again."""


class Stopped(Exception):
    """Somebody asked the run to stop; raised out of `fit` between two batches."""


class LabCallback(Watcher):
    """Turns a `fit` into events: windows of steps, epochs, and a stop that acts at once.

    It has no `on_train_batch_end`, which would make Keras read the device after every batch: a
    step ends where the next begins, and an epoch's last where its validation begins.
    """

    window_seconds = WINDOW_SECONDS

    def __init__(
        self,
        spec: ExperimentSpec,
        device: str,
        emit: Emit,
        stop: Stop,
        bookmark: Bookmark | None = None,
        turns: Turns | None = None,
    ) -> None:
        super().__init__()
        self.spec, self.device, self.emit, self.stop = spec, device, emit, stop
        self.bookmark, self.turns = bookmark or Bookmark(), turns
        self.watches: tuple[Watch, ...] = ()
        """What watches the run, and is not to watch while others have the machine."""
        self.clock = clock_for(device)
        self.steps, self.test_batches = Slices(), Slices()
        self.began = self.edge = self.epoch_began = self.test_began = time.perf_counter()
        self.epoch = 0
        self.step_ms: list[float] = []
        self.train_seconds = self.validation_seconds = 0.0
        self.wait_ms: list[float] = []
        self.epoch_step = 0

    def tell_apart(self, waited: Waited) -> None:
        """Tell steps that waited for a core from those that did not.

        Args:
            waited: seconds that the run's threads waited since it was last asked.
        """
        self.steps.waited = self.test_batches.waited = waited

    @property
    def tells_apart(self) -> bool:
        """Whether every epoch has a figure that others' use of its cores is not in."""
        rows = self.bookmark.epochs
        return bool(rows) and all(row.quiet_seconds is not None for row in rows)

    def on_train_begin(self, logs: Any = None) -> None:
        # An engine that takes one step a call does not tell when a step is taken, but Keras calls
        # whatever `train_function` is.
        step = self.model.train_function

        def timed_step(data: Any) -> Any:
            logs = step(data)
            self.on_step_taken()
            return logs

        self.model.train_function = timed_step
        self.began = time.perf_counter() - self.bookmark.seconds_before

    def on_step_taken(self) -> None:
        self.step_left = time.perf_counter()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        seed_epoch(self.spec, epoch)
        self.epoch = epoch + 1
        self.epoch_step = len(self.step_ms)
        self.emit(PhaseChanged(phase="training"))
        self.clock.restart()
        self.steps.restart()
        self.epoch_began = self.edge = self.step_left = time.perf_counter()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        now = time.perf_counter()
        self.wait_ms.append((now - self.step_left) * 1e3)
        self._poll()
        if self.turns and self.turns.over:
            self._hold(self.turns, begun=batch > 0)
            now = time.perf_counter()
        self.clock.mark()
        self.steps.mark()
        # The first window closes after one step, so that a chart has something to show.
        if batch and (batch == 1 or now - self.edge >= self.window_seconds):
            self.close_window()

    def _hold(self, turns: Turns, begun: bool) -> None:
        """Let others have the machine; nothing of that is this run's time."""
        if begun:
            self.clock.mark()
            self.steps.rest()
            self.close_window()
        for watch in self.watches:
            watch.hold()
        held = turns.next()
        for watch in self.watches:
            watch.go_on()
        self.clock.restart()
        self.began += held
        self.epoch_began += held
        self.edge = time.perf_counter()
        self._poll()
        self.emit(PhaseChanged(phase="training"))

    def on_test_begin(self, logs: Any = None) -> None:
        self.clock.mark()
        self.bookmark.listen()
        self.steps.close()
        self.close_window()
        now = time.perf_counter()
        self.train_seconds += now - self.epoch_began
        self.test_began = now
        self.emit(PhaseChanged(phase="validating"))
        self.test_batches.restart()

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._poll()
        self.test_batches.mark()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.test_batches.close()
        now = time.perf_counter()
        self.validation_seconds += now - self.test_began
        logs = logs or {}
        seconds = now - self.epoch_began
        steps = len(self.step_ms) - self.epoch_step
        row = Epoch(
            epoch=self.epoch,
            loss=logs["loss"],
            accuracy=logs["accuracy"],
            val_loss=logs["val_loss"],
            val_accuracy=logs["val_accuracy"],
            seconds=seconds,
            quiet_seconds=quiet_seconds(seconds, self.steps.done, self.test_batches.done),
            step_ms_mean=(self.test_began - self.epoch_began) * 1e3 / steps,
        )
        if math.isfinite(row.loss):
            # First, so that an epoch which anybody has heard of can be gone on from.
            self.bookmark.keep(self.model, row)
        self.emit(EpochEnded(row=row))
        if not math.isfinite(row.loss):
            raise _diverged(self.spec, f"epoch {self.epoch}")

    def break_off(self) -> None:
        """Count the part of an epoch that was done when a stop ended it."""
        now = time.perf_counter()
        if self.test_began > self.epoch_began:
            self.validation_seconds += now - self.test_began
        else:
            self.train_seconds += now - self.epoch_began

    def _poll(self) -> None:
        if self.stop():
            raise Stopped

    def close_window(self) -> None:
        """Read the steps since the last window, and tell of them."""
        result = self.model.get_metrics_result()
        times = self.clock.read()
        first = self.bookmark.steps_before + len(self.step_ms) + 1
        self.step_ms += times
        self.edge = time.perf_counter()
        window = Window(
            epoch=self.epoch,
            first_step=first,
            step_ms=tuple(times),
            seconds=self.edge - self.began,
            loss=float(result["loss"]),
            accuracy=float(result["accuracy"]),
            rss_mb=devices.rss_mb(),
            device_mb=devices.device_mb(self.device),
        )
        self.emit(window)
        if math.isnan(window.loss):
            raise _diverged(self.spec, f"step {first + len(times) - 1:,}")


def _diverged(spec: ExperimentSpec, place: str) -> Diverged:
    return Diverged(
        f"The training diverged: the loss was no longer a number at {place}. "
        f"Lower the learning rate, which is {spec.learning_rate:g}, and start again."
    )


class Bookmark:
    """Takes a checkpoint after each epoch, and has what was learnt kept; knows what was done before
    this part of the run.
    """

    def __init__(
        self,
        facts: Facts | None = None,
        steps_per_epoch: int = 0,
        save: Save | None = None,
        resume: Checkpoint | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self.facts, self.save, self.keeper = facts, save, keeper
        self.epochs = resume.facts.epochs if resume else ()
        self.steps_before = len(self.epochs) * steps_per_epoch
        self.seconds_before = sum(row.seconds for row in self.epochs)
        self.seconds = 0.0
        """What all that cost; the ledger counts it as "other"."""

    def listen(self) -> None:
        """A validation begins, whose answers are kept."""
        if self.keeper:
            self.keeper.listen()

    def keep(self, model: keras.Model, row: Epoch) -> None:
        """Save the run as it stands after an epoch, and what it has learnt."""
        self.epochs = (*self.epochs, row)
        began = time.perf_counter()
        weights = model.get_weights() if self.save or self.keeper else []
        if self.save and self.facts:
            facts = self.facts.model_copy(update={"epochs": self.epochs})
            self._save(self.save, Checkpoint(facts, weights, optimizer_state(model)))
        if self.keeper:
            self.keeper.epoch(row, weights)
        self.seconds += time.perf_counter() - began

    def _save(self, save: Save, checkpoint: Checkpoint) -> None:
        """A disk that takes no checkpoint is no reason to lose the training: it goes on without."""
        try:
            save(checkpoint)
        except OSError:
            log.exception("no checkpoint can be kept, so this run cannot be resumed later")
            self.save = None
