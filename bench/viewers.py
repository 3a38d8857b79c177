"""Fifty browsers on one training: how long a refresh takes them, and what they cost the training.

The viewers are real WebSocket sessions of one server, in a process of their own, with the timers
that the page gave them, as a browser has. Once they open the run on the Train page by its link; and
once, in a shared lab, they come in at its door and are brought there by a presenter, who presents
the run to a room all the while. Arm a trains with the viewers there, arm b without them; the figure
is the median step of the steps that fell into a window of `WINDOW_SECONDS`. On a machine whose
cores the viewers share with the training, the slow-down is theirs as well as the server's:
`machine` says how many cores there are.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil

from bench.measure import paired, save
from bench.serving import Server, serving
from bench.visitor import Visitor
from cnnlab.commands.share import command
from cnnlab.history import History
from cnnlab.sharing import PASSPHRASE
from cnnlab.ui import rights

VIEWERS, PAIRS = 50, 3
WINDOW_SECONDS, SETTLE_SECONDS = 20.0, 5.0
REFRESH_BUDGET_SECONDS = 1.5
WORD = "open sesame"
RUN = "preset=tiny&epochs=10000&device=cpu&threads=1"


# --- the viewers ----------------------------------------------------------------------------


async def watch(url: str, query: str, run_id: str, orders: Connection) -> dict[str, Any]:
    """Let all viewers come in and look on until the order to end comes; what they saw."""
    viewers = [Visitor(url, query=query) for _ in range(VIEWERS)]
    for viewer in viewers:  # one after the other, as people come in
        await viewer.__aenter__()
        viewer.tick()
    orders.send("here")
    while not orders.poll():
        await asyncio.sleep(0.1)
    orders.recv()
    for viewer in viewers:
        await viewer.__aexit__()
    seconds = [value for viewer in viewers for value in viewer.refresh_seconds]
    return {
        "errors": [error for viewer in viewers for error in viewer.errors],
        "refreshes": seconds,
        "silent": sum(not viewer.refresh_seconds for viewer in viewers),
        "elsewhere": sum(viewer.query != f"run={run_id}" for viewer in viewers),
        "bytes": sum(viewer.received_bytes for viewer in viewers),
    }


def look_on(url: str, query: str, run_id: str, orders: Connection) -> None:
    """The viewers' process."""
    orders.send(asyncio.run(watch(url, query, run_id, orders)))


async def present(url: str, orders: Connection) -> None:
    """Sign in, start the run and present it until the order to end comes."""
    async with Visitor(url) as presenter:
        await presenter.rerun(presenter.text(rights.WORD, WORD), presenter.click("rights.in"))
        presenter.forget_all()
        await presenter.go("", RUN)
        await presenter.rerun(presenter.click("start"))
        await presenter.go("present", "screen=run")
        presenter.tick()
        orders.send("here")
        while not orders.poll():
            await asyncio.sleep(0.1)


def lead(url: str, orders: Connection) -> None:
    """The presenter's process."""
    asyncio.run(present(url, orders))


@contextmanager
def beside(target: Callable[..., object], *given: object) -> Iterator[Connection]:
    """A process that does as it is told, from when it is ready until the end of the block.

    Raises:
        EOFError: it died before it was ready.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(*given, theirs))
    process.start()
    theirs.close()  # so that a process that dies is heard of
    try:
        assert ours.recv() == "here"
        yield ours
    finally:
        ours.close()
        process.join()


# --- the training -----------------------------------------------------------------------------


async def start(url: str) -> None:
    """Start the run as its presenter would."""
    async with Visitor(url, query=RUN) as visitor:
        await visitor.rerun(visitor.click("start"))


@contextmanager
def trained(home: Path) -> Iterator[Server]:
    """A lab in which the run trains, started by its link."""
    with serving(home) as server:
        asyncio.run(start(server.url))
        yield server


@contextmanager
def presented(home: Path) -> Iterator[Server]:
    """A shared lab in which a presenter has started the run and presents it."""
    with (
        serving(home, lambda port: command(port, []), {PASSPHRASE: WORD}) as server,
        beside(lead, server.url) as presenter,
    ):
        yield server
        presenter.send("enough")


class Measure:
    """The two arms: the median step of a window, with all viewers there and with none."""

    def __init__(self, server: Server, query: str, history: History, run_id: str) -> None:
        self.url, self.query, self.history, self.run_id = server.url, query, history, run_id
        self._server = psutil.Process(server.pid)
        self.seen: list[dict[str, Any]] = []
        self.server_seconds = 0.0
        """Processor time of the server while viewers were there, as told by the system."""

    def with_viewers(self) -> float:
        before = self._server.cpu_times()
        with beside(look_on, self.url, self.query, self.run_id) as viewers:
            step = self.step_ms()
            viewers.send("enough")
            self.seen.append(viewers.recv())
        after = self._server.cpu_times()
        if len(self.seen) > 1:  # the first round does not count
            self.server_seconds += after.user + after.system - before.user - before.system
        return step

    def step_ms(self) -> float:
        """The median step (ms) of the next window."""
        sleep(SETTLE_SECONDS)
        first = len(self.history.steps(self.run_id).ms)
        sleep(WINDOW_SECONDS)
        ms = self.history.steps(self.run_id).ms[first:]
        if not ms:
            raise RuntimeError("the training stands still")
        return statistics.median(ms)


def measured(home: Path, *, led: bool) -> dict[str, Any]:
    """Both arms in turn, and what the viewers saw.

    Args:
        led: viewers come in at the door and follow a presenter; else each opens the run's link.

    Raises:
        RuntimeError: the training did not begin, or stands still.
    """
    os.environ["CNNLAB_HOME"] = str(home)
    with (presented if led else trained)(home) as server:
        history = History()
        run_id = history.summaries()[0].run_id
        end = monotonic() + 300
        while len(history.steps(run_id).ms) < 200:
            if monotonic() > end:
                raise RuntimeError("the training did not begin")
            sleep(0.5)
        arms = Measure(server, "" if led else f"run={run_id}", history, run_id)
        result = paired(arms.with_viewers, arms.step_ms, PAIRS)
        history.close()
    return result | _summed(result, arms)


def _summed(result: dict[str, Any], arms: Measure) -> dict[str, Any]:
    # The first round was to warm up.
    seen = arms.seen[1:]
    refreshes = [value for look in seen for value in look["refreshes"]]
    parts = statistics.quantiles(refreshes, n=100, method="inclusive")
    return {
        "viewers": VIEWERS,
        "errors": [error for look in seen for error in look["errors"]],
        "silent": sum(look["silent"] for look in seen),
        "elsewhere": sum(look["elsewhere"] for look in seen),
        "refreshes": len(refreshes),
        "refresh_seconds": {"median": parts[49], "p95": parts[94], "most": max(refreshes)},
        "slowdown_percent": 100 * (1 / result["ratio"]["median"] - 1),
        "cpu_seconds_per_refresh": arms.server_seconds / len(refreshes),
        "budget": {"p95_refresh_seconds": REFRESH_BUDGET_SECONDS},
    }


def main() -> list[dict[str, Any]]:
    """Measure, keep and return the results."""
    results = [_named(led=False), _named(led=True)]
    save("viewers", results)
    return results


def _named(*, led: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        result = measured(Path(folder), led=led)
    how = "follow a presenter to" if led else "follow"
    result |= {
        "name": f"Step of a training that {VIEWERS} browsers {how}",
        "unit": "ms",
        "arms": {"a": f"{VIEWERS} viewers", "b": "the presenter alone" if led else "no viewer"},
    }
    return result | {"notes": [_note(result)]}


def _note(result: dict[str, Any]) -> str:
    refresh, errors = result["refresh_seconds"], len(result["errors"])
    return (
        f"{result['viewers']} viewers, {result['refreshes']:,} refreshes, {errors} errors, "
        f"{result['silent']} without any refresh, {result['elsewhere']} not at the run, "
        f"{1e3 * result['cpu_seconds_per_refresh']:.0f} ms of the server's processor time each, "
        f"coming in included: p95 {refresh['p95']:.2f} s from the timer to the last message "
        f"(median {refresh['median']:.2f} s; budget {REFRESH_BUDGET_SECONDS:g} s). The training's "
        f"median step is {result['slowdown_percent']:+.0f} % with them; server, training and "
        f"viewers share {result['machine']['cores']} cores."
    )


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
