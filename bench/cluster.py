"""What a cluster costs a run: epochs on a node through the lab against the command line there, the
start of a run, and how late the page hears of a step.

The node is this computer: what is measured is the way there, not another machine. So one core is
left to the lab and to Ray, in either arm, and they keep to it while epochs are timed: elsewhere
they have cores of their own. The two runs of a pair take turns (`bench.in_turns`), and every pair
is of new processes, which differ by themselves. The figure that a verdict goes by leaves the steps
out that waited for a core. Where a lab has trained it starts the next training process at once:
every pair waits until all is at rest. `python -m bench.cluster [dense article]` takes about half an
hour, tells each pair on stderr, and ends on Ctrl-C or SIGTERM with what it has. It needs Ray, and
Linux.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

import psutil

from bench import in_turns, quiet
from bench.epochs import EpochSeconds, by_the_wall, held
from bench.measure import (
    ROOT,
    Arm,
    NoFigure,
    attempted,
    best_device,
    median_interval,
    result_of,
    rounds,
    save,
)
from bench.peers.works import WORKS, Work, draw
from bench.serving import free_port
from bench.unreaped import Unreaped
from cnnlab import cluster
from cnnlab.devices import worker_environment
from cnnlab.history import History
from cnnlab.runner import Lab, Worker
from cnnlab.runner.job import Job
from cnnlab.runner.live import LiveRun
from cnnlab.runner.process import Process, events_of
from cnnlab.spec import HERE, Event, ExperimentSpec, GpuOff, RunCard, RunEnded, Window, change

NODE = "box"
PAIRS = 5
EPOCH_PAIRS = 15
"""For a budget of one in a hundred."""
EPOCHS = {"dense": 10, "article": 5}
STEPS = {"dense": 1_600, "article": 40}
"""Of an epoch: all of the preset's, or some seconds' worth."""
CORES_OF_THE_LAB = 1
BUDGET_SHARE, START_BUDGET_SECONDS, DELAY_BUDGET_SECONDS = 0.01, 1.0, 0.5
RUN_SECONDS = 300.0
WATCHED_SECONDS = 8.0
ENVIRONMENTS = {"none": worker_environment("none")}


@contextmanager
def nodes(home: Path, *names: str) -> Iterator[None]:
    """A cluster on the loopback interface, which this process's labs know.

    Args:
        home: where the labs on its nodes keep their state.
        names: of the nodes; the first is its head.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray.cluster_utils

    port = free_port()
    head = {"ray_client_server_port": port, "include_dashboard": False}
    each = {"env_vars": {"PYTHONPATH": str(ROOT), "CNNLAB_HOME": str(home)}}
    first, *others = [{"node_name": name, **each} for name in names]
    started = ray.cluster_utils.Cluster(initialize_head=True, head_node_args=head | first)
    for node in others:
        started.add_node(**node)
    os.environ[cluster.VARIABLE] = f"ray://127.0.0.1:{port}"
    with ended_by_signals():
        try:
            yield
        finally:
            del os.environ[cluster.VARIABLE]
            started.shutdown()


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM break off what is inside, wherever it stands. Ray would drain its node for
    half a minute first, and hear no second one."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, signal.default_int_handler) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class Place:
    """A lab with a node, and a command line there."""

    lab: Lab
    history: History
    folder: Path
    watch: quiet.Watch
    baton: in_turns.Turns | None = None
    """Of a run that takes turns with one of the command line."""

    def work(self, name: str) -> tuple[Work, ExperimentSpec]:
        """What is trained, and its spec; the pictures are drawn once."""
        work = replace(WORKS[name], steps=STEPS[name])
        file = self.folder / f"{name}.npz"
        if not file.exists():
            draw(work, file)
        device, threads = best_device(), max((os.cpu_count() or 1) - CORES_OF_THE_LAB, 1)
        left = {"threads": threads} if device == "cpu" else {}
        return work, change(work.on(file, device), epochs=EPOCHS[name], **left)

    def through_lab(self, spec: ExperimentSpec, machine: str) -> RunCard:
        """A run in the lab's queue, once all is at rest and a process is ready for it.

        Raises:
            NoFigure: it did not come to its end.
        """
        quiet.rest()
        return self._trained(spec, machine)

    def in_turns(self, spec: ExperimentSpec) -> dict[str, EpochSeconds]:
        """Epochs of a run on the node, `a` through the lab and `b` on the command line there, which
        take turns once all is at rest. By the wall they have their mean: both met the same, and
        medians of either alone would be of different moments.

        Raises:
            NoFigure: one did not come to its end.
        """
        quiet.rest()
        file = self.folder / "spec.json"
        file.write_text(spec.model_dump_json())
        self.baton = in_turns.Turns()
        in_turns.apart(CORES_OF_THE_LAB)
        try:
            command = in_turns.Command(file, self.folder / "command", self.baton)
            with ThreadPoolExecutor() as beside:
                through_lab = beside.submit(self._trained, spec, NODE)
                cards = {"b": command.card(), "a": through_lab.result()}
        finally:
            self.baton = None
        return {name: _of_all(card) for name, card in cards.items()}

    def _trained(self, spec: ExperimentSpec, machine: str) -> RunCard:
        run_id = self.lab.submit(change(spec, machine=machine), name="bench", session="bench")
        self.lab.wait_idle(RUN_SECONDS)
        card = self.history.card(run_id, steps=False)
        if len(card.epochs) < spec.epochs:
            raise NoFigure(f"The run on {machine} is {card.status}: {card.error or 'no word'}")
        return card


@contextmanager
def opened(*names: str) -> Iterator[Place]:
    """A lab, its history, and its nodes, all with homes of their own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ["CNNLAB_HOME"] = str(folder / "lab")
        stack.enter_context(nodes(folder / "node", *names))
        history = stack.enter_context(closing(History()))

        def on_node(machine: str, gpu_off: GpuOff) -> Process:
            return in_turns.OnNode(cluster.start(machine, gpu_off), lambda: place.baton)

        lab = stack.enter_context(closing(Lab(history, ENVIRONMENTS, on_node)))
        ended = stack.enter_context(closing(Unreaped(raylets())))
        place = Place(lab, history, folder, partial(quiet.watch, ended.ended_seconds))
        yield place


def raylets() -> list[psutil.Process]:
    """The processes that start those of a node, and do not wait for them."""
    started = psutil.Process().children(recursive=True)
    return [process for process in started if process.name() == "raylet"]


# --- epochs ---------------------------------------------------------------------------------


def epochs(place: Place, name: str) -> dict[str, Any]:
    """Epochs of a work through the cluster and by the command line, in pairs, by the wall; as a
    verdict has them beneath."""
    work, spec = place.work(name)
    place.through_lab(change(spec, epochs=1), NODE)  # the data travel once
    try:
        found = rounds(both(partial(place.in_turns, spec)), EPOCH_PAIRS, place.watch)
    finally:
        in_turns.together()
    wall, verdict = result_of(by_the_wall(found)), result_of(found)
    notes = [
        longer(f"{work.title}, by the wall", wall["ratios"]),
        longer(f"{work.title}, without steps that waited for a core", verdict["ratios"]),
    ]
    said = {"a": "on a node through the lab", "b": "command line there"}
    return wall | {"unit": "s", "arms": said, "verdict": verdict, "notes": notes}


def _of_all(card: RunCard) -> EpochSeconds:
    found = EpochSeconds.of(card)
    found.wall = fmean(row.seconds for row in card.epochs[1:])
    return found


def both(measured: Callable[[], dict[str, EpochSeconds]]) -> dict[str, Arm]:
    """Arms that are measured together, as those of a round: whichever is asked first measures."""
    found: dict[str, EpochSeconds] = {}

    def arm(name: str) -> EpochSeconds:
        if name not in found:
            found.update(measured())
        return found.pop(name)

    return {name: partial(arm, name) for name in "ab"}


def longer(what: str, ratios: list[float]) -> str:
    """What the cluster costs an epoch, in a sentence.

    Args:
        ratios: of each pair, the command line's epoch over the node's.
    """
    costs = [1 / ratio - 1 for ratio in ratios]
    (low, high), cost = median_interval(costs), median(costs)
    which = "longer" if cost >= 0 else "shorter"
    return (
        f"Through the cluster an epoch of {what}, is {abs(cost):.2%} {which} ({len(costs)} "
        f"pairs, {low:+.2%} to {high:+.2%}; budget {BUDGET_SHARE:.0%}: "
        f"{held(low, high, BUDGET_SHARE)})."
    )


# --- start and live words -------------------------------------------------------------------


def starts(place: Place) -> dict[str, Any]:
    """From Start to the first word of a run, in a process that is ready; and how live it is."""
    spec = change(place.work("dense")[1], train_limit=640, epochs=1)

    def start_on(machine: str) -> float:
        seconds = place.through_lab(spec, machine).timing.startup_seconds
        if seconds is None:
            raise NoFigure(f"The run on {machine} does not say when it started.")
        return seconds

    arms = {"a": partial(start_on, NODE), "b": partial(start_on, HERE)}
    rounds(arms, 1, place.watch)  # the data travel once
    found = rounds(arms, PAIRS, place.watch)
    later = [each["a"] - each["b"] for each in found.kept]
    low, high = median_interval(later)
    note = (
        f"On a node a run starts {median(later):+.2f} s later than here ({len(later)} pairs, "
        f"{low:+.2f} s to {high:+.2f} s; budget {START_BUDGET_SECONDS:g} s: "
        f"{held(low, high, START_BUDGET_SECONDS)})."
    )
    said = {"a": "on a node", "b": "here"}
    live = live_delays(place)
    notes = [note, live_note(live)]
    return result_of(found) | {"unit": "s", "arms": said, "live_delay": live, "notes": notes}


def live_delays(place: Place) -> dict[str, float]:
    """How late windows are heard of, the 95th percentile, in seconds after the quickest here."""
    spec = place.work("dense")[1]
    there = delays(cluster.start(NODE, "none"), spec)
    here = delays(Worker("none", ENVIRONMENTS["none"]), spec)
    return {
        name: found[int(0.95 * (len(found) - 1))] - here[0]
        for name, found in (("node", there), ("here", here))
    }


def live_note(delay: dict[str, float]) -> str:
    """That in a sentence."""
    more = delay["node"] - delay["here"]
    return (
        f"Of steps on a node the lab hears {delay['node']:.2f} s later than of the quickest here "
        f"(95th percentile), {more:+.2f} s more than of those here (budget "
        f"{DELAY_BUDGET_SECONDS:g} s: {held(more, more, DELAY_BUDGET_SECONDS)})."
    )


def delays(process: Process, spec: ExperimentSpec) -> list[float]:
    """How late each window of a run is heard of, in order of size: seconds since its last step, and
    what Keras takes before the first, which is the same everywhere."""
    process.line()
    quiet.rest()
    job = Job("bench", spec, LiveRun("bench", spec), cut_seconds=WATCHED_SECONDS)
    launched_at = time.monotonic()
    process.send(job.order(launched_at))
    heard = [(time.monotonic(), event) for event in events_of(process)]
    process.close()
    return late(heard, launched_at)


def late(heard: Sequence[tuple[float, Event]], launched_at: float) -> list[float]:
    """The delays of what was heard, each with the moment.

    Raises:
        NoFigure: it did not come to its end.
    """
    ended = next((event for _, event in heard if isinstance(event, RunEnded)), None)
    if ended is None or ended.timing.startup_seconds is None:
        raise NoFigure(f"The run came to no end: {ended.error if ended else 'without a word'}")
    timing = ended.timing
    parts = (timing.startup_seconds, timing.data_seconds, timing.build_seconds)
    begun = launched_at + sum(part or 0.0 for part in parts)
    return sorted(at - begun - each.seconds for at, each in heard if isinstance(each, Window))


def main(names: Sequence[str] = tuple(EPOCHS)) -> list[dict[str, Any]]:
    """Measure, keep and return the results; what was measured before a break is kept."""
    print("  a: on a node through the lab; b: command line there, or here", file=sys.stderr)
    results: list[dict[str, Any]] = []
    with opened(NODE) as place:
        for name in names:
            measured = partial(epochs, place, name)
            results.append(attempted(f"Epoch on a node, {WORKS[name].title}", measured))
            save("cluster", results)
        results.append(attempted("Warm start on a node", partial(starts, place)))
    save("cluster", results)
    return results


if __name__ == "__main__":
    if unknown := set(sys.argv[1:]) - set(EPOCHS):
        sys.exit(f"There is no {', '.join(unknown)}; choose of {', '.join(EPOCHS)}.")
    try:
        print(json.dumps(main(sys.argv[1:] or tuple(EPOCHS)), indent=1))
    except KeyboardInterrupt:
        sys.exit(130)
