"""The commands take `--machine`, and their documents say where it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnnlab.spec import LabError
from tests.cluster.examples import SHORT
from tests.cluster.nodes import Nodes
from tests.cluster.test_machines import run

pytestmark = pytest.mark.soak  # each starts programs that join the cluster: a minute on two cores


@pytest.fixture
def spec(tmp_path: Path, cluster: Nodes) -> str:
    file = tmp_path / "spec.json"
    file.write_text(SHORT.model_dump_json())
    return str(file)


def test_a_run_goes_to_the_machine_that_is_named(spec: str) -> None:
    code, text = run("train", "--spec", spec, "--machine", "one", "--json")
    assert code == 0, text
    card = json.loads(text)
    assert card["status"] == "finished"
    assert card["machine"]["name"] == "one"
    assert card["machine"]["node"]
    assert card["spec"]["machine"] == "one"


def test_a_race_between_all_machines_names_them(spec: str) -> None:
    code, text = run("race", "--spec", spec, "--way", "machines", "--repeats", "1", "--json")
    assert code == 0, text
    found = json.loads(text)
    assert [lane["machine"] for lane in found["lanes"]] == ["here", "head", "one", "two"]
    assert [lane["title"] for lane in found["lanes"]] == ["here", "on head", "on one", "on two"]
    assert all(standing["us_per_image"] for standing in found["standings"])


def test_a_sweep_is_measured_where_it_is_told_to_be(spec: str) -> None:
    axis = ("--axis", "batch_size=16,32")
    asked = (*axis, "--machine", "two", "--devices", "cpu", "--budget", "120")
    code, text = run("sweep", "--spec", spec, *asked, "--json")
    assert code == 0, text
    found = json.loads(text)
    assert [cell["step_ms_median"] is None for cell in found["cells"]] == [False, False]
    assert found["plan"]["spec"]["machine"] == "two"
    with pytest.raises(LabError, match="There is no cuda on two; choose cpu"):
        run("sweep", "--spec", spec, *asked[:4], "--devices", "cuda")


def test_a_grid_that_trains_is_spread_over_equal_machines(spec: str) -> None:
    axes = ("--axis", "seed=0,1,2,3", "--train", "1", "--machines", "one,two")
    code, text = run("sweep", "--spec", spec, *axes, "--json")
    assert code == 0, text
    ids = [each["run_id"] for each in json.loads(text)["runs"]]
    where = [json.loads(run("runs", "show", each, "--json")[1])["machine"]["name"] for each in ids]
    assert where == ["one", "two", "one", "two"]


def test_a_machine_that_is_not_there_is_named(spec: str) -> None:
    with pytest.raises(LabError, match="There is no machine 'attic', only head, one, two"):
        run("race", "--spec", spec, "--machine", "attic")
