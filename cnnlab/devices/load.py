"""What took a run's own cores, quota, clock or card while it was timed, as a share of its time.

One rule for all: the seconds in which something held the run up, over the seconds it was watched.
What other processes do elsewhere on a large machine is no disturbance, however much it is.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import NamedTuple

from cnnlab.devices.card_watch import CardWatch
from cnnlab.devices.waits import Waits, heat_events, heat_seconds, quota_seconds
from cnnlab.spec import Disturbances

# Systems count CPU time in ticks of 10 ms: over a second, two cores err by hundredths of a core.
SPAN_SECONDS = 1.0
SHORTEST_SECONDS = 0.2
NOTABLE_SHARE = 0.02
"""Of the time: a lead of three in a hundred is to be told from none."""
# The sampler wakes late by some milliseconds, by tenths of a second on a full machine.
PAUSE_SECONDS = 2.0
# A paused process uses no CPU; one whose sampler merely waited for the interpreter lock does.
PAUSED_OWN_CORES = 0.1


class Reading(NamedTuple):
    """Clocks and counters at one moment, in seconds; null where the system does not tell."""

    clock: float
    calendar: float
    """A clock that goes on while the machine sleeps."""
    busy: float
    """CPU time of all processes on all cores."""
    own: float
    """CPU time of this process, all its threads, and of the processes it started."""
    stolen: float | None
    """What the hypervisor gave to other guests, of all cores that had work."""
    waited: float | None = None
    """What threads of this process waited for a core."""
    quota: float | None = None
    """What a used-up quota kept them from running."""
    heat: float | None = None
    """How long the hottest core was slowed down."""
    heat_events: int | None = None
    """How often any core was."""


def read(helpers: bool = False) -> Reading:
    """Read what is cheap to read: well under a millisecond on a small machine.

    Args:
        helpers: whether this process starts others that work for it; to find them takes longer.
    """
    import psutil

    times = psutil.cpu_times()
    busy = sum(getattr(times, kind, 0.0) for kind in ("user", "nice", "system", "irq", "softirq"))
    # Linux's boot clock sleeps with nobody and is not set by anyone, unlike the wall clock.
    calendar = (
        time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.time()
    )
    return Reading(
        clock=time.monotonic(),
        calendar=calendar,
        busy=busy,
        own=time.process_time() + (_helpers_seconds() if helpers else 0.0),
        stolen=getattr(times, "steal", None),
        quota=quota_seconds(),
        heat=heat_seconds(),
        heat_events=heat_events(),
    )


def _helpers_seconds() -> float:
    """CPU time of all that this process started, and that they started, ended or not."""
    import psutil

    this = psutil.Process()
    ended = this.cpu_times()
    seconds = ended.children_user + ended.children_system
    for helper in this.children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended: its parent counts it now
            seconds += sum(helper.cpu_times()[:4])
    return seconds


def others(before: Reading, after: Reading) -> float:
    """Cores that other processes kept busy between two readings."""
    used = (after.busy - before.busy) - (after.own - before.own)
    return max(used / (after.clock - before.clock), 0.0)


class Tally:
    """Adds readings up; knows no thread and no clock of its own."""

    def __init__(self, first: Reading, cores: int, interval: float, threads: int) -> None:
        """
        Args:
            cores: of the machine.
            threads: of a step, each of which wants a core of its own.
        """
        self.paused = 0.0
        self._cores, self._threads, self._interval = cores, threads, interval
        self._first = self._last = self._span = first
        self._peak: float | None = None
        self._taken = self._stolen = self._hot = 0.0

    def add(self, reading: Reading) -> None:
        """Take the next reading; a span of about a second is judged when it is full."""
        self.paused += self._pause(reading)
        if _between(self._last.heat_events, reading.heat_events):
            self._hot += reading.clock - self._last.clock
        self._last = reading
        if reading.clock - self._span.clock >= SPAN_SECONDS:
            self._judge()

    def skip(self, reading: Reading) -> None:
        """What passed since the last reading is none of the run's time."""
        before, self._last = self._last, reading
        self._first = _later(self._first, before, reading)
        self._span = _later(self._span, before, reading)

    @property
    def seconds(self) -> float:
        """How long was watched."""
        return self._last.clock - self._first.clock

    def _pause(self, reading: Reading) -> float:
        """Seconds since the last reading in which the machine slept or the process was halted."""
        passed = reading.clock - self._last.clock
        asleep = (reading.calendar - self._last.calendar) - passed
        if asleep > PAUSE_SECONDS:
            return asleep
        late = passed - self._interval
        idle = reading.own - self._last.own < PAUSED_OWN_CORES * passed
        return late if late > PAUSE_SECONDS and idle else 0.0

    def _judge(self) -> None:
        before, after = self._span, self._last
        seconds, load = after.clock - before.clock, others(before, after)
        self._peak = max(load, self._peak or 0.0)
        self._taken += min(self._waited(before, after, load), load * seconds)
        if before.stolen is not None and after.stolen is not None and after.busy > before.busy:
            # Of what the hypervisor took from all that ran here, the part of this process.
            ours = min((after.own - before.own) / (after.busy - before.busy), 1.0)
            self._stolen += ours * max(after.stolen - before.stolen, 0.0)
        self._span = after

    def _waited(self, before: Reading, after: Reading, load: float) -> float:
        """Seconds that threads waited for a core in a span.

        They wait for each other too, where there are more of them than cores: what others took is
        no more than what others ran. Where the system does not tell, others are taken to have run
        on our cores as far as theirs and ours together are more than there are.
        """
        if before.waited is not None and after.waited is not None:
            return after.waited - before.waited
        return max(load + self._threads - self._cores, 0.0) * (after.clock - before.clock)

    def result(self, card: CardWatch, own_cost: float, left_out: bool = False) -> Disturbances:
        """Sum up. What is counted in the system's ticks is null for a run too short for them.

        Args:
            card: what was seen of the run's card.
            left_out: the steps that waited for cores are not in the figures to be compared.
        """
        long_enough = self.seconds >= SHORTEST_SECONDS
        if long_enough and self._last.clock - self._span.clock >= SHORTEST_SECONDS:
            self._judge()
        shares = self._shares(card, long_enough)
        hot = _between(self._first.heat_events, self._last.heat_events)
        slowed = None if hot is None else hot > 0
        return Disturbances(
            seconds=self.seconds,
            cores=self._cores,
            other_load_mean=others(self._first, self._last) if long_enough else None,
            other_load_peak=self._peak,
            stolen_mean=self._stolen_cores() if long_enough else None,
            # A no is given only by the device that the run was on.
            throttled=(slowed or card.slowed) if card.there else slowed,
            paused_seconds=self.paused,
            own_cost_seconds=own_cost,
            **shares,
            **self._said(shares, left_out),
        )

    def _shares(self, card: CardWatch, long_enough: bool) -> dict[str, float | None]:
        """The share of the time of each of `CAUSES`; null where it is not known."""
        heat, known = self._share(self._heat()), self._last.stolen is not None
        return {
            "other_load_share": self._share(self._taken) if long_enough else None,
            "quota_share": self._share(_between(self._first.quota, self._last.quota)),
            "stolen_share": self._share(self._stolen) if long_enough and known else None,
            "throttled_share": _larger(heat, card.slowed_share) if card.there else heat,
            "card_shared_share": card.shared_share,
        }

    def _heat(self) -> float | None:
        """Seconds of a lower clock; without a counter of them, of looks that found it lowered."""
        if self._last.heat is not None:
            return _between(self._first.heat, self._last.heat)
        return None if self._last.heat_events is None else self._hot

    def _stolen_cores(self) -> float | None:
        stolen = _between(self._first.stolen, self._last.stolen)
        return None if stolen is None else max(stolen, 0.0) / self.seconds

    def _share(self, seconds: float | None) -> float | None:
        # Of several threads that wait at once the step waits only once.
        if seconds is None or not self.seconds:
            return None
        return min(max(seconds / self.seconds, 0.0), 1.0)

    def _said(self, shares: dict[str, float | None], left_out: bool) -> dict[str, tuple[str, ...]]:
        said = {
            cause: CAUSES[cause].format(f"{share * 100:.0f} % of the time")
            for cause, share in shares.items()
            if share is not None and share >= NOTABLE_SHARE
        }
        waited = said.pop("other_load_share", None) if left_out else None
        if self.paused:
            said["paused"] = (
                f"The machine or the process stood still for {self.paused:.0f} s "
                "(asleep, suspended or stopped)."
            )
        notes = (f"{waited} What is compared leaves those steps out.",) if waited else ()
        return {"marks": tuple(said.values()), "notes": notes}


CAUSES = {
    "other_load_share": "Other processes took its cores for {}.",
    "quota_share": "Its quota of processor time was used up for {}.",
    "stolen_share": "The hypervisor gave its cores to other guests for {}.",
    "throttled_share": "The hardware slowed its clock down, hot or short of power, for {}.",
    "card_shared_share": "Other processes used its card for {}.",
}
"""What may hold a run up, by the field of `Disturbances` that has its share; how it is said."""


def _later(one: Reading, before: Reading, after: Reading) -> Reading:
    """A reading as if what passed between two others had passed before it."""
    moves = (_between(*pair) for pair in zip(before, after, strict=True))
    moved = (
        None if value is None or move is None else value + move
        for value, move in zip(one, moves, strict=True)
    )
    return Reading(*moved)  # type: ignore[arg-type]  # clocks are known in all of them


def _larger(cpu: float | None, card: float | None) -> float | None:
    """A share of both; where the card does not tell, the CPU vouches for nothing but a yes."""
    return cpu or None if card is None else max(cpu or 0.0, card)


def _between(first: float | None, last: float | None) -> float | None:
    return None if first is None or last is None else last - first


class LoadSampler:
    """Watches the machine from a small thread while a run is timed."""

    def __init__(self, interval: float = 0.25, *, helpers: bool = False) -> None:
        """
        Args:
            interval: seconds between two readings.
            helpers: whether the run starts processes of its own, as torch.compile does.
        """
        self._interval = interval
        self._helpers = helpers
        self._stop = threading.Event()
        self._cost = 0.0
        self._thread: threading.Thread | None = None
        self._reading = threading.Lock()
        self._holds = False
        self.waits = Waits()
        """What threads waited so far, for who wants to know it of single steps."""

    def start(self, device: str = "cpu", threads: int = 1) -> None:
        """Begin to watch the machine and, if the run is on an NVIDIA card, the card too.

        Args:
            threads: of a step on the CPU.
        """
        import psutil

        self._card = CardWatch(device)
        cores = psutil.cpu_count() or 1
        self._tally = Tally(self._read(), cores, self._interval, threads)
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._thread.start()

    def hold(self) -> None:
        """Others have the machine, as was agreed: look away."""
        with self._reading:
            self._tally.add(self._read())
            self._holds = True

    def go_on(self) -> None:
        """Look again."""
        with self._reading:
            self._tally.skip(self._read())
            self._holds = False

    def stop(self, left_out: bool = False) -> Disturbances:
        """Stop watching and say what was seen.

        Args:
            left_out: as `Tally.result` has it.

        Raises:
            RuntimeError: it was never started.
        """
        if self._thread is None:
            raise RuntimeError("LoadSampler.stop was called before start")
        self._stop.set()
        self._thread.join()
        self._add()
        self.waits.close()
        return self._tally.result(self._card, self._cost, left_out)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            with self._reading:
                self._add()
            self._cost = time.thread_time()

    def _add(self) -> None:
        if not self._holds:
            self._tally.add(self._read())
            self._card.look()

    def _read(self) -> Reading:
        self.waits.look()
        return read(self._helpers)._replace(waited=self.waits.seconds)
