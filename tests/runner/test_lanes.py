"""Lanes of a race side by side, in a lab whose training processes only play."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from cnnlab.devices import worker_environment
from cnnlab.history import History
from cnnlab.runner import Lab, process
from cnnlab.runner.race_job import RaceJob
from cnnlab.spec import HERE, PRESETS, Lane, RacePlan, RunEnded, Status, change
from tests.example_runs import CPU, started
from tests.patience import PATIENCE_SECONDS, until

SPEC = PRESETS["tiny"].spec
PLAN = RacePlan(
    lanes=tuple(Lane(title=name, spec=change(SPEC, engine=name)) for name in ("stock", "fast")),
    leg_seconds=600.0,
)


class Player:
    """Says hello; ends the run of the engine `stock` at once, any other when it is asked to."""

    def __init__(self, gpu_off: str, environment: object) -> None:
        self.gpu_off, self.alive, self.engine = gpu_off, True, ""
        self._told, self._asked_to_end = threading.Event(), threading.Event()
        self._lines = self._talk()

    def _talk(self) -> Iterator[str]:
        yield json.dumps({"kind": "hello", "hardware": {}})
        self._told.wait()
        if not self.engine:
            return
        yield started(SPEC, CPU).model_dump_json()
        if self.engine != "stock":
            self._asked_to_end.wait()
        yield RunEnded(status=Status.STOPPED).model_dump_json()

    def line(self) -> str:
        said = next(self._lines, "")
        return f"{said}\n" if said else ""

    def send(self, line: str) -> None:
        if line == "stop":
            self._asked_to_end.set()
        else:
            self.engine = json.loads(line)["spec"]["engine"]
            self._told.set()

    def kill(self) -> None:
        self.alive = False
        self._told.set()
        self._asked_to_end.set()

    def close(self, patience_seconds: float = 5.0) -> int:
        self.kill()
        return 0


@pytest.fixture
def lab(history: History, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setattr(process, "Worker", Player)
    lab = Lab(history, {"none": worker_environment("none")})
    yield lab
    lab.close()


def ended(lab: Lab, run_id: str) -> bool:
    run = lab.live(run_id)
    return run is not None and run.ended is not None


def test_what_trains_is_the_lane_that_has_not_ended(lab: Lab, history: History) -> None:
    race_id = lab.submit_race(PLAN, name="Race", session="test")
    until(lambda: len(lab.races()[0].run_ids) == 2)
    first, second = lab.races()[0].run_ids
    until(lambda: ended(lab, first))
    assert lab.training() == {HERE: second}
    assert lab.running() == second
    lab.stop_race(race_id)
    assert lab.wait_idle(PATIENCE_SECONDS)
    assert lab.training() == {}


def test_a_race_that_begins_while_the_lab_closes_is_interrupted_in_all_its_lanes(
    lab: Lab, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    give, closing = RaceJob.legs, threading.Thread(target=lab.close)

    def give_and_close(race: RaceJob, machine: str, accelerators: int) -> list[object]:
        jobs = give(race, machine, accelerators)
        closing.start()
        until(lambda: lab._floor.closing)
        with lab._changed:  # until all that is under way was told
            return list(jobs)

    monkeypatch.setattr(RaceJob, "legs", give_and_close)
    race_id = lab.submit_race(PLAN, name="Race", session="test")
    until(lambda: closing.ident is not None)
    closing.join(PATIENCE_SECONDS)
    runs = history.summaries(group_id=race_id)
    assert [run.status for run in runs] == [Status.INTERRUPTED] * 2
