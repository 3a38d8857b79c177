"""A lab without processes or threads, and the app on top of it, for tests of pages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import unescape
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from cnnlab.devices import Cpu, Hardware
from cnnlab.history import History, SweepRecord
from cnnlab.runner import Lab, LiveRun, RaceSnapshot, Snapshot
from cnnlab.runner.process import Process
from cnnlab.runner.station import Station
from cnnlab.runner.sweep_job import SweepSnapshot
from cnnlab.runner.workers import Workers
from cnnlab.spec import HERE, ExperimentSpec, GpuOff, RacePlan, SweepStatus
from cnnlab.sweep import CellRun, cells
from cnnlab.ui import top

APP = Path(__file__).parents[1] / "app.py"
TRAIN = ""
"""The address of the page that the app begins with."""


class QuietLab(Lab):
    """A lab in which nothing happens but what the test sets: what waits, what runs, what is here.

    Its queue stays empty, so its thread only waits for the end.
    """

    def __init__(self) -> None:
        self.waiting: list[str] = []
        self.current: str | None = None
        self.lives: dict[str, LiveRun] = {}
        self.found: dict[str, Any] | None = None
        self.stopped: list[str] = []
        self.resumed: list[str] = []
        self.swept: list[SweepSnapshot] = []
        self.sweeps_ended: list[tuple[str, SweepStatus]] = []
        self.raced: list[RaceSnapshot] = []
        self.races_ended: list[str] = []
        super().__init__(History(), {})

    def _open(self, machine: str) -> Station:
        """One that starts no worker."""
        return Station(machine, Workers(no_worker, self._changed), self._floor, ahead=False)

    def find_cpu_alone(self) -> None:
        """As if a worker had looked, and found no accelerator."""
        cpu = Cpu(
            name="Example CPU",
            physical_cores=2,
            logical_cores=2,
            usable_cores=2,
            instruction_sets=(),
            memory_mb=8_000,
        )
        found = Hardware(cpu=cpu, accelerators=(), versions={}, platform="Example")
        self.found = found.model_dump(mode="json")

    def add(self, run_id: str, spec: ExperimentSpec) -> LiveRun:
        """A run that is being trained; events are applied to what this returns."""
        self.current, self.lives[run_id] = run_id, LiveRun(run_id, spec)
        return self.lives[run_id]

    def busy(self) -> bool:
        return self.current is not None

    def sweeps(self) -> tuple[SweepSnapshot, ...]:
        return tuple(self.swept)

    def submit_sweep(self, record: SweepRecord, runs: Sequence[CellRun]) -> None:
        total = len(cells(record.plan))
        facts = (record.sweep_id, record.name, SweepStatus.QUEUED, len(runs), total)
        self.swept.append(SweepSnapshot(*facts, 30.0, None, False))

    def end_sweep(self, sweep_id: str, status: SweepStatus) -> None:
        self.sweeps_ended.append((sweep_id, status))

    def races(self) -> tuple[RaceSnapshot, ...]:
        return tuple(self.raced)

    def submit_race(self, plan: RacePlan, *, name: str, session: str) -> str:
        self.raced.append(RaceSnapshot("a-race", name, plan, False, (), 0, {}, 0.0))
        return "a-race"

    def stop_race(self, race_id: str) -> None:
        self.races_ended.append(race_id)

    def queued(self, machine: str | None = None) -> tuple[str, ...]:
        return tuple(self.waiting)

    def training(self) -> dict[str, str]:
        return {HERE: self.current} if self.current else {}

    def running(self) -> str | None:
        return self.current

    def hardware(self) -> dict[str, Any] | None:
        return self.found

    def live(self, run_id: str) -> Snapshot | None:
        run = self.lives.get(run_id)
        return run.snapshot() if run else None

    def stop(self, run_id: str) -> None:
        self.stopped.append(run_id)

    def stopping(self, run_id: str) -> bool:
        return run_id in self.stopped

    def resume(self, run_id: str, machine: str | None = None) -> None:
        self.resumed.append(run_id)


def no_worker(gpu_off: GpuOff) -> Process:
    """In a quiet lab none is asked for."""
    raise AssertionError(gpu_off)


def own_history() -> History:
    """The history with this process as the owner of the runs made through it."""
    return History()


def page(name: str, **parameters: str | list[str]) -> AppTest:
    """A page as a link opens it, by itself: `tests.ui.sharing` draws the app around it too."""
    app = arriving(name)
    app.session_state[top.THROUGH_APP] = True
    app.query_params.update(parameters)
    app.run()
    assert not app.exception, app.exception[0].stack_trace
    return app


def arriving(name: str) -> AppTest:
    """A browser that comes in by a link to a page, before anything is drawn."""
    app = AppTest.from_file(str(APP), default_timeout=300)
    address = TRAIN if name == "train" else name
    app._page_hash = calc_hash(address)  # `switch_page` knows the pages only after a first run
    return app


def said(app: AppTest, *kinds: str) -> str:
    """All text of some kinds of elements on the page."""
    wanted = kinds or ("title", "header", "subheader", "markdown", "caption", *BOXES)
    return "\n".join(str(item.value) for kind in wanted for item in app.get(kind))


BOXES = ("success", "error", "warning", "info")


def figures(app: AppTest) -> Mapping[str, str]:
    """The metrics of the page by their labels."""
    return {item.label: item.value for item in app.metric}


def leads(app: AppTest) -> Mapping[str, str]:
    """The figures that lead the page, by what they are of."""
    found = re.findall(r'lead-now">(.*?)<.*?lead-says">(.*?)<', said(app, "html"))
    return {unescape(says): unescape(value) for value, says in found}
