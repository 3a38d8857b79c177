"""`python -m cnnlab.cluster.bridge MACHINE GPU_OFF`: a training process elsewhere, as if here.

To the lab it is a `cnnlab.worker`: the same lines go in and out, and it ends when its stdin closes.
Behind it an actor on the machine holds the worker itself (`node.Holder`). What only concerns the
distance is done here: the machine is waited for, data go there, checkpoints come back, and whatever
happens to actor, node, head or network becomes the run's last word.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any, cast

import ray

from cnnlab import devices
from cnnlab.cluster import access
from cnnlab.cluster.facts import mismatch, named
from cnnlab.cluster.freight import Returns, send_data, send_run
from cnnlab.runner.process import why_it_died
from cnnlab.spec import GpuOff, LabError, PhaseChanged, RunEnded, Status, parse_spec

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 25.0
"""Without an answer from the machine, after which a run is given up. More than the lease that the
machine gives it (`node.LEASE_SECONDS`), so that it has ended by then; and what ends is said within
30 s."""
POLL_SECONDS = 5.0
AGAIN = (
    ray.exceptions.GetTimeoutError,
    ray.exceptions.ActorUnavailableError,
    ray.exceptions.ObjectLostError,
)
"""After these a method is asked again: the answer is late, or was lost on its way, or with a node
that is gone, as the next call finds out."""
AGAIN_SECONDS = 0.3
START_SECONDS = 120.0
GOODBYE_SECONDS = 3.0
ENDS = ('{"kind":"ended"', '{"kind":"profiled"', '{"kind":"tried"')
"""How the last lines of an order begin."""


class Lost(Exception):
    """The machine, or what holds the training process on it, is no more: said in a sentence."""


class Bridge:
    """Carries lines between the lab and a holder on a machine until either is gone."""

    def __init__(self, machine: str, gpu_off: GpuOff, out: IO[str]) -> None:
        self._machine, self._gpu_off, self._out = machine, gpu_off, out
        self._writing = threading.Lock()
        self._inbox: queue.Queue[str | None] = queue.Queue()
        self._over = threading.Event()
        self._answered_at = time.monotonic() + START_SECONDS
        self._holder: Any = None
        self._where: access.Node | None = None
        self._number = 0
        self._order: dict[str, Any] | None = None
        self._returns: Returns | None = None
        self._stop = threading.Event()
        self._greeted = False
        self._code = 1

    def run(self) -> int:
        """Until it is over; the exit code."""
        for work in (self._listen, self._carry):
            threading.Thread(target=self._guarded, args=(work,), daemon=True).start()
        while not self._over.wait(0.5):
            silent = time.monotonic() - self._answered_at
            if silent > PATIENCE_SECONDS:
                self._end_lost(
                    f"The machine {self._machine} did not answer for {PATIENCE_SECONDS:.0f} s, so "
                    "the run there is given up; look at the network, then resume it here or there."
                )
        return self._code

    def end(self, *_: Any) -> None:
        """Be over at once, as the lab wishes."""
        self._code = -signal.SIGTERM
        self._over.set()

    def let_go(self) -> None:
        """Let nothing go on there."""
        if self._holder is None:
            return
        gone = threading.Thread(target=ray.kill, args=(self._holder,), daemon=True)
        gone.start()
        gone.join(GOODBYE_SECONDS)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (Lost, LabError) as error:
            self._end_lost(str(error))
        except Exception as error:
            log.exception("the bridge to %s broke", self._machine)
            self._end_lost(
                f"The connection to {self._machine} broke ({type(error).__name__}); the log says "
                "more. Resume the run."
            )

    # --- calls ------------------------------------------------------------------------------

    def _call(self, method: str, *arguments: Any, seconds: float = 30.0) -> Any:
        """A method of the holder, asked again until it answers: all of them may be repeated.

        Raises:
            Lost: it never will.
            OSError: the machine's disk cannot take something.
        """
        while not self._over.is_set():
            try:
                asked = getattr(self._holder, method).remote(*arguments)
                answer = ray.get(asked, timeout=seconds)
                self._answered_at = time.monotonic()
                return answer
            except ray.exceptions.RayTaskError as error:
                raise error.cause from None
            except AGAIN:
                time.sleep(AGAIN_SECONDS)
            except ray.exceptions.RayActorError as error:
                raise Lost(self._why_gone()) from error
            except (ConnectionError, ray.exceptions.RaySystemError, ray.exceptions.RpcError):
                log.warning("the cluster does not answer", exc_info=True)
                time.sleep(AGAIN_SECONDS)
        raise Lost("It is over.")

    def _why_gone(self) -> str:
        try:
            there = any(self._where and each.node == self._where.node for each in access.nodes())
        except Exception:  # the head may be gone as well
            log.exception("the nodes cannot be listed")
            there = False
        what = f"The machine {self._machine} is gone"
        if there:
            what = f"What held the training process on {self._machine} was killed from outside"
        return f"{what}; its finished epochs are kept: resume the run here or on another machine."

    # --- from the machine -------------------------------------------------------------------

    def _carry(self) -> None:
        """Start the training process there, then pass on what it says."""
        address = named()
        if address is None:
            raise LabError("No cluster is named; set CNNLAB_CLUSTER.")
        access.connect(address)
        self._where = access.node_called(self._machine)
        self._holder = access.holder_on(self._where)
        variables = devices.worker_environment(self._gpu_off)
        if why := self._call("begin", self._gpu_off, variables, seconds=START_SECONDS):
            raise LabError(f"{self._machine} {why}.")
        code = None
        told = 0
        while code is None and not self._over.is_set():
            lines, code, why = self._call("said", told, POLL_SECONDS, seconds=2 * POLL_SECONDS)
            told += len(lines)
            self._pass_on(lines)
        self._bring_back()
        if self._order is not None:
            self._end_without_a_word(code or 0, why)
        self._code = code or 0
        self._over.set()

    def _pass_on(self, lines: list[str]) -> None:
        fresh = True
        for line in lines:
            if fresh and line.startswith(('{"kind":"epoch"', '{"kind":"ended"')):
                # First, so that an epoch which anybody has heard of can be gone on from.
                self._bring_back()
                fresh = False
            self._say(self._put_in_place(line))
            self._greeted = True
            if line.startswith(ENDS):
                self._close_order()

    def _put_in_place(self, line: str) -> str:
        """The line, with what only this end knows."""
        if line.startswith('{"kind": "hello"'):
            hello = json.loads(line)
            if why := mismatch(self._machine, hello["hardware"]["versions"]):
                raise LabError(why)
            threading.Thread(target=self._guarded, args=(self._hand_over,), daemon=True).start()
        if line.startswith('{"kind":"started"'):
            assert self._where
            place = {"name": self._where.name, "node": self._where.node}
            return json.dumps(json.loads(line) | {"machine": place}) + "\n"
        return line

    def _bring_back(self) -> None:
        if self._returns is None:
            return
        try:
            self._returns.bring()
        except OSError:
            log.exception("what the run leaves cannot be kept here; it goes on without")
            self._returns = None

    def _close_order(self) -> None:
        order, self._order, self._returns = self._order, None, None
        self._call("vacate")
        if order:
            self._call("forget", order["run_id"])

    # --- to the machine ---------------------------------------------------------------------

    def _listen(self) -> None:
        for line in sys.stdin:
            if line.strip() == "stop":
                self._stop.set()
            self._inbox.put(line.rstrip("\n"))
        self._stop.set()
        self._inbox.put(None)
        if self._holder is None:  # nothing is there that had to be told
            self._over.set()

    def _hand_over(self) -> None:
        while not self._over.is_set():
            line = self._inbox.get()
            if line is not None and line.startswith("{"):
                line = self._prepared(json.loads(line))
                if line is None:
                    continue
            self._call("hear", self._number, line)
            self._number += 1
            if line is None:
                return

    def _prepared(self, order: dict[str, Any]) -> str | None:
        """The order as the machine can carry it out, once it can; None where it is withdrawn."""
        self._order = order
        try:
            if not self._has_turn():
                raise InterruptedError
            spec, run_id = parse_spec(order["spec"]), order["run_id"]
            order["stands_for"] = send_data(spec, self._call, self._loading)
            if order.get("resume"):
                send_run(run_id, self._call)
        except InterruptedError:
            self._refuse(RunEnded(status=Status.STOPPED))
            return None
        except (LabError, OSError) as error:
            self._refuse(RunEnded(status=Status.FAILED, error=self._said_of(error)))
            return None
        if "kind" not in order:
            self._returns = Returns(run_id, self._call)
            order["launched_ago"] = time.monotonic() - order.pop("launched_at")
        return json.dumps(order)

    def _said_of(self, error: Exception) -> str:
        if isinstance(error, LabError):
            return str(error)
        why = getattr(error, "strerror", None) or error
        return f"The data cannot be kept on {self._machine} ({why}): make room there, start again."

    def _has_turn(self) -> bool:
        """Wait until nobody else has something timed there; false where the run is withdrawn."""
        while not self._stop.is_set():
            if self._call("occupy"):
                return True
            self._say(PhaseChanged(phase="waiting").model_dump_json() + "\n")
            self._stop.wait(1.0)
        return False

    def _loading(self, done: float) -> None:
        if self._stop.is_set():
            raise InterruptedError
        self._say(PhaseChanged(phase="loading", done=done).model_dump_json() + "\n")

    def _refuse(self, ended: RunEnded) -> None:
        self._say(ended.model_dump_json() + "\n")
        self._order = None
        self._over.set()

    # --- the last word ----------------------------------------------------------------------

    def _say(self, line: str) -> None:
        with self._writing:
            try:
                self._out.write(line)
                self._out.flush()
            except OSError:  # the lab is gone
                self._over.set()

    def _end_without_a_word(self, code: int, why: str) -> None:
        if why == "lease":
            error = (
                f"{self._machine} heard nothing from this lab for a while and ended the run; its "
                "finished epochs are kept: resume it."
            )
            ended = RunEnded(status=Status.INTERRUPTED, error=error)
        elif self._stop.is_set():
            ended = RunEnded(status=Status.STOPPED)
        else:
            ended = RunEnded(status=Status.FAILED, error=f"On {self._machine}: {why_it_died(code)}")
        self._say(ended.model_dump_json() + "\n")

    def _end_lost(self, sentence: str) -> None:
        """Say why nothing more will come: of the run, or, before the hello, of the process.

        An order may be on its way to a process that waits, so its hello is where the two part.
        """
        if self._over.is_set():
            return
        if self._greeted:
            ended = RunEnded(status=Status.INTERRUPTED, error=sentence)
            self._say(ended.model_dump_json() + "\n")
        else:
            self._say(json.dumps({"kind": "refused", "error": sentence}) + "\n")
        self._over.set()


def main() -> None:
    """Be the bridge that the arguments name."""
    logging.basicConfig(level=logging.WARNING)
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what Ray prints is no line
    bridge = Bridge(sys.argv[1], cast(GpuOff, sys.argv[2]), out)
    signal.signal(signal.SIGTERM, bridge.end)
    code = bridge.run()
    bridge.let_go()
    os._exit(code if 0 <= code < 128 else 128)  # Ray's own farewell may wait for what is gone


if __name__ == "__main__":
    main()
