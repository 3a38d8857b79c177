"""A method of a holder is asked again until it answers, or its machine is known to be gone."""

import io
from unittest.mock import MagicMock

import pytest
import ray
from ray import exceptions

from cnnlab.cluster import access, bridge

LOST = exceptions.ObjectReconstructionFailedError("0" * 56, "its node died", b"", "")
"""A large answer, such as a file, lies on the node that gave it."""


@pytest.fixture
def answers(monkeypatch):
    """What the cluster gives or raises, one after the other."""
    given = []

    def get(asked, timeout):
        answer = given.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(ray, "get", get)
    monkeypatch.setattr(bridge, "AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(access, "nodes", lambda: [])
    return given


@pytest.fixture
def held():
    """A bridge to a holder that takes every call."""
    made = bridge.Bridge("victim", "none", io.StringIO())
    made._holder = MagicMock()
    return made


@pytest.mark.parametrize("late", [LOST, exceptions.GetTimeoutError("late")])
def test_an_answer_that_is_late_or_lost_is_asked_for_again(answers, held, late):
    answers += [late, late, b"a file"]
    assert held._call("file") == b"a file"


def test_of_a_node_that_went_with_an_answer_it_is_said_that_it_is_gone(answers, held):
    answers += [LOST, exceptions.ActorDiedError()]
    with pytest.raises(bridge.Lost, match="The machine victim is gone"):
        held._call("file")
