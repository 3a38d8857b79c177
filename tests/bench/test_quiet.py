"""What others take of our cores is told from our own waiting, and from what others do elsewhere."""

import os
import signal
import subprocess
import sys
import time

import pytest

from bench import measure, quiet
from bench.quiet import Reading, share_taken


def reading(clock=0.0, busy=0.0, stolen=0.0, held=0.0, own=0.0, threads=None):
    return Reading(clock, busy, stolen, held, own, threads or {})


def thread(ran=0.0, waited=0.0):
    return {(1, 1): (ran, waited)}


def test_a_core_that_others_took_while_we_waited_for_one_is_counted():
    after = reading(2.0, busy=2.0, own=1.5, threads=thread(1.5, 0.5))
    assert share_taken(reading(threads=thread()), after, cores=2) == pytest.approx(0.25)


def test_threads_of_ours_that_wait_for_each_other_are_nobodys_disturbance():
    after = reading(2.0, busy=4.0, own=4.0, threads=thread(4.0, 3.0))
    assert share_taken(reading(threads=thread()), after, cores=2) == 0.0


def test_a_neighbour_on_cores_that_we_do_not_use_is_none():
    after = reading(2.0, busy=100.0, own=4.0, threads=thread(4.0, 0.0))
    assert share_taken(reading(threads=thread()), after, cores=128) == 0.0


def test_threads_that_begin_meanwhile_count_from_nought():
    after = reading(1.0, busy=2.0, own=1.0, threads={(1, 2): (1.0, 0.3)})
    assert share_taken(reading(), after, cores=2) == pytest.approx(0.3)


def test_where_our_threads_were_not_seen_others_are_taken_to_be_everywhere():
    after = reading(1.0, busy=2.0, own=1.0)
    assert share_taken(reading(), after, cores=2) == pytest.approx(0.5)
    assert share_taken(reading(), after, cores=100) == pytest.approx(0.01)


def test_what_a_hypervisor_gave_to_other_guests_comes_on_top():
    after = reading(1.0, busy=1.0, stolen=0.2, own=1.0, threads=thread(1.0, 0.0))
    assert share_taken(reading(threads=thread()), after, cores=2) == pytest.approx(0.2)


def test_so_does_what_a_quota_or_heat_held_us_up():
    after = reading(1.0, busy=1.0, held=0.3, own=1.0, threads=thread(1.0, 0.0))
    assert share_taken(reading(threads=thread()), after, cores=2) == pytest.approx(0.3)


def test_of_a_moment_nothing_is_said():
    assert share_taken(reading(), reading(0.1, busy=9.0), cores=2) == 0.0


def resting(*cores):
    """Let whatever was started use so much of a core, second by second; for how many it took."""
    used, seconds = [0.0], iter(cores)
    waited = []

    def pause(each):
        waited.append(each)
        used[0] += each * next(seconds)

    quiet.rest(len(cores), lambda: used[0], pause)
    return sum(waited)


def test_an_arm_begins_once_what_was_started_has_been_at_rest_for_two_seconds():
    assert resting(1.0, 0.1, 1.9, 0.1, 0.1, 0.1) == 5.0


def test_what_never_rests_is_said_to():
    with pytest.raises(TimeoutError, match="did not come to rest within 4 s"):
        resting(1.0, 0.1, 1.0, 0.1)


START_BURNER = """
import subprocess, sys
burning = subprocess.Popen([sys.executable, "-c", "while True: pass"], stdout=subprocess.DEVNULL)
print(burning.pid)
"""


@pytest.fixture
def busy_cores():
    """As many processes as there are cores that never rest, and are no children of this one."""
    command = [sys.executable, "-c", START_BURNER]
    pids = [int(subprocess.check_output(command)) for _ in range(os.cpu_count() or 1)]
    yield
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def spin() -> float:
    end = time.perf_counter() + 0.4
    while time.perf_counter() < end:
        pass
    return 1.0


@pytest.mark.skipif(os.name == "nt", reason="there a process's children are not given away")
def test_beside_busy_cores_every_round_is_left_out_and_counted(busy_cores):
    with pytest.raises(measure.Disturbed, match=r"^(\d+) of \1 rounds were disturbed and left out"):
        measure.rounds({"a": spin}, 4)


def test_what_was_seen_of_this_process_is_most_of_what_it_used():
    before = quiet.read()
    spin()
    after = quiet.read()
    ran = sum(now[0] - before.threads.get(key, (0.0, 0.0))[0] for key, now in after.threads.items())
    if sys.platform == "linux":
        assert ran == pytest.approx(after.own - before.own, abs=0.1)
        assert ran > 0
