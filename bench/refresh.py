"""One refresh of a 26,580-step run on its page: server time and bytes sent.

Both arms are the page's own code, drawing all its live charts. Arm a sends them as the page does,
data beside cached specs. Arm b, the baseline, builds the same Altair charts anew and sends them
with `st.altair_chart`. Each refresh runs as a real script run with Streamlit's own context, and
counts until every message is serialised for the browser. Further figures stand beside: the refresh
in CPU time of the process, the page as it stands while a run trains (snapshot, head, metrics, the
charts that are chosen), and that run on the page for a room.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import altair as alt
import numpy as np
import pyarrow as pa
import streamlit as st
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_cache import populate_hash_if_needed
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.runtime_util import serialize_forward_msg
from streamlit.testing.v1 import AppTest

from bench.measure import paired, save, summary
from cnnlab import charts
from cnnlab.charts import one_run
from cnnlab.runner import LiveRun
from cnnlab.spec import (
    PRESETS,
    DatasetFacts,
    DeviceFacts,
    Epoch,
    EpochEnded,
    ModelFacts,
    PhaseChanged,
    RunCard,
    RunStarted,
    Status,
    Window,
)
from cnnlab.ui import live
from cnnlab.ui.room import screens, stage
from cnnlab.ui.run import charts as run_charts
from cnnlab.ui.run import state as run_state
from cnnlab.ui.run import view as run_view

PAIRS = 30
EPOCHS, STEPS_PER_EPOCH = 20, 1329  # the published experiment
STEP_MS, WINDOW_STEPS = 17.0, 18
VALIDATION_SECONDS = 1.2
BUDGET_MS, BUDGET_KB = 15.0, 60.0
RUN_ID = "example"
SPEC = PRESETS["article"].spec


# --- the run --------------------------------------------------------------------------------


def started() -> RunStarted:
    """The run's first word."""
    dataset = DatasetFacts(
        name="cifar100",
        train_images=42_500,
        validation_images=7_500,
        classes=100,
        image_shape=(32, 32, 3),
    )
    return RunStarted(
        model=ModelFacts(parameters=975_692, flops_per_image=193_000_000),
        dataset=dataset,
        device=DeviceFacts(requested="auto", used="cuda:0", name="Example GPU"),
        environment={},
        steps_per_epoch=STEPS_PER_EPOCH,
    )


def windows(epoch: int, random: np.random.Generator) -> Iterator[Window]:
    """An epoch's windows: noisy 17 ms steps, read about every 0.3 s."""
    first, last = (epoch - 1) * STEPS_PER_EPOCH + 1, epoch * STEPS_PER_EPOCH
    for begin in range(first, last + 1, WINDOW_STEPS):
        end = min(begin + WINDOW_STEPS, last + 1)
        ms = STEP_MS * random.lognormal(0, 0.08, end - begin)
        if begin == 1:
            ms[0] = 2500.0
        fall = float(np.exp(-end / (EPOCHS * STEPS_PER_EPOCH)))
        yield Window(
            epoch=epoch,
            first_step=begin,
            step_ms=tuple(ms.tolist()),
            seconds=2.5 + end * STEP_MS / 1e3 + (epoch - 1) * VALIDATION_SECONDS,
            loss=4.6 * fall + random.normal(0, 0.03),
            accuracy=0.8 * (1 - fall) + random.normal(0, 0.01),
            rss_mb=1500 + random.normal(0, 30),
            device_mb=850.0,
        )


def example_run() -> LiveRun:
    """The live record of a run whose last validation is just over."""
    random = np.random.default_rng(0)
    run = LiveRun(RUN_ID, SPEC)
    run.apply(started())
    for number in range(1, EPOCHS + 1):
        for window in windows(number, random):
            run.apply(window)
        row = Epoch(
            epoch=number,
            loss=4.6 - 0.14 * number,
            accuracy=0.025 * number,
            val_loss=4.4 - 0.1 * number,
            val_accuracy=0.02 * number,
            seconds=STEPS_PER_EPOCH * STEP_MS / 1e3 + VALIDATION_SECONDS,
            step_ms_mean=STEP_MS,
        )
        run.apply(EpochEnded(row=row))
    return run


# --- the page -------------------------------------------------------------------------------


def page_state(run: LiveRun) -> run_state.RunState:
    """What the page reads of the run, its columns copied as they are at each refresh."""
    card = RunCard(
        run_id=RUN_ID,
        name="Article",
        session="bench",
        status=Status.RUNNING,
        created_at="2026-01-01T00:00:00+00:00",
        spec=SPEC,
    )
    run.apply(PhaseChanged(phase="training"))  # something new: nothing is known of this moment yet
    with patch.object(run_state, "lab", lambda: SimpleNamespace(queued=list)):
        return run_state._from_lab(card, run.snapshot())


def send_data_beside_cached_specs(run: LiveRun) -> None:
    """Draw every live chart as the page does, those of all tabs."""
    state = page_state(run)
    run_charts.curves(state, None, glides=True)
    run_charts.step_charts(state)
    run_charts.rate_chart(state)
    run_charts.memory_chart(state)


def whole_page(run: LiveRun) -> None:
    """Draw the page as it stands while the run trains."""
    state = page_state(run)
    with patch.object(run_view, "read", lambda card: state):
        run_view._body(state.card, run_view._pace(state), None)


def presented(run: LiveRun) -> None:
    """Draw the run as Present shows it to a room: figures, chart, network and verdict."""
    state = page_state(run)
    with (
        patch.object(screens, "_live_run", lambda: state.card),
        patch.object(screens, "read", lambda card: state),
    ):
        stage._body("run", live.TIMED_SECONDS)


BUILD: dict[str, Callable[[], alt.Chart | alt.LayerChart]] = {
    "accuracy": lambda: one_run.curve("accuracy", "step", charts.ACCELERATOR),
    "loss": lambda: one_run.curve("loss", "step", charts.ACCELERATOR),
    "step_times": lambda: one_run.step_times(charts.ACCELERATOR),
    "step_histogram": lambda: one_run.step_histogram(charts.ACCELERATOR),
    "throughput": lambda: one_run.throughput(charts.ACCELERATOR),
    "memory": lambda: one_run.memory(charts.ACCELERATOR),
}


def send_built_anew(
    name: str, data: pa.Table, spec: charts.Spec, run_id: str, height: str = "content"
) -> None:
    """The usual way to show a chart, in the place of `ui.run.charts.chart`."""
    chart = BUILD[name]().properties(data=data.to_pandas())
    st.altair_chart(
        chart, height=height, key=f"{name}-{run_id}", alt=charts.alt_text(name), **charts.KEEP_ZOOM
    )


def build_and_send_altair_charts(run: LiveRun) -> None:
    """Draw what `send_data_beside_cached_specs` draws, each chart built anew."""
    with patch.object(run_charts, "chart", send_built_anew):
        send_data_beside_cached_specs(run)


# --- measuring ------------------------------------------------------------------------------


# The app that is run, as AppTest wants it: source.
SCRIPT = "import streamlit\nstreamlit.session_state['once']()"


class Arm:
    """One way to refresh: each call is one script run of its own session's app."""

    def __init__(self, refresh: Callable[[LiveRun], None], run: LiveRun) -> None:
        self.bytes: list[int] = []
        self.cpu_seconds: list[float] = []
        self._refresh, self._run = refresh, run
        self._took = (0.0, 0.0)
        self._app = AppTest.from_string(SCRIPT, default_timeout=60)
        self._app.session_state["once"] = self._once

    def _once(self) -> None:
        with self._timing():
            self._refresh(self._run)

    @contextmanager
    def _timing(self) -> Iterator[None]:
        """Add what the block takes to wall and CPU seconds (of all the process's threads)."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self._took = (
            self._took[0] + time.perf_counter() - wall,
            self._took[1] + time.process_time() - cpu,
        )

    def __call__(self) -> float:
        """Server seconds of one refresh: the calls, then hashing and serialising each message."""
        sent: list[ForwardMsg] = []
        self._took = (0.0, 0.0)
        ForwardMsgQueue.on_before_enqueue_msg(sent.append)
        try:
            self._app.run()
        finally:
            ForwardMsgQueue.on_before_enqueue_msg(None)
        if self._app.exception:
            raise RuntimeError(self._app.exception[0].message)
        deltas = [message for message in sent if message.HasField("delta")]
        with self._timing():
            for message in deltas:
                populate_hash_if_needed(message)
            self.bytes.append(sum(len(serialize_forward_msg(message)) for message in deltas))
        self.cpu_seconds.append(self._took[1])
        return self._took[0]

    def figures(self) -> dict[str, Any]:
        """Refresh by itself, without a baseline: wall clock, CPU time and size."""
        ms = summary([1e3 * self() for _ in range(PAIRS + 1)][1:])
        return {"ms": ms, "cpu_ms": self.cpu_ms(), "kilobytes": self.kilobytes()}

    def kilobytes(self) -> dict[str, float]:
        """Sent with each refresh, without the first that was to warm up."""
        return summary([size / 1e3 for size in self.bytes[1:]])

    def cpu_ms(self) -> dict[str, float]:
        """Milliseconds of CPU time, which leave out waiting for other programs on the machine."""
        return summary([1e3 * seconds for seconds in self.cpu_seconds[1:]])


def main() -> dict[str, Any]:
    """Measure, keep and return the result."""
    run = example_run()
    ours = Arm(send_data_beside_cached_specs, run)
    anew = Arm(build_and_send_altair_charts, run)
    result = paired(ours, anew, PAIRS)
    for key in ("a", "b"):
        result[key] = {name: 1e3 * value for name, value in result[key].items()}
    result |= {
        "name": "Refresh of all live charts, 26,580 steps",
        "unit": "ms",
        "arms": {"a": "data beside cached specs", "b": "charts built anew"},
        "kilobytes": {"a": ours.kilobytes(), "b": anew.kilobytes()},
        "cpu_ms": {"a": ours.cpu_ms(), "b": anew.cpu_ms()},
        "page": Arm(whole_page, run).figures(),
        "present": Arm(presented, run).figures(),
        "budget": {"ms": BUDGET_MS, "kilobytes": BUDGET_KB},
    }
    result["notes"] = [
        _charts_note(result),
        *map(_page_note, PAGES, (result[key] for key in PAGES)),
    ]
    save("refresh", result)
    return result


def _charts_note(result: dict[str, Any]) -> str:
    size, cpu = result["kilobytes"], result["cpu_ms"]
    return (
        f"A refresh of all live charts sends {size['a']['median']:.1f} kB "
        f"(built anew: {size['b']['median']:.1f} kB) and takes {cpu['a']['median']:.1f} ms of CPU "
        f"time (built anew: {cpu['b']['median']:.1f} ms). "
        f"The budget is {BUDGET_MS:g} ms and {BUDGET_KB:g} kB."
    )


PAGES = {
    "page": "The page of a training run, with its chosen charts only",
    "present": "The same run on the page for a room",
}


def _page_note(name: str, figures: dict[str, Any]) -> str:
    return (
        f"{PAGES[name]}: {figures['ms']['median']:.1f} ms, "
        f"{figures['cpu_ms']['median']:.1f} ms of CPU time, "
        f"{figures['kilobytes']['median']:.1f} kB."
    )


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
