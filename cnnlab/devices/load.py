"""What else went on while a run was timed: other processes, throttling, a machine asleep."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import NamedTuple

from cnnlab.devices.cards import Card, Unreadable
from cnnlab.devices.cpu import text_of
from cnnlab.spec import Disturbances

CPUS = Path("/sys/devices/system/cpu")

# Systems count CPU time in ticks of 10 ms: over a second, two cores err by hundredths of a core.
SPAN_SECONDS = 1.0
SHORTEST_SECONDS = 0.2
# From here on others' load is called a disturbance: well above those errors and above what an idle
# desktop does by itself; on a large machine, which has cores to spare, a twentieth of its cores.
OTHER_CORES = 0.25
OTHER_SHARE_OF_MACHINE = 0.05
# Shorter than this share of a run, a disturbance cannot move a median and hardly a mean.
NOTABLE_SHARE_OF_RUN = 0.05
# Time the hypervisor gave to other guests; an idle host takes well under a hundredth.
NOTABLE_STOLEN_SHARE = 0.02
# The sampler wakes late by some milliseconds, by tenths of a second on a full machine.
PAUSE_SECONDS = 2.0
# A paused process uses no CPU; one whose sampler merely waited for the interpreter lock does.
PAUSED_OWN_CORES = 0.1


class Reading(NamedTuple):
    """Clocks and counters at one moment, in seconds."""

    clock: float
    calendar: float
    """A clock that goes on while the machine sleeps."""
    busy: float
    """CPU time of all processes on all cores."""
    own: float
    """CPU time of this process, all its threads, and of the processes it started."""
    stolen: float | None


def read(helpers: bool = False) -> Reading:
    """Read the counters: well under a millisecond on a small machine.

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

    def __init__(self, first: Reading, cores: int, interval: float) -> None:
        self.threshold = max(OTHER_CORES, OTHER_SHARE_OF_MACHINE * cores)
        self.paused = 0.0
        self._cores = cores
        self._interval = interval
        self._first = self._last = self._span = first
        self._peak: float | None = None
        self._disturbed_seconds = self._disturbed_cpu = 0.0

    def add(self, reading: Reading) -> None:
        """Take the next reading; a span of about a second is judged when it is full."""
        self.paused += self._pause(reading)
        self._last = reading
        if reading.clock - self._span.clock >= SPAN_SECONDS:
            self._judge()

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
        load, seconds = others(self._span, self._last), self._last.clock - self._span.clock
        self._peak = max(load, self._peak or 0.0)
        if load > self.threshold:
            self._disturbed_seconds += seconds
            self._disturbed_cpu += load * seconds
        self._span = self._last

    def result(self, throttled: bool | None, own_cost: float) -> Disturbances:
        """Sum up. Loads are null for a run too short for the system's ticks."""
        seconds = self._last.clock - self._first.clock
        long_enough = seconds >= SHORTEST_SECONDS
        if long_enough and self._last.clock - self._span.clock >= SHORTEST_SECONDS:
            self._judge()
        share = self._disturbed_seconds / seconds if long_enough else None
        stolen = self._stolen(seconds) if long_enough else None
        return Disturbances(
            seconds=seconds,
            cores=self._cores,
            other_load_mean=others(self._first, self._last) if long_enough else None,
            other_load_peak=self._peak,
            other_load_share=share,
            stolen_mean=stolen,
            throttled=throttled,
            paused_seconds=self.paused,
            own_cost_seconds=own_cost,
            marks=self._marks(share, stolen, throttled),
        )

    def _stolen(self, seconds: float) -> float | None:
        if self._first.stolen is None or self._last.stolen is None:
            return None
        return max(self._last.stolen - self._first.stolen, 0.0) / seconds

    def _marks(
        self, share: float | None, stolen: float | None, throttled: bool | None
    ) -> tuple[str, ...]:
        marks = []
        if share is not None and share >= NOTABLE_SHARE_OF_RUN:
            load = self._disturbed_cpu / self._disturbed_seconds
            marks.append(
                f"Other processes used {load:.1f} of {self._cores} cores "
                f"for {share * 100:.0f} % of the run."
            )
        if stolen is not None and stolen >= NOTABLE_STOLEN_SHARE * self._cores:
            marks.append(
                f"The hypervisor gave {stolen:.1f} of {self._cores} cores to other guests."
            )
        if throttled:
            marks.append("The hardware slowed its clock down, against heat or for want of power.")
        if self.paused:
            marks.append(
                f"The machine or the process stood still for {self.paused:.0f} s "
                "(asleep, suspended or stopped)."
            )
        return tuple(marks)


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
        self._on_card = False
        self._card: Card | None = None
        self._card_slowed: bool | None = None
        self._cost = 0.0
        self._thread: threading.Thread | None = None

    def start(self, device: str = "cpu") -> None:
        """Begin to watch the machine and, if the run is on an NVIDIA card, the card too."""
        import psutil

        self._on_card = device.startswith("cuda")
        if self._on_card:
            try:
                self._card = Card(device)
            except Unreadable:  # said by `throttled` being null; the run itself needs no sensor
                self._card = None
        self._cpu_throttles = cpu_throttles()
        self._tally = Tally(read(self._helpers), psutil.cpu_count() or 1, self._interval)
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self._thread.start()

    def stop(self) -> Disturbances:
        """Stop watching and say what was seen.

        Raises:
            RuntimeError: it was never started.
        """
        if self._thread is None:
            raise RuntimeError("LoadSampler.stop was called before start")
        self._stop.set()
        self._thread.join()
        self._tally.add(read(self._helpers))
        return self._tally.result(self._throttled(), self._cost)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self._tally.add(read(self._helpers))
            self._watch_card()
            self._cost = time.thread_time()

    def _watch_card(self) -> None:
        if self._card is None:
            return
        try:
            self._card_slowed = self._card.slowed() or bool(self._card_slowed)
        except Unreadable:  # it will not answer later either: only a yes still stands
            self._card = None
            self._card_slowed = self._card_slowed or None

    def _throttled(self) -> bool | None:
        """Whether the run was slowed; a no is given only by the device that it ran on."""
        now = cpu_throttles()
        cpu = None if now is None or self._cpu_throttles is None else now > self._cpu_throttles
        return cpu or self._card_slowed if self._on_card else cpu


def cpu_throttles() -> int | None:
    """How often cores and packages slowed down against heat since boot (Intel on Linux)."""
    files = CPUS.glob("cpu[0-9]*/thermal_throttle/*_throttle_count")
    counts = [text for file in files if (text := text_of(file))]
    return sum(map(int, counts)) if counts else None
