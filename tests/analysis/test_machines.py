"""Another host is one named difference, and no refusal."""

from __future__ import annotations

from cnnlab import analysis
from cnnlab.analysis.grades import Grade
from cnnlab.spec import Machine, RunCard
from tests.analysis.pretend import CPU

HERE = {"platform": "Linux", "cpu": "Laptop", "cpu_physical_cores": 8, "power_source": "battery"}
THERE = {"platform": "Linux 6", "cpu": "Server", "cpu_physical_cores": 64, "openmp_wait": "PASSIVE"}


def card(environment: dict, machine: str | None) -> RunCard:
    where = Machine(name=machine, node="ab12") if machine else None
    return CPU.model_copy(update={"environment": environment, "machine": where})


def test_another_host_is_told_once_whatever_differs_between_them():
    found = analysis.between(card(HERE, None), card(THERE, "box"))
    assert [thing.name for thing in found.speed.things] == ["environment.host"]
    assert found.speed.things[0].said == "machine is here against box"
    assert found.speed.grade is Grade.MACHINES
    assert found.speed.ratio


def test_other_versions_there_are_told_beside_it():
    found = analysis.between(card(HERE | {"torch": "2"}, None), card(THERE | {"torch": "3"}, "box"))
    names = {thing.name for thing in found.speed.things}
    assert names == {"environment.host", "environment.torch"}


def test_two_runs_of_one_machine_differ_in_nothing():
    found = analysis.between(card(THERE, "box"), card(THERE, "box"))
    assert not found.speed.things


def test_without_machines_hosts_are_told_by_what_they_have():
    found = analysis.between(card(HERE, None), card(THERE, None))
    assert "environment.host" not in {thing.name for thing in found.speed.things}
    assert "environment.cpu" in {thing.name for thing in found.speed.things}
