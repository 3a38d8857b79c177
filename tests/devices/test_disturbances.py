"""What took a run's own cores, quota, clock or card: a share of its time, one rule for all."""

import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import psutil
import pynvml
import pytest

from cnnlab import devices
from cnnlab.devices import load, waits
from cnnlab.devices.card_watch import CardWatch
from cnnlab.devices.load import Reading, Tally
from cnnlab.devices.waits import Waits
from cnnlab.spec import Disturbances
from tests.devices.conftest import NOT_SUPPORTED
from tests.patience import PATIENCE_SECONDS


def seen(*rows, cores=2, threads=2, interval=0.25, **counters):
    """Tally readings: rows of (seconds, others' cores, own cores, and what counters rise by in a
    second, by name); a counter that no row names stands still at what `counters` has.
    """
    now = Reading(clock=100.0, calendar=500.0, busy=40.0, own=10.0, stolen=None)
    now = now._replace(**counters)
    tally = Tally(now, cores, interval, threads)
    for seconds, other, own, *rising in rows:
        for _ in range(round(seconds / interval)):
            rises = {
                "clock": 1.0,
                "calendar": 1.0,
                "busy": other + own,
                "own": own,
                **(rising[0] if rising else {}),
            }
            changed = {name: getattr(now, name) + interval * by for name, by in rises.items()}
            now = now._replace(**changed)
            tally.add(now)
    return tally, now


def result(tally, card=None, left_out=False):
    return tally.result(card or CardWatch("cpu"), own_cost=0.0, left_out=left_out)


def test_what_passes_while_a_run_holds_is_none_of_its_time():
    tally, now = seen((1.0, 0.0, 2.0))
    meanwhile = {"clock": 3.0, "calendar": 3.0, "busy": 6.0, "own": 0.0}
    now = now._replace(**{name: getattr(now, name) + by for name, by in meanwhile.items()})
    tally.skip(now)
    for _ in range(4):
        rises = {"clock": 0.25, "calendar": 0.25, "busy": 0.5, "own": 0.5}
        now = now._replace(**{name: getattr(now, name) + by for name, by in rises.items()})
        tally.add(now)
    found = result(tally)
    assert found.seconds == pytest.approx(2.0)
    assert found.other_load_mean == pytest.approx(0.0)
    assert found.other_load_peak == pytest.approx(0.0)
    assert found.marks == ()


# --- the run's own cores --------------------------------------------------------------------


def test_a_quiet_run_bears_no_mark():
    quiet = result(seen((20, 0.05, 1.9, {"waited": 0.002}), waited=0.0)[0])
    assert quiet.marks == quiet.notes == ()
    assert quiet.other_load_mean == pytest.approx(0.05)
    assert quiet.other_load_share == pytest.approx(0.002)


def test_a_neighbour_on_other_cores_of_a_large_machine_is_no_disturbance():
    busy = seen((10, 60.0, 4.0, {"waited": 0.001}), cores=128, threads=4, waited=0.0)
    assert result(busy[0]).marks == ()


def test_three_intruders_on_our_four_cores_of_64_are_one():
    held = seen((10, 3.0, 2.5, {"waited": 1.5}), cores=64, threads=4, waited=0.0)
    assert result(held[0]).marks == ("Other processes took its cores for 100 % of the time.",)


def test_what_was_taken_is_told_as_a_share_of_the_time():
    told = result(seen((12, 0, 2), (8, 0.9, 1.1, {"waited": 0.5}), waited=0.0)[0])
    assert told.marks == ("Other processes took its cores for 20 % of the time.",)
    assert told.other_load_peak == pytest.approx(0.9)


def test_threads_that_wait_for_each_other_were_not_disturbed_by_others():
    """Eight threads on two cores, as a spec may ask for, and nobody else."""
    tally, _ = seen((10, 0.01, 2.0, {"waited": 6.0}), threads=8, waited=0.0)
    assert result(tally).marks == ()


def test_a_blip_is_in_the_peak_but_is_no_mark():
    told = result(seen((99, 0, 2), (1, 1.0, 1.0, {"waited": 1.0}), waited=0.0)[0])
    assert told.other_load_peak == pytest.approx(1.0)
    assert told.marks == ()


def test_waiting_that_the_compared_figures_leave_out_is_a_note():
    tally, _ = seen((10, 0.9, 1.1, {"waited": 0.3}), waited=0.0)
    told = result(tally, left_out=True)
    assert told.marks == ()
    (note,) = told.notes
    assert note.startswith("Other processes took its cores for 30 % of the time. What is compared")


@pytest.mark.parametrize(
    ("cores", "threads", "other", "share"), [(2, 2, 0.9, 0.9), (16, 4, 3.0, 0.0), (8, 8, 2.0, 1.0)]
)
def test_without_schedulers_counts_others_are_on_our_cores_as_far_as_they_must_be(
    cores, threads, other, share
):
    told = result(seen((10, other, 1.0), cores=cores, threads=threads)[0])
    assert told.other_load_share == pytest.approx(share)


def test_a_run_too_short_for_the_systems_ticks_has_no_load():
    first = Reading(clock=0.0, calendar=0.0, busy=0.0, own=0.0, stolen=None)
    tally = Tally(first, cores=2, interval=0.25, threads=2)
    tally.add(first._replace(clock=0.1, calendar=0.1, busy=0.1))
    told = result(tally)
    assert told.other_load_mean is told.other_load_peak is told.other_load_share is None
    assert told.stolen_share is None


@pytest.mark.skipif(sys.platform != "linux", reason="Linux counts what threads wait")
def test_a_thread_that_must_share_its_core_is_found_waiting_and_one_alone_is_not():
    code = "import os; os.sched_setaffinity(0, {0}); print(flush=True)\nwhile True: pass"
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {0})
    try:
        waits_ = Waits()
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as intruder:
            intruder.stdout.readline()
            spin(0.5)
            waits_.look()
            waits_.quick()
            spin(0.5)
            quick = waits_.quick()
            intruder.kill()
        waits_.look()
    finally:
        os.sched_setaffinity(0, before)
        waits_.close()
    assert quick > 0.1
    assert waits_.seconds > quick


def spin(seconds):
    """Compute for so long, of this process's own time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_where_the_system_does_not_tell_nothing_is_known_of_waiting(tmp_path, monkeypatch):
    monkeypatch.setattr(waits, "PROC", tmp_path)
    unknown = Waits()
    unknown.look()
    assert unknown.seconds is unknown.quick() is None


def test_a_thread_that_has_ended_takes_nothing_back():
    done = threading.Event()
    meter = Waits()
    helper = threading.Thread(target=lambda: (spin(0.1), done.wait(PATIENCE_SECONDS)))
    helper.start()
    spin(0.2)
    meter.look()
    meter.quick()
    done.set()
    helper.join()
    assert (meter.quick() or 0.0) >= 0.0
    meter.close()


# --- quota, hypervisor, heat, card ----------------------------------------------------------


def test_a_quota_that_is_used_up_is_named():
    told = result(seen((10, 0, 1.5, {"quota": 0.25}), quota=3.0)[0])
    assert told.quota_share == pytest.approx(0.25)
    assert told.marks == ("Its quota of processor time was used up for 25 % of the time.",)


@pytest.mark.parametrize(
    ("stat", "seconds"),
    [
        ("usage_usec 9\nnr_periods 4\nnr_throttled 2\nthrottled_usec 1500000\n", 1.5),
        ("nr_periods 4\nnr_throttled 2\nthrottled_time 2500000000\n", 2.5),
        ("usage_usec 9\nuser_usec 5\n", None),
    ],
)
def test_both_versions_of_control_groups_tell_it(tmp_path, monkeypatch, stat, seconds):
    (tmp_path / "cpu.stat").write_text(stat)
    monkeypatch.setattr(waits, "cgroup_folders", lambda _: [tmp_path, tmp_path / "absent"])
    assert waits.quota_seconds() == seconds


def test_a_hypervisor_that_takes_cores_is_named_with_our_part_of_it():
    told = result(seen((10, 1.8, 1.8, {"stolen": 0.4}), cores=4, stolen=3.0, waited=0.0)[0])
    assert told.stolen_mean == pytest.approx(0.4)
    assert told.stolen_share == pytest.approx(0.2)
    assert "The hypervisor gave its cores to other guests for 20 % of the time." in told.marks


def test_one_moment_of_heat_does_not_void_two_hours():
    tally, now = seen((7200, 0, 1.9), interval=1.0, heat_events=0)
    for _ in range(3):
        now = now._replace(clock=now.clock + 1, calendar=now.calendar + 1, heat_events=1)
        tally.add(now)
    told = result(tally)
    assert told.throttled is True
    assert told.throttled_share < 0.001
    assert told.marks == ()


def test_heat_is_told_by_its_seconds_where_they_are_counted():
    told = result(seen((10, 0, 1.9, {"heat": 0.3}), heat=50.0, heat_events=3)[0])
    assert told.throttled_share == pytest.approx(0.3)
    assert "slowed its clock down, hot or short of power, for 30 % of the time" in told.marks[0]


# --- pauses ---------------------------------------------------------------------------------


def test_a_machine_that_slept_is_found_by_the_clock_that_went_on():
    tally, now = seen((5, 0.0, 1.9))
    tally.add(now._replace(clock=now.clock + 0.25, calendar=now.calendar + 60.25))
    told = result(tally)
    assert told.paused_seconds == pytest.approx(60)
    assert "stood still for 60 s" in told.marks[0]


def test_a_stopped_process_is_found_by_its_late_sampler():
    tally, now = seen((5, 0.0, 1.9))
    tally.add(now._replace(clock=now.clock + 10.25, calendar=now.calendar + 10.25))
    assert result(tally).paused_seconds == pytest.approx(10)


def test_a_sampler_kept_waiting_by_a_busy_run_is_no_pause():
    tally, now = seen((5, 0.0, 1.9))
    late = now._replace(clock=now.clock + 5, calendar=now.calendar + 5, own=now.own + 5)
    tally.add(late._replace(busy=now.busy + 5))
    assert result(tally).paused_seconds == 0


@pytest.fixture
def throttles(tmp_path, monkeypatch):
    """Made-up counters of Intel's thermal throttling; returns a function that sets them."""
    monkeypatch.setattr(waits, "CPUS", tmp_path)

    def write(core: int, package: int) -> None:
        for number in (0, 1):
            folder = tmp_path / f"cpu{number}" / "thermal_throttle"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "core_throttle_count").write_text(f"{core}\n")
            (folder / "package_throttle_count").write_text(f"{package}\n")

    return write


def observed(during=lambda: None, device: str = "cpu"):
    """A real sampler around something; it has looked at least twice before it is stopped."""
    sampler = devices.LoadSampler(interval=0.01)
    sampler.start(device)
    during()
    looked, original = threading.Semaphore(0), sampler._tally.add
    sampler._tally.add = lambda reading: (original(reading), looked.release())[0]
    assert looked.acquire(timeout=PATIENCE_SECONDS)
    assert looked.acquire(timeout=PATIENCE_SECONDS)
    return sampler.stop()


def test_throttling_is_unknown_where_nothing_tells(tmp_path, monkeypatch):
    monkeypatch.setattr(waits, "CPUS", tmp_path)
    assert observed().throttled is None


def test_a_cpu_that_slowed_down_during_the_run_is_marked(throttles):
    throttles(core=3, package=9)
    assert observed().throttled is False
    told = observed(during=lambda: throttles(core=3, package=10))
    assert told.throttled is True
    assert any("slowed its clock down" in mark for mark in told.marks)


def others_use(percent):
    """What NVML says of another process's use of the card, at some time to come."""
    return [SimpleNamespace(pid=1, smUtil=percent, timeStamp=10**18)]


def on_the_card(*pids):
    """NVML's list of the processes that hold a context."""
    return [[SimpleNamespace(pid=pid) for pid in pids]]


@pytest.mark.parametrize(
    ("use", "listed", "share"),
    [
        (40, "both", 1.0),
        (1, "both", 0.0),  # a desktop
        (40, "neither", None),  # in a container
        (None, "both", 1.0),  # a slice of a card tells no use
        (None, "own", 0.0),
    ],
)
def test_another_process_on_the_card_is_seen(nvml, use, listed, share):
    pids = {"both": (os.getpid(), 1), "own": (os.getpid(),), "neither": ()}[listed]
    nvml["ComputeRunningProcesses"] = on_the_card(*pids)
    nvml["ProcessUtilization"] = NOT_SUPPORTED if use is None else [others_use(use)]
    told = observed(device="cuda:0")
    assert told.card_shared_share == share
    assert ("Other processes used its card for 100 % of the time." in told.marks) == (share == 1.0)


def test_a_card_without_new_samples_is_ours_alone(nvml):
    nvml["ComputeRunningProcesses"] = on_the_card(os.getpid(), 1)
    assert observed(device="cuda:0").card_shared_share == 0.0


def test_a_card_that_was_too_hot_is_marked(nvml, tmp_path, monkeypatch):
    monkeypatch.setattr(waits, "CPUS", tmp_path)
    assert observed(device="cuda:0").throttled is False
    hot = pynvml.nvmlClocksEventReasonSwThermalSlowdown
    nvml["CurrentClocksEventReasons"] = [hot, 0]
    assert observed(device="cuda:0").throttled is True


def test_a_card_that_does_not_tell_is_not_vouched_for_by_the_cpu(nvml, throttles):
    throttles(core=0, package=0)
    nvml["CurrentClocksEventReasons"] = nvml["CurrentClocksThrottleReasons"] = NOT_SUPPORTED
    assert observed(device="cuda:0").throttled is None


def test_the_sampler_tells_its_own_cost_and_ends_its_thread():
    told = observed()
    assert told.own_cost_seconds > 0
    assert told.cores >= 1
    assert "load" not in [thread.name for thread in threading.enumerate()]
    assert Disturbances.model_validate_json(told.model_dump_json()) == told


@pytest.mark.parametrize("helpers", [True, False])
def test_processes_that_a_run_starts_are_its_own_where_it_says_so(helpers):
    code = "import time; end = time.process_time() + 0.6\nwhile time.process_time() < end: pass"
    before = load.read(helpers)
    with subprocess.Popen([sys.executable, "-c", code + "\ninput()"], stdin=subprocess.PIPE) as one:
        process = psutil.Process(one.pid)
        while sum(process.cpu_times()[:2]) < 0.55:
            time.sleep(0.02)
        alive = load.read(helpers).own - before.own
        one.communicate(b"\n")
    ended = load.read(helpers).own - before.own
    for own in (alive, ended):
        assert (own >= 0.5) == helpers


def test_a_sampler_that_was_never_started_is_a_mistake():
    with pytest.raises(RuntimeError, match="before start"):
        devices.LoadSampler().stop()


def test_a_readings_own_time_is_not_others_time():
    first = Reading(clock=0.0, calendar=0.0, busy=10.0, own=5.0, stolen=None)
    assert load.others(first, first._replace(clock=2.0, busy=14.0, own=9.0)) == 0
    assert load.others(first, first._replace(clock=2.0, busy=14.0, own=7.0)) == 1
