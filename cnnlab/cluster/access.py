"""The way into a cluster: connecting, what must be true of it, and its nodes. Imports Ray."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
import ray
from ray._private.grpc_utils import init_grpc_channel
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cnnlab.cluster import node
from cnnlab.cluster.facts import VARIABLE, python_version
from cnnlab.spec import LabError

ASK_CLIENT_SERVER = "/ray.rpc.RayletDriver/ClusterInfo"
ASK_HEAD = "/ray.rpc.NodeInfoGcsService/GetAllNodeInfo"
PROBE_SECONDS = 5.0
SHUT = (
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
)
"""Answers of a cluster that asks for a token, or is not there, which connecting will say."""
TRIES, AGAIN_SECONDS = 3, 2.0
ALWAYS: dict[str, Any] = {"num_cpus": 0, "num_gpus": 0}
"""A run is no load that Ray plans for: one at a time has the whole machine (`Holder.occupy`)."""


@dataclass(frozen=True)
class Node:
    """A machine of the cluster, as Ray has it."""

    name: str
    node: str
    host: str
    address: str


def connect(address: str) -> None:
    """Join the cluster.

    Raises:
        LabError: it is not there, lets nobody in or everybody, or speaks another version of Ray.
    """
    if address.startswith("ray://"):
        _refuse_open(address.removeprefix("ray://"), ASK_CLIENT_SERVER)
        _check_token(address)
    ray.cloudpickle.register_pickle_by_value(node)
    for left in reversed(range(TRIES)):
        try:
            _join(address)
            break
        except Exception as error:  # Ray raises what it likes, in its client as in its core
            if not left or not isinstance(error, ConnectionError):
                raise LabError(_why_not(address, error)) from error
            time.sleep(AGAIN_SECONDS)  # a busy head may take too long to let somebody in
    if not address.startswith("ray://"):
        _refuse_open(ray.get_runtime_context().gcs_address, ASK_HEAD)


def _join(address: str) -> None:
    ray.init(
        address=address,
        namespace="cnnlab",
        log_to_driver=False,
        logging_level=logging.ERROR,
        ignore_reinit_error=True,
    )


def _why_not(address: str, error: Exception) -> str:
    said = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    if "version" in said.lower():
        return (
            f"The cluster {address} and this lab have different versions of Ray or Python "
            f"({said}): both need Ray {ray.__version__} and Python {python_version()}."
        )
    if "auth" in str(error).lower() or "token" in str(error).lower():
        return _not_let_in(address)
    return (
        f"The cluster {address} cannot be reached ({said}): start it (docs/cluster.md says how), "
        f"or unset {VARIABLE}."
    )


def _not_let_in(address: str) -> str:
    return (
        f"The cluster {address} does not take this lab's token: copy ~/.ray/auth_token from "
        "its head to this computer."
    )


def _check_token(address: str) -> None:
    """Ask once, with the token that there is: Ray's client would ask for minutes, and not say why.

    Raises:
        LabError: the cluster does not take it.
    """
    with_token = init_grpc_channel(address.removeprefix("ray://"))
    if _answer(with_token, ASK_CLIENT_SERVER) is grpc.StatusCode.UNAUTHENTICATED:
        raise LabError(_not_let_in(address))


def _answer(channel: grpc.Channel, method: str) -> grpc.StatusCode:
    """What becomes of a call without content."""
    with channel:
        try:
            channel.unary_unary(method)(b"", timeout=PROBE_SECONDS)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


def _refuse_open(target: str, method: str) -> None:
    """Make sure that a cluster on the network asks for a token: whoever reaches it runs code.

    Raises:
        LabError: it answers a call without one.
    """
    host = target.rpartition(":")[0].strip("[]")
    if _is_loopback(host):
        return
    if _answer(grpc.insecure_channel(target), method) in SHUT:
        return
    raise LabError(
        f"The cluster at {target} lets in whoever reaches it, and would run their code: start it "
        "with RAY_AUTH_MODE=token (docs/cluster.md says how), or on the loopback interface alone."
    )


def _is_loopback(host: str) -> bool:
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return False  # not to be reached either, which connecting will say
    return all(ipaddress.ip_address(str(each).partition("%")[0]).is_loopback for each in found)


def nodes() -> list[Node]:
    """The living nodes by name; those of one name are told apart by their ids."""
    found = [_node(each) for each in ray.nodes() if each["Alive"]]
    often = Counter(each.name for each in found)
    return sorted(
        (each if often[each.name] == 1 else _told_apart(each) for each in found),
        key=lambda each: each.name,
    )


def _node(facts: dict[str, Any]) -> Node:
    host, address = facts["NodeManagerHostname"], facts["NodeManagerAddress"]
    given = facts.get("NodeName") or address
    name = host if given == address else given
    fit = "".join(sign if sign.isalnum() or sign in "._-" else "-" for sign in name)[:50]
    return Node(fit.strip("._-") or facts["NodeID"][:8], facts["NodeID"], host, address)


def _told_apart(each: Node) -> Node:
    return Node(f"{each.name}-{each.node[:4]}", each.node, each.host, each.address)


def node_called(name: str) -> Node:
    """The node of that name.

    Raises:
        LabError: there is none.
    """
    found = nodes()
    for each in found:
        if each.name == name:
            return each
    there = ", ".join(each.name for each in found) or "none"
    raise LabError(f"The cluster has no machine {name!r}, only {there}: choose one, or start it.")


def holder_on(where: Node) -> Any:
    """An actor on the node that may hold one training process. It is begun once and never again."""
    once = {"max_restarts": 0, "max_task_retries": 0, "max_concurrency": 4}
    actor: Any = ray.remote(node.Holder)
    there = _there(where)
    leave = partial(os._exit, 0)
    return actor.options(**once, **ALWAYS, **there).remote(where.name, where.node, leave)


def asked_on(where: Node, question: Callable[..., Any], *arguments: Any) -> Any:
    """A reference to the answer of a function that runs once on the node."""
    task: Any = ray.remote(question)
    return task.options(max_retries=0, **ALWAYS, **_there(where)).remote(*arguments)


def _there(where: Node) -> dict[str, Any]:
    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node_id=where.node, soft=False)}
