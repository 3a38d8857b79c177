"""A run's progress on a terminal."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cnnlab import words
from cnnlab.spec import EpochEnded, Event, ExperimentSpec, PhaseChanged, RunStarted, Window


class TrainingProgress:
    """A bar with ms per step, loss and accuracy, and a line for each epoch."""

    def __init__(self, console: Console, spec: ExperimentSpec) -> None:
        self._spec = spec
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = self._bar.add_task("starting", total=None)

    def __enter__(self) -> TrainingProgress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def __call__(self, event: Event) -> None:
        """Show what an event says."""
        match event:
            case PhaseChanged():
                self._bar.update(self._task, description=event.phase)
            case RunStarted():
                data = event.dataset
                total = event.steps_per_epoch * self._spec.epochs
                self._bar.update(self._task, total=total)
                self._bar.console.print(
                    f"{words.count(event.model.parameters)} parameters on {event.device.name}, "
                    f"{words.count(data.train_images)} {words.things(data.kind)} of {data.name}",
                    markup=False,
                )
                for warning in data.warnings:
                    self._bar.console.print(f"Warning: {warning}", markup=False, soft_wrap=True)
            case Window():
                self._bar.update(
                    self._task,
                    completed=event.first_step - 1 + len(event.step_ms),
                    description=_figures(event),
                )
            case EpochEnded():
                row = event.row
                self._bar.console.print(
                    f"epoch {row.epoch}/{self._spec.epochs}  {words.number(row.seconds)} s  "
                    f"{words.number(row.step_ms_mean)} ms/step  loss {row.loss:.4f}  "
                    f"accuracy {row.accuracy:.4f}  val_loss {row.val_loss:.4f}  "
                    f"val_accuracy {row.val_accuracy:.4f}"
                )


def _figures(window: Window) -> str:
    milliseconds = sum(window.step_ms) / max(len(window.step_ms), 1)
    return (
        f"epoch {window.epoch}  {words.number(milliseconds)} ms/step  "
        f"loss {window.loss:.4f}  accuracy {window.accuracy:.4f}"
    )
