"""What many machines cost one lab: nodes that only talk, each a process of its own.

`python -m bench.simulated_cluster` opens a lab on a PostgreSQL of its own, with a history of
10,000 runs, and lets more and more nodes train at once: each tells of its steps every 0.3 s, as a
real one does, and trains nothing. For every number of nodes it says what the lab uses, how
many statements the database gets, how late what a node says is in the history, and how long the
History page takes meanwhile. Then the nodes' runs are as short as can be: how many a day is that?

It stops at the number where the half of what nodes say comes later than a second, or where not all
of them come to train.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from statistics import median, quantiles
from typing import Any
from unittest.mock import patch

import psutil
from sqlalchemy import Engine, create_engine, event

from bench import many_runs
from bench.measure import machine, save
from bench.opening import no_worker, opened
from cnnlab.history import History
from cnnlab.runner import Lab
from cnnlab.runner.process import Process, Worker
from cnnlab.spec import Event, ExperimentSpec, GpuOff, Status, Window, change
from cnnlab.ui import held, lab
from tests.example_runs import CPU, TINY, ended, epoch, started
from tests.postgres_server import Server, server

NODES = (1, 25, 50, 100, 200, 300, 400)
SECONDS = 5.0
"""Of measuring, for each number of nodes."""
WINDOW_SECONDS, EPOCH_WINDOWS, STEPS = 0.3, 20, 20
"""Between two words of a node; how many make an epoch; steps in each."""
LATE_SECONDS, PATIENCE_SECONDS = 1.0, 45.0
KEPT_RUNS = 10_000
DAY_SECONDS = 86_400
AT_ONCE = 50
"""Runs that are begun together: a lab lets no more than 100 wait."""

TALK = """
import json, sys, time
pause, epochs, windows, steps, hello, begun, window, epoch, ended = sys.argv[1:10]
print(hello, flush=True)
sys.stdin.readline()
print(begun, flush=True)
window, epoch, step = json.loads(window), json.loads(epoch), 1
for number in range(1, int(epochs) + 1):
    for _ in range(int(windows)):
        time.sleep(float(pause))
        window |= {"epoch": number, "first_step": step, "seconds": time.monotonic()}
        print(json.dumps(window), flush=True)
        step += int(steps)
    epoch["row"]["epoch"] = number
    print(json.dumps(epoch), flush=True)
print(ended, flush=True)
"""


def talking(epochs: int, pause_seconds: float, windows: int) -> tuple[str, ...]:
    """The command of a process that speaks as a training process does.

    In the seconds of a window it says when it spoke, by a clock that all processes share.
    """
    *_, last = epoch(1, 1.0)
    steps = Window(
        epoch=1, first_step=1, step_ms=(15.0,) * STEPS, seconds=0.0, loss=1.0, accuracy=0.5
    )
    said: list[Event] = [started(TINY, CPU), steps, last, ended(epochs, 15.0, Status.FINISHED)]
    pace = (str(pause_seconds), str(epochs), str(windows), str(STEPS))
    hello = json.dumps({"kind": "hello", "hardware": {}})
    return (sys.executable, "-S", "-c", TALK, *pace, hello, *(e.model_dump_json() for e in said))


LONG, SHORT = talking(10_000, WINDOW_SECONDS, EPOCH_WINDOWS), talking(1, 0.0, 1)


class Listening(History):
    """A history that notes how late it takes what is said."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.late: list[float] = []

    def record(self, run_id: str, event: Event) -> None:
        super().record(run_id, event)
        if isinstance(event, Window):
            self.late.append(time.monotonic() - event.seconds)


@dataclass
class Cost:
    """What so many nodes cost."""

    nodes: int
    threads: int
    rss_mb: float
    cores: float
    """Processor time of the lab's process, of one core's."""
    connections: int
    statements_per_second: float
    words_per_second: float
    """Of steps and epochs that reached the history; one node says 3.3."""
    late_seconds: float
    late_seconds_p95: float
    page_ms: float


@dataclass
class Simulation:
    """One lab, its history on a server, and its nodes."""

    server: Server
    address: str
    statements: int = 0
    command: tuple[str, ...] = LONG
    started: list[str] = field(default_factory=list)

    def worker(self, machine: str, gpu_off: GpuOff) -> Process:
        """A training process on a node."""
        return Worker(gpu_off, {}, self.command)

    def count(self, *_: object) -> None:
        self.statements += 1

    def begin(self, nodes: int) -> bool:
        """Let more nodes train, until there are so many; whether it came to that."""
        for number in range(len(self.started), nodes):
            run_id = lab.lab().submit(on(number), name=f"node {number}", session=lab.SESSION)
            self.started.append(run_id)
            if number % AT_ONCE == 0:
                wait(lambda: not lab.lab().queued())
        return wait(lambda: len(lab.lab().training()) == nodes)

    def cost(self, nodes: int) -> Cost | None:
        """What they cost, over some seconds; None where not all of them came to train."""
        if not self.begin(nodes):
            return None
        history, process = lab.history(), psutil.Process()
        assert isinstance(history, Listening)
        history.late = []
        before, began, statements = process.cpu_times(), time.monotonic(), self.statements
        time.sleep(SECONDS)
        after, took = process.cpu_times(), time.monotonic() - began
        late = sorted(history.late)
        used = after.user + after.system - before.user - before.system
        asked = (self.statements - statements) / took
        return Cost(
            nodes,
            process.num_threads(),
            process.memory_info().rss / 1e6,
            used / took,
            self.connections(),
            asked,
            len(late) / took,
            median(late),
            quantiles(late, n=20)[-1],
            page_ms(),
        )

    def connections(self) -> int:
        """That the server has of labs, this look left out."""
        engine = create_engine(self.address)
        with engine.connect() as connection:
            query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cnnlab'"
            found = connection.exec_driver_sql(query).scalar_one()
        engine.dispose()
        return int(found)

    def runs_a_day(self, nodes: int, runs: int) -> float:
        """How many runs that end as they begin so many nodes bring through the lab."""
        self.command, began = SHORT, time.monotonic()
        for number in range(runs):
            wait(lambda: len(lab.lab().queued()) < AT_ONCE)
            lab.lab().submit(on(number % nodes), name="short", session=lab.SESSION)
        lab.lab().wait_idle(600)
        return DAY_SECONDS * runs / (time.monotonic() - began)


def on(number: int) -> ExperimentSpec:
    """What a node trains."""
    return change(TINY, machine=f"node{number}", seed=number, epochs=10_000)


def wait(true: Callable[[], bool]) -> bool:
    """Whether something came to pass in time."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def page_ms() -> float:
    """The middle one of three visits to the History page."""
    took: list[float] = []

    def around(page: Callable[[], object]) -> None:
        began = time.perf_counter()
        page()
        took.append(1e3 * (time.perf_counter() - began))

    for _ in range(3):
        opened("history", around)
    return median(took)


@contextmanager
def simulation() -> Iterator[Simulation]:
    """A lab whose machines only talk."""
    with ExitStack() as stack:
        running = stack.enter_context(server())
        found = Simulation(running, running.new())
        many_runs.fill(found.address, KEPT_RUNS // many_runs.DIFFERENT)
        event.listen(Engine, "before_cursor_execute", found.count)
        stack.callback(event.remove, Engine, "before_cursor_execute", found.count)
        history = partial(Listening, found.address)
        stack.enter_context(patch.object(lab.history, "_make", history))
        make = lambda: Lab(lab.history(), {}, found.worker)  # noqa: E731
        stack.enter_context(patch.object(lab.lab, "_make", make))
        stack.enter_context(no_worker())
        stack.callback(held.let_go)
        yield found


def measure() -> dict[str, Any]:
    """More and more nodes, until what they say comes late."""
    costs: list[Cost] = []
    broke_at: int | None = None
    with simulation() as found:
        for nodes in NODES:
            cost = found.cost(nodes)
            if cost is None:
                broke_at = nodes
                break
            costs.append(cost)
            print(json.dumps(asdict(cost)), file=sys.stderr, flush=True)
            if cost.late_seconds > LATE_SECONDS:
                broke_at = nodes
                break
    with simulation() as found:
        runs_a_day = found.runs_a_day(nodes=20, runs=200)
    return {
        "machine": machine(),
        "kept_runs": KEPT_RUNS,
        "costs": [asdict(cost) for cost in costs],
        "broke_at": broke_at,
        "runs_a_day": runs_a_day,
    }


if __name__ == "__main__":
    result = measure()
    save("simulated_cluster", result)
    print(json.dumps(result, indent=2))
