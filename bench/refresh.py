"""One refresh of all live charts of a 26,580-step run: server time and bytes sent.

Arm a sends data beside cached specs. Arm b, the baseline, builds the same Altair charts anew and
sends them with `st.altair_chart`. Both start from the same columns, run as a real script run with
Streamlit's own context, and count until every message is serialised for the browser.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_cache import populate_hash_if_needed
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.runtime_util import serialize_forward_msg
from streamlit.testing.v1 import AppTest

from bench.measure import paired, save, summary, timed
from cnnlab import analysis, charts
from cnnlab.spec import Epoch

PAIRS = 30
EPOCHS, STEPS_PER_EPOCH, BATCH_SIZE = 20, 1329, 32  # the published experiment
STEP_MS, WINDOW_STEPS = 17.0, 18
BUDGET_MS, BUDGET_KB = 15.0, 60.0


def example_run() -> tuple[analysis.Series, tuple[Epoch, ...]]:
    """Columns as a finished run leaves them: noisy 17 ms steps, a window about every 0.3 s."""
    random = np.random.default_rng(0)
    count = EPOCHS * STEPS_PER_EPOCH
    step = np.arange(1, count + 1)
    ms = STEP_MS * random.lognormal(0, 0.08, count)
    ms[0] = 2500.0
    ends = step % WINDOW_STEPS == 0
    fall = np.exp(-step / count)

    def at_ends(values: np.ndarray) -> np.ndarray:
        return np.where(ends, values, np.nan)

    series = analysis.Series(
        step=step,
        epoch=1 + (step - 1) // STEPS_PER_EPOCH,
        seconds=at_ends(np.cumsum(ms) / 1e3),
        ms=ms,
        loss=at_ends(4.6 * fall + random.normal(0, 0.03, count)),
        accuracy=at_ends(0.8 * (1 - fall) + random.normal(0, 0.01, count)),
        rss_mb=at_ends(1500 + random.normal(0, 5, count).cumsum()),
        device_mb=at_ends(np.full(count, 850.0)),
    )
    epochs = tuple(
        Epoch(
            epoch=number,
            loss=4.6 - 0.14 * number,
            accuracy=0.025 * number,
            val_loss=4.4 - 0.1 * number,
            val_accuracy=0.02 * number,
            seconds=STEPS_PER_EPOCH * STEP_MS / 1e3 + 1.2,
            step_ms_mean=STEP_MS,
        )
        for number in range(1, EPOCHS + 1)
    )
    return series, epochs


def frames(series: analysis.Series, epochs: Sequence[Epoch]) -> dict[str, pd.DataFrame]:
    """What the live page shows of a run, a frame for each chart."""
    both = analysis.curves(series, epochs, STEPS_PER_EPOCH, "step")
    return {
        "loss": analysis.only(both, "loss"),
        "accuracy": analysis.only(both, "accuracy"),
        "step_times": analysis.step_times(series),
        "step_histogram": analysis.step_histogram(series),
        "throughput": analysis.throughput(series, BATCH_SIZE),
        "memory": analysis.memory(series),
    }


def send_data_beside_cached_specs(series: analysis.Series, epochs: Sequence[Epoch]) -> None:
    """The lab's way."""
    specs = {
        "loss": charts.curve_spec("loss", "step", "accelerator"),
        "accuracy": charts.curve_spec("accuracy", "step", "accelerator"),
        "step_times": charts.step_times_spec("accelerator"),
        "step_histogram": charts.step_histogram_spec("accelerator"),
        "throughput": charts.throughput_spec("accelerator"),
        "memory": charts.memory_spec(),
    }
    for name, frame in frames(series, epochs).items():
        text = charts.alt_text(name)
        data = charts.packed(frame)
        st.vega_lite_chart(data, specs[name], key=f"live-{name}", alt=text, **charts.KEEP_ZOOM)


def build_and_send_altair_charts(series: analysis.Series, epochs: Sequence[Epoch]) -> None:
    """The usual way."""
    drawn: dict[str, alt.Chart | alt.LayerChart] = {
        "loss": charts.curve("loss", "step", "accelerator"),
        "accuracy": charts.curve("accuracy", "step", "accelerator"),
        "step_times": charts.step_times("accelerator"),
        "step_histogram": charts.step_histogram("accelerator"),
        "throughput": charts.throughput("accelerator"),
        "memory": charts.memory(),
    }
    for name, frame in frames(series, epochs).items():
        text = charts.alt_text(name)
        chart = drawn[name].properties(data=frame)
        st.altair_chart(chart, key=f"live-{name}", alt=text, **charts.KEEP_ZOOM)


def script(once: object) -> None:
    """The app that is run. Its source is copied, so it may name nothing but built-ins."""
    once()


class Arm:
    """One way to refresh: each call is one script run of its own session's app."""

    def __init__(self, refresh: Callable[[Any, Any], None], run: Any) -> None:
        self.bytes: list[int] = []
        self._refresh = timed(lambda: refresh(*run))
        self._inside = 0.0
        self._app = AppTest.from_function(script, kwargs={"once": self._once}, default_timeout=60)

    def _once(self) -> None:
        self._inside = self._refresh()

    def __call__(self) -> float:
        """Server seconds of one refresh: the calls, then hashing and serialising each message."""
        sent: list[ForwardMsg] = []
        ForwardMsgQueue.on_before_enqueue_msg(sent.append)
        try:
            self._app.run()
        finally:
            ForwardMsgQueue.on_before_enqueue_msg(None)
        if self._app.exception:
            raise RuntimeError(self._app.exception[0].message)
        deltas = [message for message in sent if message.HasField("delta")]
        began = time.perf_counter()
        for message in deltas:
            populate_hash_if_needed(message)
        self.bytes.append(sum(len(serialize_forward_msg(message)) for message in deltas))
        return self._inside + time.perf_counter() - began


def main() -> dict[str, Any]:
    """Measure, keep and return the result."""
    run = example_run()
    ours = Arm(send_data_beside_cached_specs, run)
    usual = Arm(build_and_send_altair_charts, run)
    result = paired(ours, usual, PAIRS)
    result["name"] = "Refresh of all live charts, 26,580 steps"
    result["unit"] = "ms"
    for key in ("a", "b"):
        result[key] = {name: 1e3 * value for name, value in result[key].items()}
    result["arms"] = {"a": "data beside cached specs", "b": "charts built anew"}
    result["kilobytes"] = {
        "a": summary([size / 1e3 for size in ours.bytes]),
        "b": summary([size / 1e3 for size in usual.bytes]),
    }
    result["budget"] = {"ms": BUDGET_MS, "kilobytes": BUDGET_KB}
    result["points"] = {name: len(frame) for name, frame in frames(*run).items()}
    save("refresh", result)
    return result


if __name__ == "__main__":
    outcome = main()
    print(json.dumps(outcome, indent=2))
    print(
        f"One refresh: {outcome['a']['median']:.1f} ms and "
        f"{outcome['kilobytes']['a']['median']:.1f} kB; charts built anew: "
        f"{outcome['b']['median']:.1f} ms and {outcome['kilobytes']['b']['median']:.1f} kB "
        f"({outcome['pairs']} pairs, {outcome['ratio']['median']:.1f} times as fast, "
        f"quartiles {outcome['ratio']['quartile_low']:.1f} to "
        f"{outcome['ratio']['quartile_high']:.1f})."
    )
