"""What processes used is counted though nobody waited for their end."""

import subprocess
import sys
from contextlib import closing

import psutil

from bench.unreaped import Unreaped
from cnnlab.devices import load

USED_SECONDS = 0.3
GRANDCHILD = f"""
import sys, time
while time.process_time() < {USED_SECONDS}: pass
print("done", flush=True)
sys.stdin.readline()
"""
FORGETFUL = f"""
import signal, subprocess, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", {GRANDCHILD!r}])
signal.pause()
"""
"""A parent that does not wait for its children, as Ray's raylet does not."""


def test_what_a_child_used_that_nobody_waited_for_is_counted_once_it_has_ended():
    command = [sys.executable, "-c", FORGETFUL]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        try:
            with closing(Unreaped([psutil.Process(parent.pid)])) as unreaped:
                assert parent.stdout.readline() == b"done\n"
                assert unreaped.ended_seconds() == 0.0
                before = load.read(helpers=True).own
                (child,) = psutil.Process(parent.pid).children()
                parent.stdin.write(b"\n")
                parent.stdin.flush()
                child.wait()
                assert load.read(helpers=True).own < before
                assert unreaped.ended_seconds() > 0.9 * USED_SECONDS
        finally:
            parent.kill()
