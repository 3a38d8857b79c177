"""What may happen to a process, a disk or a clock, and what is left of the runs afterwards."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from example_runs import CPU, ended, epoch, started
from sqlalchemy import event
from sqlalchemy.pool import Pool

from cnnlab import checkpoints, sweep
from cnnlab.devices import worker_environment
from cnnlab.history import History, database
from cnnlab.runner import Lab, watcher
from cnnlab.runner import lab as runner
from cnnlab.spec import (
    PRESETS,
    EpochEnded,
    Event,
    ExperimentSpec,
    LabError,
    Status,
    SweepStatus,
    Window,
    change,
    parse_spec,
)
from cnnlab.training import explain, train

DENSE = {"family": "dense", "dense": [16]}
SHORT = parse_spec({"model": DENSE, "train_limit": 64, "epochs": 1, "threads": 1, "device": "cpu"})
LONG = change(SHORT, train_limit=300, epochs=10_000)
ROOT = Path(__file__).resolve().parents[1]
OFF = {"none": worker_environment("none")}


def until(true: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def submit(lab: Lab, spec: ExperimentSpec = SHORT) -> str:
    return lab.submit(spec, name="run", session="test")


@pytest.fixture
def history(home: Path) -> Iterator[History]:
    with closing(History()) as history:
        yield history


# --- a history that cannot be written -------------------------------------------------------


class TalkingWorker:
    """Plays a worker: says hello and then what it is told to, without end; trains nothing."""

    def __init__(self, gpu_off: str, environment: object) -> None:
        self.gpu_off, self.alive, self.pid, self.code = gpu_off, True, 0, 0
        self._lines = self._talk()
        self._job = threading.Event()

    def _talk(self) -> Iterator[str]:
        yield json.dumps({"kind": "hello", "hardware": {}})
        self._job.wait()
        yield started(LONG, CPU).model_dump_json()
        number = 0
        while self.alive:
            number += 1
            yield from (each.model_dump_json() for each in epoch(number, 12.0))

    def line(self) -> str:
        return next(self._lines, "") + "\n" if self.alive else ""

    def send(self, line: str) -> None:
        self._job.set()

    def kill(self) -> None:
        self.alive, self.code = False, -9
        self._job.set()

    def close(self, patience_seconds: float = 5.0) -> int:
        self.alive = False
        self._job.set()
        return self.code


@pytest.fixture
def talking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "Worker", TalkingWorker)
    monkeypatch.setattr(watcher, "WATCH_SECONDS", 0.1)


@pytest.mark.usefixtures("talking")
def test_a_full_disk_ends_the_run_with_a_sentence_and_the_history_hears_of_it_later() -> None:
    def shrink(raw: sqlite3.Connection, _: object) -> None:
        raw.execute("PRAGMA max_page_count = 40")

    event.listen(Pool, "connect", shrink)
    with closing(History()) as history:
        lab = Lab(history, OFF)
        run_id = submit(lab)
        assert lab.wait_idle(30)
        ended = lab.live(run_id).ended
        assert ended.status == Status.FAILED
        assert "the disk is full; make room on it" in ended.error
        event.remove(Pool, "connect", shrink)
        history.close()  # its next connections have room again
        assert until(lambda: history.card(run_id).status == Status.FAILED, 5)
        card = history.card(run_id)
        assert card.error == ended.error
        assert len(card.epochs) > 1
        again = submit(lab)
        assert until(lambda: len(history.card(again).epochs) > 1, 10)
        lab.close()


@pytest.mark.usefixtures("talking")
def test_a_locked_history_ends_the_run_with_a_sentence_and_the_next_one_works(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    with closing(History()) as history, closing(sqlite3.connect(home / "history.db")) as other:
        lab = Lab(history, OFF)
        run_id = submit(lab)
        assert until(lambda: len(history.card(run_id).epochs) > 1, 10)
        while not other.in_transaction:
            try:
                other.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                time.sleep(0.01)
        assert lab.wait_idle(10)
        assert "is locked by another program; close that one" in lab.live(run_id).ended.error
        assert history.card(run_id).status == Status.RUNNING  # nobody can write it
        other.rollback()
        assert until(lambda: history.card(run_id).status == Status.FAILED, 5)
        assert until(lambda: not lab._watcher.unwritten(), 5)
        again = submit(lab)
        assert until(lambda: len(history.card(again).epochs) > 1, 10)
        lab.close()


@pytest.mark.usefixtures("talking")
def test_a_run_is_withdrawn_and_a_lab_closed_even_if_the_history_does_not_hear(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise LabError("The history may only be read.")

    lab = Lab(history, OFF)
    running, first, second = submit(lab), submit(lab), submit(lab)
    assert until(lambda: lab.running() == running, 10)
    with monkeypatch.context() as patch:
        patch.setattr(history, "record", fail)
        lab.stop(first)
        assert lab.queued() in ((second,), ())
        assert lab.live(first).ended.status == Status.STOPPED
    assert until(lambda: history.card(first).status == Status.STOPPED, 5)
    monkeypatch.setattr(history, "record", fail)
    began = time.monotonic()
    lab.close()
    assert time.monotonic() - began < 9


@pytest.mark.usefixtures("talking")
def test_a_sweep_that_the_history_fails_ends_with_its_cell_as_soon_as_it_can_be_written(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise LabError("The history may only be read.")

    lab = Lab(history, OFF)
    plan = sweep.plan(SHORT, [sweep.parse_axis("units=8,16")], ["cpu"], 60)
    sweep_id = history.sweeps.create(plan, name="A sweep", session="test")
    lab.submit_sweep(history.sweeps.get(sweep_id), ())
    assert until(lambda: bool(history.summaries(sweep_id=sweep_id)), 10)
    with monkeypatch.context() as patch:
        patch.setattr(history, "record", fail)
        patch.setattr(history.sweeps, "mark", fail)
        assert lab.wait_idle(10)
        assert history.open_runs()
        assert history.sweeps.get(sweep_id).status is SweepStatus.RUNNING
    assert until(lambda: history.sweeps.get(sweep_id).status is SweepStatus.FAILED, 5)
    assert until(lambda: not history.open_runs(), 5)
    (cell,) = history.summaries(sweep_id=sweep_id)
    assert (cell.status, cell.error) == (Status.FAILED, "The history may only be read.")
    again = submit(lab)
    assert until(lambda: len(history.card(again).epochs) > 1, 10)
    lab.close()


def test_a_run_that_diverged_keeps_no_checkpoint_to_diverge_from_again(history: History) -> None:
    deep = {"family": "dense", "dense": [64] * 16, "activation": "leaky_relu"}
    with closing(Lab(history, OFF)) as lab:
        run_id = submit(lab, change(SHORT, model=deep, learning_rate=10.0, train_limit=640))
        earlier = checkpoints.folder() / run_id / "00001.npz"
        earlier.parent.mkdir(parents=True)
        earlier.touch()
        assert lab.wait_idle(60)
    assert "diverged" in history.card(run_id).error
    assert not checkpoints.kept(run_id)


def test_a_worker_that_dies_in_the_middle_of_a_word_is_said_to_have_been_killed(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(TalkingWorker):
        def _talk(self) -> Iterator[str]:
            yield from (line for line, _ in zip(super()._talk(), range(6), strict=False))
            self.kill()

        def line(self) -> str:
            whole = super().line()
            return whole if self.alive else '{"kind": "wind'

    monkeypatch.setattr(runner, "Worker", Broken)
    lab = Lab(history, OFF)
    run_id = submit(lab)
    assert lab.wait_idle(10)
    card = history.card(run_id)
    assert card.status == Status.FAILED
    assert "killed from outside" in card.error
    lab.close()


# --- memory, data, clocks, sleep ------------------------------------------------------------


def fit(spec: ExperimentSpec, stop: Callable[[list[Event]], bool] = lambda _: False) -> list[Event]:
    events: list[Event] = []
    train(spec, events.append, lambda: stop(events), launched_at=time.monotonic())
    return events


def test_a_network_too_large_for_the_memory_is_said_so() -> None:
    fit(SHORT)  # what is loaded late is loaded
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = psutil.Process().memory_info().vms + 400_000_000
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        with pytest.raises((MemoryError, RuntimeError)) as caught:
            fit(change(SHORT, model={"family": "dense", "dense": [16_384, 16_384]}))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    said = explain(caught.value)
    assert said == (
        "The computer ran out of memory: use a smaller batch, fewer pictures or filters."
    )
    assert fit(SHORT)[-1].status == Status.FINISHED


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_an_accelerator_without_memory_is_said_so_whichever_library_found_it(
    error: Exception,
) -> None:
    assert explain(error).startswith("The accelerator ran out of memory: use a smaller batch")


@pytest.mark.gpu
def test_a_network_too_large_for_the_card_is_said_so_and_the_next_run_works() -> None:
    """The card is all but filled first: what then is too large is still small for the host."""
    small = change(SHORT, device="cuda:0")
    fit(small)  # cuBLAS and the kernels are loaded: it is the network that finds no room
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(0)
    held = torch.empty(free - 500_000_000, dtype=torch.uint8, device="cuda:0")
    with pytest.raises(RuntimeError) as caught:  # weights, gradients and Adam's state: 1.5 GB
        fit(change(small, model={"family": "dense", "dense": [8192, 8192]}))
    del held
    torch.cuda.empty_cache()
    assert explain(caught.value).startswith("The accelerator ran out of memory")
    assert fit(small)[-1].status == Status.FINISHED


def test_a_data_set_that_is_removed_is_missed_by_the_next_run_not_by_this_one(
    tmp_path: Path, home: Path
) -> None:
    file = tmp_path / "mine.npz"
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (80, 12, 12, 3), dtype=np.uint8)
    np.savez(file, x_train=images, y_train=np.arange(80) % 4)
    spec = change(SHORT, dataset=str(file), epochs=3)

    def remove(events: list[Event]) -> bool:
        if file.exists() and any(isinstance(event, EpochEnded) for event in events):
            file.unlink()
            shutil.rmtree(home / "datasets")
        return False

    assert fit(spec, remove)[-1].status == Status.FINISHED
    assert not file.exists()
    with pytest.raises(LabError, match=r"mine\.npz"):
        fit(spec)


def test_a_clock_that_is_set_changes_no_duration(monkeypatch: pytest.MonkeyPatch) -> None:
    now, hour = time.time, 3600
    leaps = iter([hour, -hour] * 100_000)
    monkeypatch.setattr(time, "time", lambda: now() + next(leaps))
    began = time.perf_counter()
    ended = fit(change(SHORT, epochs=3))[-1]
    wall = time.perf_counter() - began
    timing = ended.timing
    assert 0 <= timing.startup_seconds < wall
    assert 0 < timing.fit_seconds < timing.total_seconds <= wall
    assert ended.disturbances.seconds < wall


def test_a_process_that_was_put_to_sleep_goes_on_and_says_so(history: History) -> None:
    lab = Lab(history, OFF)
    run_id = submit(lab, LONG)
    assert until(lambda: len(history.card(run_id).epochs) > 1, 120)
    (worker,) = psutil.Process().children()
    worker.suspend()
    time.sleep(3)
    before = len(history.card(run_id).epochs)
    worker.resume()
    assert until(lambda: len(history.card(run_id).epochs) > before + 1, 60)
    lab.stop(run_id)
    assert lab.wait_idle(60)
    card = history.card(run_id)
    assert card.status == Status.STOPPED
    assert any("stood still" in mark for mark in card.marks)
    lab.close()


# --- kills ----------------------------------------------------------------------------------

HOST = """
import json, sys
from cnnlab import checkpoints, sweep
from cnnlab.devices import worker_environment
from cnnlab.history import History
from cnnlab.runner import Lab
from cnnlab.spec import EpochEnded, parse_spec

class Telling(History):
    def record(self, run_id, event):
        super().record(run_id, event)
        if isinstance(event, EpochEnded):
            print(run_id, event.row.epoch, flush=True)

history, spec, run_id = Telling(), parse_spec(json.loads(sys.argv[1])), sys.argv[2]
lab = Lab(history, {"none": worker_environment("none")})
while True:
    if checkpoints.kept(run_id):
        lab.resume(run_id)
    else:
        run_id = lab.submit(spec, name="run", session="test")
    while not lab.wait_idle(60):
        pass
    print(run_id, "over", flush=True)
"""


class Bystander(Lab):
    """Another open lab, which trains nothing: it is to notice what became of the first."""

    def _warm(self) -> None:
        """Start no worker."""


class Host:
    """A process with a lab that trains all the time, and what it said of its epochs."""

    def __init__(self, broken: str) -> None:
        command = [sys.executable, "-c", HOST, LONG.model_dump_json(), broken or "none"]
        log = subprocess.DEVNULL
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT
        )
        self.told: dict[str, int] = {}
        self.over = 0
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            run_id, what = line.split()
            if what == "over":
                self.over += 1
            else:
                self.told[run_id] = int(what)

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True) if self.alive else []

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()


class Toll:
    """What the kills cost, counted."""

    def __init__(self) -> None:
        self.kills = {"app": 0, "worker": 0, "both": 0}
        self.epochs: dict[str, int] = {}
        self.lost = self.corrupt = self.stuck = self.orphans = self.resumed = 0
        self.slowest = 0.0

    def __str__(self) -> str:
        kills, epochs = (sum(each.values()) for each in (self.kills, self.epochs))
        return (
            f"{kills} SIGKILLs {self.kills}: {self.lost} of {epochs} "
            f"finished epochs lost, {self.corrupt} corrupt databases, {self.stuck} runs left "
            f"running, {self.orphans} orphan processes; a dead process's run was ended after "
            f"{self.slowest:.1f} s at most; {self.resumed} times a run was resumed"
        )


def kill_again_and_again(count: int, seed: int, home: Path) -> Toll:
    """Kill a lab, its worker or both at random moments, and start or resume what broke off."""
    toll, chance, run_id = Toll(), random.Random(seed), ""
    with closing(History()) as history:
        bystander, host = Bystander(history, {}), Host("")
        for _ in range(count):
            _wait_for_a_moment(host, chance)
            _kill(host, chance.choice(list(toll.kills)), toll, history)
            for name, number in host.told.items():
                toll.epochs[name] = number
                toll.lost += max(0, number - len(history.card(name, steps=False).epochs))
            toll.corrupt += not _whole(home / "history.db")
            run_id = next(reversed(host.told), run_id)
            if not host.alive:
                toll.resumed += bool(checkpoints.kept(run_id))
                host = Host(run_id)
        host.kill()
        toll.orphans += len(_processes_of(home, 10))
        toll.stuck += not until(lambda: not history.open_runs(), 10)
        bystander.close()
    return toll


def _wait_for_a_moment(host: Host, chance: random.Random) -> None:
    """Any moment of a lab's life: half of them while it starts, half while it trains."""
    if chance.random() < 0.5:
        time.sleep(chance.uniform(0, 6))
    else:
        before = dict(host.told)
        until(lambda: host.told != before, 60)
        time.sleep(chance.uniform(0, 0.5))


def _kill(host: Host, target: str, toll: Toll, history: History) -> None:
    workers, over = host.workers(), host.over
    target = target if workers else "app"  # there may be no worker yet
    toll.kills[target] += 1
    began = time.monotonic()
    if target != "app":
        workers[0].kill()
    if target != "worker":
        host.kill()
        toll.orphans += len(psutil.wait_procs(workers, timeout=10)[1])
        toll.stuck += not until(lambda: not history.open_runs(), 20)
    else:
        # The lab ends the run, or, where it had none yet, gives it another worker.
        toll.stuck += not until(lambda: host.over > over or _another(host, workers[0]), 20)
    toll.slowest = max(toll.slowest, time.monotonic() - began)


def _another(host: Host, worker: psutil.Process) -> bool:
    return any(each.pid != worker.pid for each in host.workers())


def _whole(file: Path) -> bool:
    if not file.exists():
        return True  # killed before it had opened the history
    with closing(sqlite3.connect(file)) as raw:
        return raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def _processes_of(home: Path, patience: float) -> list[int]:
    """Other processes that still work in this home after some time to end."""

    def found() -> list[int]:
        mine = []
        for process in psutil.process_iter():
            try:
                place = process.environ().get("CNNLAB_HOME")
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            if place == str(home) and process.pid != os.getpid():
                mine.append(process.pid)
        return mine

    until(lambda: not found(), patience)
    return found()


def test_kills_lose_no_epoch_and_leave_no_process_and_no_running_run(home: Path) -> None:
    toll = kill_again_and_again(4, 3, home)
    assert (toll.lost, toll.corrupt, toll.stuck, toll.orphans) == (0, 0, 0, 0), str(toll)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_kills(home: Path, capsys: pytest.CaptureFixture) -> None:
    toll = kill_again_and_again(100, 100, home)
    with capsys.disabled():
        print(f"\n{toll}")
    assert (toll.lost, toll.corrupt, toll.stuck, toll.orphans) == (0, 0, 0, 0)
    assert toll.slowest <= 10


# --- a long life ----------------------------------------------------------------------------


PAGE = ("count", "size")


class Size:
    """What this process and its history hold."""

    def __init__(self, home: Path) -> None:
        process = psutil.Process()
        self.rss_mb = process.memory_info().rss / 1e6
        self.threads, self.handles = process.num_threads(), process.num_fds()
        # Not the file's size: what is in the log ahead of it counts as well, its spare room not.
        with closing(sqlite3.connect(home / "history.db")) as raw:
            pages, size = (raw.execute(f"PRAGMA page_{what}").fetchone() for what in PAGE)
        self.database_kb = pages[0] * size[0] / 1e3

    def __str__(self) -> str:
        return (
            f"RSS {self.rss_mb:.1f} MB, {self.threads} threads, {self.handles} handles, "
            f"database {self.database_kb:.0f} kB"
        )


class LightWorker(runner.Worker):
    """A process that tells of a run and trains nothing: what is measured here is the app."""

    COMMAND = (
        sys.executable,
        "-c",
        "import sys; hello, *run = sys.argv[1:-1]; print(hello, flush=True); input(); "
        "print(*run, sep='\\n')",
        json.dumps({"kind": "hello", "hardware": {}}),
        *(
            each.model_dump_json()
            for each in (started(SHORT, CPU), *epoch(1, 1.0), ended(1, 1.0, Status.FINISHED))
        ),
    )


def _meet(history: History) -> None:
    """Let the pool open all the connections that it keeps, as it does where threads meet."""
    pool = history._reading.pool
    for connection in [history._reading.connect() for _ in range(pool.size())]:
        connection.close()


def many_runs(count: int, home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[int, Size]:
    """Short runs, one after the other, in one lab; how large all is after each thirtieth."""
    monkeypatch.setattr(runner, "Worker", LightWorker)
    sizes = {}
    with closing(History()) as history:
        _meet(history)
        lab = Lab(history, OFF)
        for number in range(1, count + 1):
            run_id = submit(lab, change(SHORT, seed=number))
            assert lab.wait_idle(120)
            assert history.card(run_id, steps=False).status == Status.FINISHED
            if number % 30 == 0:
                sizes[number] = Size(home)
        lab.close()
    return sizes


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_three_hundred_short_runs(
    home: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = many_runs(300, home, monkeypatch)
    with capsys.disabled():
        for number, size in sizes.items():
            print(f"\nafter run {number}: {size}", end="")
    first, last = sizes[30], sizes[300]
    assert last.rss_mb <= 1.05 * first.rss_mb
    assert last.threads <= 1.05 * first.threads
    assert last.handles <= 1.05 * first.handles
    early = sizes[150].database_kb - first.database_kb
    late = last.database_kb - sizes[180].database_kb
    assert late <= 1.1 * early


def seconds_to_stop_training(count: int, seed: int) -> tuple[list[float], list[float], list[float]]:
    """Stop trainings of this process at random moments: the seconds that each took, those of two
    of its steps, and the seconds of processor time, which a busy machine does not lengthen.
    """
    chance, waited, two_steps, busy = random.Random(seed), [], [], []
    for number in range(count):
        asked, when = threading.Event(), []

        def ask(asked: threading.Event = asked, when: list[float] = when) -> None:
            when += [time.monotonic(), time.process_time()]
            asked.set()

        timer = threading.Timer(chance.uniform(0.05, 2), ask)
        timer.start()
        events: list[Event] = []
        spec = change(chance.choice([LONG, HEAVY]), seed=number, engine=chance.choice(ENGINES))
        train(spec, events.append, asked.is_set, launched_at=time.monotonic())
        waited.append(time.monotonic() - when[0])
        busy.append(time.process_time() - when[1])
        assert events[-1].status == Status.STOPPED
        steps = [ms for each in events if isinstance(each, Window) for ms in each.step_ms]
        two_steps.append(2 * max(steps, default=0.0) / 1e3)
    return waited, two_steps, busy


def _summary(waited: list[float], two_steps: list[float]) -> tuple[str, int]:
    late = sum(w > max(1.0, t) for w, t in zip(waited, two_steps, strict=True))
    half, most = (float(np.percentile(waited, share)) for share in (50, 95))
    return (
        f"{len(waited)} random stops: median {half:.2f} s, p95 {most:.2f} s, longest "
        f"{max(waited):.2f} s; {late} took longer than 1 s and than two steps"
    ), late


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_random_stops_of_the_training(capsys: pytest.CaptureFixture) -> None:
    waited, two_steps, busy = seconds_to_stop_training(100, 6)
    said, late = _summary(waited, two_steps)
    with capsys.disabled():
        print(f"\n{said}; p95 of processor time {np.percentile(busy, 95):.2f} s")
    assert late <= 5


def seconds_to_stop(count: int, seed: int) -> tuple[list[float], list[float], int]:
    """Stop runs at random moments: seconds until each has ended, those of two of its steps, and
    how many workers were left.
    """
    chance, waited, two_steps, left = random.Random(seed), [], [], 0
    with closing(History()) as history:
        lab = Lab(history, OFF)
        for number in range(count):
            spec = change(chance.choice([LONG, HEAVY]), seed=number)
            run_id = submit(lab, spec)
            assert until(lambda: lab.live(run_id).started is not None, 120)  # noqa: B023
            time.sleep(chance.uniform(0, 1.5))
            (worker,) = psutil.Process().children()
            began = time.monotonic()
            lab.stop(run_id)
            assert until(lambda: history.card(run_id, steps=False).status.over, 20)  # noqa: B023
            waited.append(time.monotonic() - began)
            steps = history.card(run_id).steps.ms
            two_steps.append(2 * max(steps, default=0.0) / 1e3)
            assert lab.wait_idle(20)
            assert history.card(run_id, steps=False).status == Status.STOPPED
            left += len(psutil.wait_procs([worker], timeout=10)[1])
        lab.close()
    return waited, two_steps, left


ENGINES = ("stock", "fast")
HEAVY = change(PRESETS["article"].spec, dataset="shapes", train_limit=2000, epochs=50)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_random_stops_through_a_lab(home: Path, capsys: pytest.CaptureFixture) -> None:
    waited, two_steps, left = seconds_to_stop(100, 5)
    said, late = _summary(waited, two_steps)
    with capsys.disabled():
        print(f"\n{said}; {left} workers left")
    assert late <= 5
    assert left == 0
