"""`python -m cnnlab.cluster.survey [--check]`: what the nodes have, as JSON on stdout.

A process of its own, because Ray may end whoever uses it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import ray

from cnnlab.cluster import access, node
from cnnlab.cluster.access import Node
from cnnlab.cluster.facts import MachineFacts, mismatch, named
from cnnlab.spec import LabError

CALLS = 5
CALL_SECONDS = 30.0


def answer(check: bool) -> dict[str, Any]:
    """{"machines": [...]}, or {"error": a sentence}."""
    try:
        access.connect(named() or "auto")
        found = access.nodes()
    except LabError as error:
        return {"error": str(error)}
    asked = [(access.asked_on(each, node.survey, each.name, each.node), each) for each in found]
    references = [reference for reference, _ in asked]
    ray.wait(references, num_returns=len(references), timeout=node.SURVEY_SECONDS + 10)
    machines = [_facts(each, _told(reference), check) for reference, each in asked]
    return {"machines": [machine.model_dump(mode="json") for machine in machines]}


def _told(reference: Any) -> dict[str, Any]:
    try:
        return dict(ray.get(reference, timeout=1.0))
    except ray.exceptions.GetTimeoutError:
        return {"problem": "does not answer; look whether Ray runs there"}
    except ray.exceptions.RayError as error:
        return {"problem": f"cannot be asked ({type(error).__name__}); start Ray there again"}


def _facts(where: Node, told: dict[str, Any], check: bool) -> MachineFacts:
    problem = told.pop("problem", None)
    machine = MachineFacts.model_validate(
        {
            "name": where.name,
            "node": where.node,
            "host": where.host,
            "address": where.address,
            "problem": problem and f"{where.name} {problem}.",
            "round_trip_ms": _round_trip_ms(where) if check else None,
        }
        | told
    )
    if machine.problem or machine.hardware is None:
        return machine
    return machine.model_copy(update={"problem": mismatch(where.name, machine.hardware.versions)})


def _round_trip_ms(where: Node) -> float | None:
    """The quickest of a few calls, once the process that answers stands."""
    holder = access.holder_on(where)
    times = []
    try:
        for _ in range(CALLS):
            began = time.perf_counter()
            ray.get(holder.has.remote("nothing"), timeout=CALL_SECONDS)
            times.append((time.perf_counter() - began) * 1e3)
        ray.kill(holder)
    except ray.exceptions.RayError:
        return None
    return min(times)


if __name__ == "__main__":
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what Ray prints is no answer
    with out:
        json.dump(answer("--check" in sys.argv), out)
    os._exit(0)  # Ray's own farewell may wait for a cluster that is gone
