"""`why` and `train --profile`: real ones, on little data."""

import json
from functools import partial
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from cnnlab import training
from cnnlab.__main__ import cli
from cnnlab.history import History
from cnnlab.report.cards import to_json
from cnnlab.spec import PRESETS, LabError
from tests.example_profiles import DENSE, TRIAL
from tests.example_runs import add_run

SPEC = PRESETS["dense"].spec
SMALL = ("--preset", "tiny", "--limit", "400", "--epochs", "1", "--device", "cpu")


@pytest.fixture
def quick(monkeypatch):
    """Profiles and trials that are as told; what was asked for."""
    asked = SimpleNamespace(profiles=0, trials=[])

    def profile(spec, stop):
        asked.profiles += 1
        return DENSE

    def try_change(spec, fields, stop, *, expected):
        asked.trials.append(fields)
        if "compile" in fields:
            raise LabError("there is no compiler")
        return TRIAL.model_copy(update={"change": fields, "expected": expected})

    monkeypatch.setattr(training, "profile", profile)
    monkeypatch.setattr(training, "try_change", try_change)
    return asked


def run(*arguments, code=0):
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False, standalone_mode=False)
    assert done.return_value == code, done.output
    return done


def test_a_run_trains_and_is_then_taken_apart(monkeypatch):
    monkeypatch.setattr(training, "profile", partial(training.profile, seconds=0.4))
    card = json.loads(run("train", *SMALL, "--profile", "--json").stdout)
    assert card["status"] == "finished"
    assert [layer["kind"] for layer in card["profile"]["layers"]][:2] == ["Conv2D", "MaxPooling2D"]
    assert card["profile"]["ceilings"]["matmul_gflops"] > 0
    answer = json.loads(run("why", card["run_id"], "--json").stdout)
    assert answer["profile"] == card["profile"]
    assert sum(answer["shares"].values()) == pytest.approx(1)
    assert answer["bound"] in answer["shares"]
    assert len(answer["layers"]) == len(card["profile"]["layers"])


def test_the_profile_of_a_run_is_taken_once(quick):
    run_id = add_run(History(), spec=SPEC)
    run("why", run_id)
    run("why", run_id)
    assert quick.profiles == 1
    run("why", run_id, "--again")
    assert quick.profiles == 2


def test_every_cure_is_tried_on_demand_and_what_cannot_be_is_said(quick):
    run_id = add_run(History(), spec=SPEC)
    before = json.loads(run("why", run_id, "--json").stdout)
    assert quick.trials == []
    assert before["cures"]
    assert all(cure["trial"] is None for cure in before["cures"])
    done = run("why", run_id, "--try", "--json")
    assert quick.trials == [cure["change"] for cure in before["cures"]]
    assert "torch.compile on cannot be tried: there is no compiler" in done.stderr
    after = json.loads(done.stdout)
    tried = {json.dumps(cure["change"]): cure["trial"] for cure in after["cures"]}
    assert tried.pop('{"compile": true}') is None
    assert all(trial["outcome"] == "faster" for trial in tried.values())
    assert len(after["trials"]) == len(tried)
    assert "is 2.9 times as fast" in run("why", run_id).stdout


def test_a_run_from_elsewhere_is_not_explained_by_this_machine(quick, tmp_path):
    card = History().card(add_run(History()))
    (tmp_path / "card.json").write_text(to_json([card.model_copy(update={"run_id": "theirs"})]))
    run("runs", "import", str(tmp_path / "card.json"))
    with pytest.raises(LabError, match="was measured elsewhere and brought no profile"):
        run("why", "theirs")
    assert quick.profiles == 0


def test_a_run_that_never_began_is_said_to_have_no_step(quick):
    history = History()
    run_id = history.create(History().card(add_run(history)).spec, name="New", session="today")
    with pytest.raises(LabError, match="ended before its first step"):
        run("why", run_id)
