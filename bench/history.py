"""One full run of the History page over 1,000 runs of 20 epochs: server time.

Each time a new session, as a browser that opens the page: the page's script from its first line to
its last, all messages handed over. Arm a is the page as it is; arm b, the baseline, the same while
no row's records are remembered from the last time. The worker process stays away.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from bench.measure import paired, save, summary
from bench.opening import lab_with, opened
from cnnlab.history import rows
from cnnlab.spec import (
    PRESETS,
    DatasetFacts,
    DeviceFacts,
    Epoch,
    ModelFacts,
    RunCard,
    Status,
    Timing,
    change,
)
from cnnlab.ui import lab

RUNS, EPOCHS, PAIRS = 1000, 20, 20
BUDGET_MS = 300.0
DEVICES = (
    DeviceFacts(requested="cpu", used="cpu", name="Example CPU"),
    DeviceFacts(requested="auto", used="cuda:0", name="Example GPU"),
)


def card(number: int) -> RunCard:
    """A finished run; each differs from the others in its spec and its figures."""
    device = DEVICES[number % 2]
    preset = list(PRESETS.values())[number % len(PRESETS)]
    step_ms = 10 + 0.1 * number
    epochs = tuple(
        Epoch(
            epoch=epoch,
            loss=4.6 - 0.1 * epoch,
            accuracy=0.02 * epoch,
            val_loss=4.5 - 0.1 * epoch,
            val_accuracy=0.02 * epoch,
            seconds=20.0,
            step_ms_mean=step_ms,
        )
        for epoch in range(1, EPOCHS + 1)
    )
    return RunCard(
        run_id=f"example-{number}",
        name=f"Run {number}",
        session=lab.SESSION,
        status=Status.FINISHED,
        created_at=f"2026-01-01T{number // 60 % 24:02}:{number % 60:02}:00+00:00",
        spec=change(preset.spec, epochs=EPOCHS, seed=number, device=device.requested),
        model=ModelFacts(parameters=975_692, flops_per_image=193_000_000),
        dataset=DatasetFacts(
            name=preset.spec.dataset,
            train_images=42_500,
            validation_images=7_500,
            classes=100,
            image_shape=(32, 32, 3),
        ),
        device=device,
        environment={"cpu": "Example CPU", "torch": "2.9", "threads": 8},
        timing=Timing(
            fit_seconds=400 + number,
            step_ms_median=step_ms,
            images_per_second=32e3 / step_ms,
        ),
        epochs=epochs,
    )


class Visit:
    """One browser opens the page; each call gives the wall seconds of the page's script."""

    def __init__(self, runs: int, *, remember: bool) -> None:
        self._runs = runs
        self.cpu_seconds: list[float] = []
        self._remember = remember
        self._took = 0.0

    def _around(self, page: Callable[[], object]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        page()
        self._took = time.perf_counter() - wall
        self.cpu_seconds.append(time.process_time() - cpu)

    def __call__(self) -> float:
        if not self._remember:
            rows._parsed.cache_clear()
        opened("history", self._around, self._runs)
        return self._took


def main() -> dict[str, Any]:
    """Measure, keep and return the result."""
    with lab_with([card(number) for number in range(RUNS)]):
        ours, afresh = Visit(RUNS, remember=True), Visit(RUNS, remember=False)
        result = paired(ours, afresh, PAIRS)
    result["name"] = f"The History page over {RUNS:,} runs of {EPOCHS} epochs"
    result["unit"] = "ms"
    for key in ("a", "b"):
        result[key] = {name: 1e3 * value for name, value in result[key].items()}
    result["cpu_ms"] = {
        "a": summary([1e3 * seconds for seconds in ours.cpu_seconds]),
        "b": summary([1e3 * seconds for seconds in afresh.cpu_seconds]),
    }
    result["arms"] = {"a": "the page as it is", "b": "every row read anew"}
    result["budget"] = {"ms": BUDGET_MS}
    save("history", result)
    return result


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
